"""Golden bytes: what the authors published must come out of the captures they made it from."""

import numpy as np
import pytest

from clgan_tf import capture
from clgan_tf.capture import SessionRules
from clgan_tf.capture.reasons import REASONS, UNKNOWN_LINK_TYPE
from clgan_tf.capture.sessions import COLUMNS
from clgan_tf.data import idx


@pytest.mark.parametrize(
    ("representation", "folder"),
    [("all_layers", "10class/Benign/SessionAllLayers"), ("l7", "20class/SessionL7")],
)
def test_all_600_facetime_images_come_out_byte_for_byte(published, published_captures, representation, folder):
    directory = published / "ustc_tfc2016" / folder
    labels = idx.read_labels(directory / "t10k-labels-idx1-ubyte.gz")
    images = idx.read_images(directory / "t10k-images-idx3-ubyte.gz")[labels == 1]
    sessions = capture.load(published_captures / "ustc_tfc2016/Benign/Facetime.pcap", representation)
    assert len(sessions) == 6000
    ours = {image.tobytes() for image in sessions.images}
    assert len(images) == 600
    assert all(image.tobytes() in ours for image in images)


def test_email1a_sessions_equal_published_email_images(published, published_captures):
    directory = published / "iscx_vpn_nonvpn_2016/6class/NovpnSessionAllLayers"
    emails = set()
    for part in ("train", "t10k"):
        labels = idx.read_labels(directory / f"{part}-labels-idx1-ubyte.gz")
        emails |= {
            image.tobytes() for image in idx.read_images(directory / f"{part}-images-idx3-ubyte.gz")[labels == 1]
        }
    sessions = capture.load(published_captures / "iscx_vpn_nonvpn_2016/email1a.pcap", "all_layers")
    assert len(sessions) == 3417
    assert sum(image.tobytes() in emails for image in sessions.images) >= 2717


def test_packets_add_up_in_every_capture(published_captures):
    paths = sorted((published_captures / "ndpi").iterdir())
    assert len(paths) >= 270
    for path in paths:
        for tunnels in ("outer", "inner"):
            rules = SessionRules(tunnels, idle_timeout=60, active_timeout=600, tcp_close=tunnels == "inner")
            parts = capture.stream([path, published_captures / "ustc_tfc2016/Benign/Facetime.pcap"], rules=rules)
            sessions = next(parts)  # alone, a capture without TCP and UDP is an error
            assert sessions.packets.sum() + sum(sessions.drops.values()) == sessions.packets_read, path
            assert np.all(sessions.first_time <= sessions.last_time), path
            assert set(sessions.drops) <= set(REASONS)


def test_no_capture_has_a_link_type_that_is_not_read(published_captures):
    paths = [str(path) for path in sorted(published_captures.rglob("*.*cap*"))]
    assert UNKNOWN_LINK_TYPE not in capture.load(paths).drops


def test_two_processes_give_what_one_gives(published_captures):
    paths = [str(path) for path in sorted(published_captures.rglob("*.*cap*"))]
    one, two = (list(capture.stream(paths, "l7", workers=workers)) for workers in (1, 2))
    assert len(one) == len(two) == len(paths)
    for a, b in zip(one, two, strict=True):
        assert (a.drops, a.packets_read, a.warnings, a.paths) == (b.drops, b.packets_read, b.warnings, b.paths)
        for column in COLUMNS:
            assert np.array_equal(getattr(a, column), getattr(b, column)), column
