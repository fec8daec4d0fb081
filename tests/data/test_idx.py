import gzip
import struct

import numpy as np
import pytest

from clgan_tf import settings
from clgan_tf.capture import SessionRules
from clgan_tf.common.errors import ConfigError, DataError
from clgan_tf.data import idx, sources
from clgan_tf.data import published as published_module
from tests import packets as p

IMAGES = struct.pack(">IIII", 0x803, 2, 28, 28) + bytes(range(256)) * 6 + bytes(32)
LABELS = struct.pack(">II", 0x801, 2) + b"\x01\x00"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_images_and_labels(tmp_path, pack):
    images = idx.read_images(p.write(tmp_path / "i", pack(IMAGES)))
    assert images.shape == (2, 28, 28, 1)
    assert images.dtype == np.uint8
    assert images.tobytes() == IMAGES[16:]
    assert idx.read_labels(p.write(tmp_path / "l", pack(LABELS))).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (IMAGES[:-1], "promises 2 items (1568 bytes), the file holds only 1567"),
        (IMAGES + b"x", "the file holds more"),
        (IMAGES[:9], "ends at offset 9, inside the idx header"),
        (LABELS + bytes(20), "magic 0x00000801 at offset 0, expected 0x00000803"),
        (struct.pack(">IIII", 0x803, 2**32 - 1, 28, 28), "claims 4294967295 items"),
        (struct.pack(">IIII", 0x803, 0, 32, 32), "images are 32 x 32"),
        (gzip.compress(IMAGES, mtime=0)[:-20], "gzip stream is damaged"),
        (gzip.compress(IMAGES, mtime=0)[:30] + b"\xff" * 40, "damaged"),
    ],
)
def test_a_header_that_does_not_fit_is_one_sentence(tmp_path, data, words):
    path = p.write(tmp_path / "images", data)
    with pytest.raises(DataError) as error:
        idx.read_images(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        idx.read_labels(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "representation", "count", "test_count", "classes"),
    [
        ("iscx_vpn_nonvpn_2016", "l7", 32_437, 3_244, 12),
        ("iscx_vpn_nonvpn_2016", "all_layers", 39_446, 3_945, 12),
        ("ustc_tfc2016", "l7", 13_325, 0, 20),
        ("ustc_tfc2016", "all_layers", 14_267, 0, 20),
    ],
)
def test_both_published_layouts(published, name, representation, count, test_count, classes):
    examples, is_test, class_names = published_read(name, published / name, representation)
    assert (len(examples), is_test.sum(), len(class_names)) == (count, test_count, classes)
    assert set(np.unique(examples.labels)) == set(range(classes))
    assert len(set(examples.sessions)) == count


def published_read(name, root, representation):
    found = published_module.sources_below(root, name, representation)
    examples, is_test, _ = sources.read(found.sources, representation, "session", SessionRules(), strict=False)
    return examples, is_test, found.class_names


def test_the_settings_know_every_published_data_set_and_no_other():
    assert set(settings.PUBLISHED) == {name for name, _ in published_module.LAYOUTS}


def test_masked_needs_captures(tmp_path):
    with pytest.raises(ConfigError, match="needs its raw captures"):
        published_read("iscx_vpn_nonvpn_2016", tmp_path, "masked")


def test_all_layers_of_two_folders_has_the_labels_of_the_12_class_file(published):
    root = published / "iscx_vpn_nonvpn_2016"
    examples, _, _ = published_read("iscx_vpn_nonvpn_2016", root, "all_layers")
    ours = {image.tobytes(): label for image, label in zip(examples.images, examples.labels, strict=True)}
    images = idx.read_images(root / "12class/SessionAllLayers/t10k-images-idx3-ubyte.gz")
    labels = idx.read_labels(root / "12class/SessionAllLayers/t10k-labels-idx1-ubyte.gz")
    assert np.mean([ours.get(image.tobytes()) == label for image, label in zip(images, labels, strict=True)]) > 0.99


def test_images_and_labels_must_be_equally_many(tmp_path):
    folder = tmp_path / "20class/SessionL7"
    p.write(folder / "t10k-images-idx3-ubyte", IMAGES)
    p.write(folder / "t10k-labels-idx1-ubyte", struct.pack(">II", 0x801, 1) + b"\x01")
    with pytest.raises(DataError, match="1 labels stand beside 2 images"):
        published_read("ustc_tfc2016", tmp_path, "l7")
    p.write(folder / "t10k-labels-idx1-ubyte", struct.pack(">II", 0x801, 2) + b"\x01\x63")
    with pytest.raises(DataError, match="label 99 at offset 9 is no class"):
        published_read("ustc_tfc2016", tmp_path, "l7")
