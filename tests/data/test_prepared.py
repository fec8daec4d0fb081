"""From captures to TFRecord shards and into tf.data: schema, counts, damage, streams."""

import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from clgan_tf import capture
from clgan_tf.common.errors import ConfigError, DataError
from clgan_tf.data import pipeline, tfrecord
from clgan_tf.data.dataset import fingerprint, open_dataset
from clgan_tf.data.examples import UNLABELLED
from clgan_tf.data.few_labels import few_labels
from clgan_tf.data.prepare import prepare
from clgan_tf.reporting.prepared import captures_table, prepared_table
from tests import packets as p
from tests.conftest import prepare_settings


def test_what_is_written_is_what_the_captures_hold(demo_corpus, prepared):
    dataset = open_dataset(prepared.directory)
    splits = {name: dataset.read(name) for name in ("train", "validation", "test", "unlabelled")}
    assert fingerprint(splits) == dataset.facts.fingerprint
    assert {name: len(examples) for name, examples in splits.items()} == dataset.facts.sizes
    assert (dataset.facts.shared_images, dataset.facts.shared_sessions) == (0, 0)
    assert dataset.facts == prepared.facts
    train = splits["train"]
    row = int(np.flatnonzero(train.captures == "VoIP/2.pcap")[0])
    sessions = capture.load(demo_corpus / "VoIP/2.pcap")
    original = int(np.flatnonzero(sessions.identifiers() == train.sessions[row])[0])
    np.testing.assert_array_equal(train.images[row, :, :, 0], sessions.images[original])
    assert train.num_bytes[row] == sessions.num_bytes[original]
    assert dataset.facts.class_names[train.labels[row]] == "VoIP"
    assert set(splits["unlabelled"].labels) == {UNLABELLED}


def test_the_schema_of_a_record(prepared):
    record = next(tf.data.TFRecordDataset(str(prepared.paths("train")[0])).as_numpy_iterator())
    features = tf.train.Example.FromString(record).features.feature
    assert set(features) == {"image", "label", "capture", "session", "num_bytes"}
    assert len(features["image"].bytes_list.value[0]) == 784
    assert len(features["session"].bytes_list.value[0]) == 32


def test_the_table_adds_up(prepared):
    rows = prepared.captures
    assert sum(row.kept for row in rows) == sum(prepared.facts.sizes.values())
    for row in rows:
        assert row.sessions == row.kept + row.duplicates + row.conflicts
    text = prepared_table(prepared)
    assert "Vpn_Email/3.pcap" in text
    assert "shared between them: 0 images, 0 sessions" in text


def test_preparing_twice_gives_the_same_fingerprint(demo_corpus, prepared, tmp_path):
    again = prepare(prepare_settings(demo_corpus, tmp_path / "again"))
    assert again.facts.fingerprint == prepared.facts.fingerprint
    other = prepare(prepare_settings(demo_corpus, tmp_path / "other", split_seed=1))
    assert other.facts.fingerprint != prepared.facts.fingerprint


def udp_capture(folder, name: str, payloads: list[bytes], ports: int = 1000):
    frames = [p.ipv4(p.udp(payload, ports + number)) for number, payload in enumerate(payloads)]
    return p.write(folder / name, p.pcap(frames, 101))


def test_duplicates_and_conflicts_are_counted_by_capture(tmp_path):
    source = tmp_path / "source"
    udp_capture(source, "a/1.pcap", [bytes([n]) for n in range(1, 21)] + [b"same", b"same"])
    udp_capture(source, "b/1.pcap", [bytes([n, n]) for n in range(1, 21)] + [b"\x01"], ports=3000)
    udp_capture(source, "unlabelled/1.pcap", [b"\x02", b"new"], ports=5000)
    dataset = prepare(prepare_settings(source, tmp_path / "data", representation="l7"))
    found = {row.capture: (row.duplicates, row.conflicts, row.kept) for row in dataset.captures}
    assert found == {"a/1.pcap": (1, 1, 20), "b/1.pcap": (0, 1, 20), "unlabelled/1.pcap": (1, 0, 1)}
    assert dataset.facts.sizes["unlabelled"] == 1


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"a": [10, 10, 10], "b": [10, 12, 10]}, ""),
        ({"a": [10, 1, 1], "b": [10, 10, 10]}, "half of a: .* --split_by=capture scores on captures that training nev"),
        ({"a": [10, 1, 1], "b": [10, 10, 10], "c": [20]}, "half of a, c: .* saw, without c .fewer than 3 captures.."),
        ({"a": [10], "b": [10, 10]}, "half of a: .* --split_by=capture needs 3 captures of two classes at least"),
    ],
)
def test_a_class_that_one_capture_dominates_is_told(tmp_path, sizes, told):
    for place, (name, counts) in enumerate(sizes.items()):
        for number, count in enumerate(counts):
            payloads = [bytes([place, number, n]) for n in range(count)]
            udp_capture(tmp_path / "source", f"{name}/{number}.pcap", payloads, 1000 * (4 * place + number + 1))
    dataset = prepare(prepare_settings(tmp_path / "source", tmp_path / "data", representation="l7"))
    head, first, *_, last = captures_table(dataset).splitlines()
    assert head.split() == ["class", "sessions", "captures", "of", "the", "largest"]
    counts = sizes["a"]
    assert first.split() == ["a", f"{sum(counts)}", f"{len(counts)}", f"{max(counts) / sum(counts):.0%}"]
    assert last.startswith("Warning") == bool(told)
    assert re.search(told, last)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "no such folder"),
        ({"a/1.pcap": 5}, "1 class folders; at least 2 are needed"),
        ({"a/1.pcap": 5, "b/readme.txt": 5}, "no capture file"),
        (
            {"a/1.pcap": 30, "b/1.pcap": 1},
            "Class b has no session in the train split: it has 0 after de-duplication, and every split needs one",
        ),
    ],
)
def test_a_folder_that_cannot_be_used_is_one_sentence_and_nothing_is_written(tmp_path, files, words):
    for number, (name, count) in enumerate(files.items()):
        if name.endswith(".txt"):
            p.write(tmp_path / "source" / name, b"no capture")
        else:
            udp_capture(tmp_path / "source", name, [bytes([number, n]) for n in range(count)])
    with pytest.raises(DataError) as error:
        prepare(prepare_settings(tmp_path / "source", tmp_path / "data", representation="l7"))
    assert words in str(error.value)
    assert not (tmp_path / "data").exists()
    assert not list(tmp_path.glob(".*partial*"))


def test_an_existing_data_set_is_replaced_only_with_overwrite_and_only_if_ours(demo_corpus, prepared, tmp_path):
    target = tmp_path / "data"
    shutil.copytree(prepared.directory, target)
    with pytest.raises(ConfigError, match="--overwrite"):
        prepare(prepare_settings(demo_corpus, target))
    assert prepare(prepare_settings(demo_corpus, target, overwrite=True)).facts == prepared.facts
    (target / "dataset.json").write_text('{"mine": 1}')
    with pytest.raises(ConfigError, match="did not make it"):
        prepare(prepare_settings(demo_corpus, target, overwrite=True))
    assert list(target.iterdir())


def damaged(prepared, tmp_path):
    target = tmp_path / "data"
    shutil.copytree(prepared.directory, target)
    return open_dataset(target)


@pytest.mark.parametrize("damage", ["truncate", "flip", "huge", "remove", "fewer", "short_image", "no_example"])
def test_a_damaged_shard_names_its_file_and_the_remedy(prepared, tmp_path, damage):
    dataset = damaged(prepared, tmp_path)
    shard = dataset.paths("test")[0]
    data = shard.read_bytes()
    if damage == "truncate":
        shard.write_bytes(data[:-5])
    elif damage == "flip":
        shard.write_bytes(data[:500] + bytes([data[500] ^ 1]) + data[501:])
    elif damage == "huge":
        shard.write_bytes((2**60).to_bytes(8, "little") + data[8:])
    elif damage == "remove":
        shard.unlink()
    else:
        records = list(tf.data.TFRecordDataset(str(shard)).as_numpy_iterator())
        records[0] = {
            "fewer": records[1],
            "short_image": tfrecord.serialize(np.zeros((28, 56), np.uint8), 0, "c", "s", 1),
            "no_example": b"\x08",
        }[damage]
        with tf.io.TFRecordWriter(str(shard)) as writer:
            for record in records[1:] if damage == "fewer" else records:
                writer.write(record)
    with pytest.raises(DataError) as error:
        dataset.read("test")
    assert "--mode=prepare" in str(error.value)
    assert str(shard.parent) in str(error.value)
    assert "\n" not in str(error.value)


SPLITS = ("train", "validation", "test", "unlabelled")


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"shards": {}},
        {"shards": {name: ["../../etc/passwd"] for name in SPLITS}},
        {"shards": [5]},
        {"shards": {name: [".."] for name in SPLITS}},
        {"facts": {"class_names": 7}},
        {"facts": {"class_names": ["only"]}},
        {"facts": {"split": {}}},
        {"facts": {"split": {"rule": "by mood", "seed": 0, "test_fraction": 0.2, "validation_fraction": 0.1}}},
        {"facts": {"sizes": dict.fromkeys(SPLITS, "28")}},
        {"facts": {"sizes": {"train": 1}}},
        {"facts": {"sizes": dict.fromkeys(SPLITS, -1)}},
        {"facts": {"rules": {"tunnels": "sideways"}}},
        {"facts": {"rules": {"idle_timeout": "long"}}},
        {"facts": {"fingerprint": 5}},
        {"captures": [{"capture": "c"}]},
    ],
)
def test_a_description_that_is_not_ours(prepared, tmp_path, change):
    dataset = damaged(prepared, tmp_path)
    path = dataset.directory / "dataset.json"
    values = json.loads(path.read_text())
    if "facts" in change:
        change = {"facts": {**values["facts"], **change["facts"]}}
    path.write_text(json.dumps({**values, **change}))
    with pytest.raises(DataError, match=r"dataset\.json: not what clgan_tf writes there .* run --mode=prepare again"):
        open_dataset(dataset.directory)


def test_streams_have_static_shapes_and_the_unlabelled_one_never_shows_a_labelled_or_test_session(prepared):
    few = few_labels(prepared, 72, "total", 0, 0)
    batches, steps = pipeline.adversarial(few, 16, seed=0)
    shapes = {name: tuple(spec.shape) for name, spec in batches.element_spec.items()}
    assert shapes == {"labelled": (16, 28, 28, 1), "labels": (16,), "unlabelled": (16, 28, 28, 1)}
    train, unlabelled = prepared.read("train"), prepared.read("unlabelled")
    assert steps == (len(train) - 72 + len(unlabelled)) // 16
    pool = {image.tobytes() for image in pipeline.images(few.unlabelled).as_numpy_iterator()}
    shown = {image.tobytes() for image in few.whole_budget.images}
    assert len(shown) == 72
    assert pool == {image.tobytes() for image in [*train.images, *unlabelled.images]} - shown
    for split in ("test", "validation"):
        assert not pool & {image.tobytes() for image in prepared.read(split).images}


def test_batches_are_a_function_of_the_seed_and_resume_where_they_stopped(prepared):
    few = few_labels(prepared, 72, "total", 0, 0)

    def take(seed: int, skip: int, count: int) -> list[bytes]:
        batches, _ = pipeline.adversarial(few, 16, seed, skip_steps=skip)
        return [
            b"".join(batch[name].tobytes() for name in sorted(batch))
            for batch in batches.take(count).as_numpy_iterator()
        ]

    whole = take(0, 0, 60)
    assert take(0, 0, 60) == whole
    assert take(0, 45, 15) == whole[45:]  # beyond the first epoch
    assert take(1, 0, 60) != whole


def test_labels_stay_with_their_images(prepared):
    few = few_labels(prepared, 72, "total", 0, 0)
    known = {image.tobytes(): label for image, label in zip(few.labelled.images, few.labelled.labels, strict=True)}
    batches, _ = pipeline.adversarial(few, 16, seed=0)
    for batch in batches.take(5).as_numpy_iterator():
        assert all(
            known[image.tobytes()] == label for image, label in zip(batch["labelled"], batch["labels"], strict=True)
        )


def test_no_unlabelled_session_left_is_an_error_not_an_endless_wait(tmp_path):
    source = tmp_path / "source"
    for number, name in enumerate("ab"):
        udp_capture(source, f"{name}/1.pcap", [bytes([number, n]) for n in range(20)], ports=1000 * (number + 1))
    dataset = prepare(prepare_settings(source, tmp_path / "data", representation="l7"))
    with pytest.raises(DataError, match="no training session is left without its label"):
        pipeline.adversarial(few_labels(dataset, 1.0, "fraction", 0, 0), 4, seed=0)
