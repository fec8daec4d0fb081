"""The builders through TFDS's own doors: load, build from a checkout and from a wheel, one worker and two."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import clgan_tf_datasets
import pytest
import tensorflow_datasets as tfds
from clgan_tf_datasets import published_files, session_builder, session_pipeline

from clgan_tf.common import typed_json
from clgan_tf.common.errors import ConfigError, DataError
from clgan_tf.data import pipeline, recipe, sources
from clgan_tf.data import published as published_data
from clgan_tf.data.dataset import Dataset
from clgan_tf.data.few_labels import few_labels
from clgan_tf.data.prepare import prepare
from clgan_tf.data.registered import Certificate, open_any
from clgan_tf.main import main
from clgan_tf.settings import PrepareSettings
from tests import packets as p

ROOT = Path(__file__).parents[2]
DUMMY = ROOT / "datasets/labelled_captures/dummy_data"
MULTIPLE = ("--direct_running_mode=multi_processing",)


def build(
    name: str, data_dir: Path, manual_dir: Path = DUMMY, options: tuple[str, ...] = ()
) -> tfds.core.DatasetBuilder:
    builder = tfds.builder(name, data_dir=data_dir)
    beam_options = beam.options.pipeline_options.PipelineOptions(list(options)) if options else None
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=manual_dir, beam_options=beam_options)
    )
    return builder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build("labelled_captures/session_masked", tmp_path_factory.mktemp("tfds"))


def files_of(builder: tfds.core.DatasetBuilder) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(Path(builder.data_path).iterdir())
    }


def test_all_four_are_registered():
    assert set(clgan_tf_datasets.__all__) <= set(tfds.list_builders())
    names = [config.name for config in tfds.builder_cls("ustc_tfc2016").BUILDER_CONFIGS]
    assert len(names) == len(set(names)) == 2 * 4 * 2
    assert len(tfds.builder_cls("iscx_vpn_nonvpn_2016").BUILDER_CONFIGS) == 48


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_writes_the_same_bytes(built, tmp_path, workers):
    other = build("labelled_captures/session_masked", tmp_path, options=(*MULTIPLE, f"--direct_num_workers={workers}"))
    assert files_of(other) == files_of(built)


def certificate_of(builder) -> Certificate:
    return typed_json.convert(builder.info.metadata["certificate"], Certificate)


def test_the_certificate_is_true(built):
    certificate = certificate_of(built)
    facts = certificate.facts
    splits = {name: list(tfds.as_numpy(built.as_dataset(split=name))) for name in built.info.splits}
    images, sessions = [], []
    for name, examples in splits.items():
        labels = [example["label"] for example in examples]
        names = [facts.class_names[label] if label >= 0 else "unlabelled" for label in labels]
        assert {name: names.count(name) for name in set(names)} == facts.class_sizes[name]
        assert facts.sizes[name] == len(examples)
        images.append({example["image"].tobytes() for example in examples})
        sessions.append({example["session"] for example in examples})
        assert examples[0]["image"].shape == (28, 28, 1)
    assert sum(map(len, images)) == len(set.union(*images)) == sum(map(len, splits.values()))
    assert sum(map(len, sessions)) == len(set.union(*sessions))
    assert facts.shared_images == facts.shared_sessions == 0
    assert [row.packets for row in certificate.captures] == [16] * 7
    digests = (
        recipe.digest(name, one["session"].decode(), int(one["label"]), one["image"].tobytes())
        for name, examples in splits.items()
        for one in examples
    )
    assert recipe.fingerprint(digests) == facts.fingerprint


def test_unlabelled_captures_that_add_nothing_are_told_and_left_out(tmp_path, caplog):
    source = shutil.copytree(DUMMY, tmp_path / "source", ignore=shutil.ignore_patterns("unlabelled"))
    some = next(path for path in sorted(source.rglob("*")) if path.is_file())
    (source / "unlabelled").mkdir()
    shutil.copy(some, source / "loose.pcap")
    shutil.copy(some, source / "unlabelled" / "again.pcap")
    built = build("labelled_captures/session_masked", tmp_path / "tfds", source)
    assert set(built.info.splits) == {"train", "validation", "test"}
    assert certificate_of(built).facts.sizes["unlabelled"] == 0
    assert "unlabelled/ adds no session" in caplog.text
    assert f"in no class folder: {source / 'loose.pcap'}" in caplog.text


def test_a_data_set_whose_captures_changed_is_not_taken_for_theirs(tmp_path):
    source = shutil.copytree(DUMMY, tmp_path / "source")
    name, data_dir = "labelled_captures/session_masked", tmp_path / "tfds"
    fingerprint = certificate_of(build(name, data_dir, source)).source_fingerprint
    assert certificate_of(build(name, data_dir, source)).source_fingerprint == fingerprint
    some = next(path for path in sorted(source.rglob("*")) if path.is_file())
    some.write_bytes(some.read_bytes()[:-1])
    with pytest.raises(DataError, match="was built from other files than there are now"):
        build(name, data_dir, source)
    shutil.rmtree(source)
    assert tfds.load(name, data_dir=data_dir, split="test")


def both_ways(name: str, source: Path, folder: Path, monkeypatch, **changes) -> tuple[Dataset, Dataset]:
    """The same source through the TFDS builder and through prepare."""
    build(name, folder / "tfds", source)
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder / "tfds"))
    settings = PrepareSettings(source=source, dataset=folder / "prepared", **changes)
    return open_any(Path(name)), prepare(settings)


def assert_same(ours: Dataset, theirs: Dataset, published: bool = False) -> None:
    assert ours.facts.fingerprint == theirs.facts.fingerprint
    assert ours.captures == theirs.captures
    sizes = {split: ours.facts.sizes[split] for split in theirs.facts.sizes}
    assert replace(ours.facts, source_kind="", sizes=sizes) == replace(theirs.facts, source_kind="")
    for split in theirs.facts.sizes:
        one, other = (
            sorted(zip(half.sessions, half.labels.tolist(), map(bytes, half.images), half.captures, strict=True))
            for half in (ours.read(split), theirs.read(split))
        )
        assert one == other


def test_prepare_and_the_builder_make_the_same_data_set_of_demo_captures(demo_corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_same(*both_ways("labelled_captures/session_packets", demo_corpus, tmp_path, monkeypatch))


@pytest.mark.parametrize("unit", ["session", "flow"])
def test_and_of_a_folder_with_conflicts_duplicates_and_flows(tmp_path, monkeypatch, unit):
    monkeypatch.chdir(tmp_path)
    write_conflicts(tmp_path / "captures")
    there = p.ipv4(p.udp(b"there", 1000), p.CLIENT, p.SERVER)
    back = p.ipv4(p.udp(b"back", 53, 1000), p.SERVER, p.CLIENT)
    p.write(tmp_path / "captures/a/3.pcap", p.pcap([there], 101))
    p.write(tmp_path / "captures/unlabelled/2.pcap", p.pcap([there, back], 101))
    p.write(tmp_path / "captures/b/2.pcap", p.pcap([p.ipv4(p.udp(b"there", 1001), p.CLIENT, p.SERVER), back], 101))
    changes = {"representation": "l7", "unit": unit}
    ours, theirs = both_ways(f"labelled_captures/{unit}_l7", tmp_path / "captures", tmp_path, monkeypatch, **changes)
    assert_same(ours, theirs)
    assert sum(row.conflicts for row in theirs.captures) > 2
    assert sum(row.duplicates for row in theirs.captures) > 2


def test_and_by_capture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    changes = {"representation": "l7", "split_by": "capture"}
    assert_same(*both_ways("labelled_captures/session_l7_by_capture", DUMMY, tmp_path, monkeypatch, **changes))


@pytest.mark.parametrize("name", ["iscx_vpn_nonvpn_2016", "ustc_tfc2016"])
def test_and_of_the_published_images(published, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    changes = {"source_kind": name, "representation": "l7"}
    ours, theirs = both_ways(f"{name}/session_l7", published / name, tmp_path, monkeypatch, **changes)
    assert_same(ours, theirs)
    assert ours.facts.sizes["test"] == {"iscx_vpn_nonvpn_2016": 3224, "ustc_tfc2016": 2586}[name]


def write_conflicts(folder: Path) -> None:
    def capture(path, payloads):
        frames = [p.ipv4(p.udp(payload, 1000 + n)) for n, payload in enumerate(payloads)]
        start = 1000 * (1 + len(list(folder.rglob("*.pcap"))))  # no session is in two captures
        p.write(folder / path, p.pcap(frames, 101, start=start))

    own = {name: [f"{name}{n}".encode() for n in range(60)] for name in ("a", "b")}
    capture("a/1.pcap", [*own["a"], b"twice", b"both"])
    capture("a/2.pcap", [b"twice", b"labelled"])
    capture("b/1.pcap", [*own["b"], b"both"])
    capture("unlabelled/1.pcap", [b"labelled", b"new"])


def by_class(certificate: Certificate, column: str) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in certificate.captures:
        counts[row.class_name] += getattr(row, column)
    return dict(counts)


def test_duplicates_and_conflicts_are_removed_and_counted(tmp_path):
    write_conflicts(tmp_path / "captures")
    builder = build("labelled_captures/session_l7", tmp_path / "tfds", tmp_path / "captures")
    certificate = certificate_of(builder)
    assert by_class(certificate, "sessions") == {"a": 64, "b": 61, "unlabelled": 2}
    assert by_class(certificate, "duplicates") == {"a": 1, "b": 0, "unlabelled": 1}
    assert by_class(certificate, "conflicts") == {"a": 1, "b": 1, "unlabelled": 0}
    assert sum(certificate.facts.sizes.values()) == 60 + 60 + 2 + 1


def test_by_capture_no_capture_is_in_two_splits_and_small_classes_are_named(tmp_path):
    shutil.copytree(DUMMY, tmp_path / "captures")
    (tmp_path / "captures/Small").mkdir()
    shutil.copy(DUMMY / "Chat/1.pcap", tmp_path / "captures/Small/1.pcap")
    builder = build("labelled_captures/session_masked_by_capture", tmp_path / "tfds", tmp_path / "captures")
    facts = certificate_of(builder).facts
    assert facts.split.not_served == ["Small"]
    assert builder.info.features["label"].names == facts.class_names == ["Chat", "Video"]
    captures = [
        {example["capture"] for example in tfds.as_numpy(builder.as_dataset(split=split))}
        for split in ("train", "validation", "test")
    ]
    assert [len(names) for names in captures] == [2, 2, 2]
    assert len(set.union(*captures)) == 6


def test_a_session_that_two_captures_hold_stays_as_one_of_them_has_it(tmp_path):
    """One capture, with a label, has one direction; the other, without, has both."""
    own = [[p.ipv4(p.udp(f"{name}{n}".encode(), 2000 + n)) for n in range(60)] for name in "ab"]
    there = p.ipv4(p.udp(b"there", 1000), p.CLIENT, p.SERVER)
    back = p.ipv4(p.udp(b"back", 53, 1000), p.SERVER, p.CLIENT)
    p.write(tmp_path / "captures/a/1.pcap", p.pcap([there, *own[0]], 101))
    p.write(tmp_path / "captures/b/1.pcap", p.pcap(own[1], 101, start=5000))
    p.write(tmp_path / "captures/unlabelled/1.pcap", p.pcap([there, back, p.ipv4(p.udp(b"new", 3000))], 101))
    builder = build("labelled_captures/flow_l7", tmp_path / "tfds", tmp_path / "captures")
    certificate = certificate_of(builder)
    assert by_class(certificate, "sessions") == {"a": 61, "b": 60, "unlabelled": 3}
    assert by_class(certificate, "duplicates") == {"a": 0, "b": 0, "unlabelled": 2}
    assert certificate.facts.class_sizes["unlabelled"] == {"unlabelled": 1}


def test_a_cap_leaves_unlabelled_sessions_alone(tmp_path):
    for name in ("a", "b", "unlabelled"):
        frames = [p.ipv4(p.udp(f"{name}{n}".encode(), 1000 + n)) for n in range(60)]
        p.write(tmp_path / f"captures/{name}/1.pcap", p.pcap(frames, 101, start=1000 * ord(name[0])))
    config = session_builder.SessionConfig(name="capped", representation="l7", cap_per_class=30)
    builder = tfds.builder("labelled_captures", config=config, data_dir=tmp_path / "tfds")
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=tmp_path / "captures"))
    after = certificate_of(builder).facts.class_sizes
    assert after["unlabelled"] == {"unlabelled": 60}
    assert sum(sizes.get("a", 0) for sizes in after.values()) == 30


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("iscx_vpn_nonvpn_2016", {"classes": 3}, r"classes must be one of \[0, 2, 6\], not 3"),
        ("ustc_tfc2016", {"classes": 2}, r"classes must be one of \[0\], not 2"),
        ("ustc_tfc2016", {"cap_per_class": -1}, "cap_per_class must be 0 or more, not -1"),
        ("ustc_tfc2016", {"rules": {"idle": 3}}, "rules must be fields of SessionRules"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(tmp_path, name, values, words):
    with pytest.raises(ConfigError, match=words):
        tfds.builder(name, config=session_builder.SessionConfig(name="odd", **values), data_dir=tmp_path)


def test_a_folder_named_like_a_capture_is_none(tmp_path):
    (tmp_path / "USTC/SMB").mkdir(parents=True)
    (tmp_path / "USTC/Weibo.pcap").mkdir()
    with pytest.raises(ConfigError, match=r"needs its raw captures, and the manual directory .* holds none"):
        build("ustc_tfc2016/session_masked", tmp_path / "tfds", tmp_path / "USTC")


def test_a_cap_is_a_uniform_sample(tmp_path):
    config = session_builder.SessionConfig(name="capped", representation="l7", cap_per_class=40)
    builder = tfds.builder("labelled_captures", config=config, data_dir=tmp_path)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=DUMMY))
    after = certificate_of(builder).facts.class_sizes
    totals = {name: sum(after[split][name] for split in ("train", "validation", "test")) for name in ("Chat", "Video")}
    assert totals == {"Chat": 40, "Video": 40}
    captures = {example["capture"] for example in tfds.as_numpy(builder.as_dataset(split="train"))}
    assert len(captures) == 6


def test_the_trainer_reads_what_tfds_built(built, monkeypatch, capsys):
    monkeypatch.setenv("TFDS_DATA_DIR", str(Path(built.data_path).parents[2]))
    monkeypatch.chdir(built.data_path)
    dataset = open_any(Path("labelled_captures/session_masked"))
    train = dataset.read("train")
    expected = {example["image"].tobytes() for example in tfds.as_numpy(built.as_dataset(split="train"))}
    assert {image.tobytes() for image in train.images} == expected
    assert dataset.facts.class_names == ["Chat", "Video"]
    stream, _ = pipeline.adversarial(few_labels(dataset, 10, "total", 0, 0), 8, 0)
    assert next(iter(stream))["unlabelled"].shape == (8, 28, 28, 1)
    assert main(["--mode=audit", "--dataset=labelled_captures/session_masked", f"--output={os.devnull}.json"]) in (0, 1)
    assert "| TTL |" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"tfds build --imports=clgan_tf_datasets labelled_captures/flow_l7"):
        open_any(Path("labelled_captures/flow_l7"))


def run(arguments: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    tfds_command = [sys.executable, "-P", "-m", "tensorflow_datasets.scripts.cli.main", "build"]
    command = [*tfds_command, *arguments] if arguments[0] != "-c" else [sys.executable, "-P", *arguments]
    return subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True)


def test_tfds_build_works_from_a_checkout(built, tmp_path):
    for where, arguments in (
        (ROOT / "datasets/labelled_captures", ["--config=session_masked"]),
        (tmp_path, ["labelled_captures/session_masked", "--imports=clgan_tf_datasets"]),
    ):
        data_dir = tmp_path / where.name
        done = run([*arguments, f"--data_dir={data_dir}", f"--manual_dir={DUMMY}"], where)
        assert done.returncode == 0, done.stderr[-2000:]
        shards = sorted(data_dir.glob("labelled_captures/session_masked/1.0.0/*.tfrecord*"))
        assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in shards}.items() <= files_of(
            built
        ).items()
        assert len(shards) == 4


def test_a_wheel_has_all_it_needs_and_another_package_called_datasets_does_not_matter(tmp_path):
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={tmp_path}", str(ROOT)]
    subprocess.run(wheel, check=True, capture_output=True)
    site = tmp_path / "site"
    shutil.unpack_archive(next(tmp_path.glob("*.whl")), site, "zip")
    p.write(site / "datasets/__init__.py", b"NAME = 'another package'\n")
    code = (
        "import datasets, clgan_tf_datasets, clgan_tf, tensorflow_datasets as tfds\n"
        "assert datasets.NAME == 'another package'\n"
        f"assert clgan_tf_datasets.__file__.startswith({str(site)!r}), clgan_tf_datasets.__file__\n"
        f"assert clgan_tf.__file__.startswith({str(site)!r})\n"
        "b = tfds.builder('iscx_vpn_nonvpn_2016/session_l7', data_dir='/nonexistent')\n"
        "assert len(b.url_infos) == 15 and 'VPN' in b.info.description and 'drapergil' in b.info.citation\n"
        "from clgan_tf_datasets.iscx_vpn_nonvpn_2016 import iscx_vpn_nonvpn_2016_dataset_builder as m\n"
        "assert len(m.capture_classes()) == 90\n"
        "from clgan_tf_datasets.ustc_tfc2016 import ustc_tfc2016_dataset_builder as m\n"
        "assert m.ARCHIVES.exists()\n"
    )
    done = run(["-c", code], tmp_path, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("labelled_captures/session_masked", "one folder per class"),
        ("iscx_vpn_nonvpn_2016/session_masked", "https://www.unb.ca/cic/datasets/vpn.html"),
        ("ustc_tfc2016/flow_l7", "https://github.com/echowei/DeepTraffic"),
    ],
)
def test_an_empty_manual_directory_says_what_to_put_there(tmp_path, name, words):
    (tmp_path / "manual").mkdir()
    with pytest.raises((DataError, ConfigError), match="--manual_dir") as error:
        build(name, tmp_path / "tfds", tmp_path / "manual")
    assert words in str(error.value)
    assert not list((tmp_path / "tfds").rglob("dataset_info.json"))


def test_missing_captures_are_listed_with_the_classes_they_empty(tmp_path):
    source = ROOT / "datasets/iscx_vpn_nonvpn_2016/dummy_data"
    shutil.copytree(source, tmp_path / "manual")
    (tmp_path / "manual/vpn_bittorrent.pcap").unlink()
    with pytest.raises(DataError, match=r"leaves no session of Vpn_P2P: .*vpn_bittorrent\.pcap"):
        build("iscx_vpn_nonvpn_2016/session_l7", tmp_path / "tfds", tmp_path / "manual")


def test_a_wrong_file_is_named_with_both_checksums(tmp_path):
    path = p.write(tmp_path / "manual/20class/SessionL7/t10k-images-idx3-ubyte.gz", b"something else")
    with pytest.raises(DataError, match=f"{path}: SHA-256 is .*, expected 436c9cbb"):
        build("ustc_tfc2016/session_l7", tmp_path / "tfds", tmp_path / "manual")


def test_unknown_configurations_name_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"session_l8 not found.* closely match: .*session_l7"):
        tfds.builder("ustc_tfc2016/session_l8", data_dir=tmp_path)
    with pytest.raises(ConfigError, match="choose one of session, flow"):
        session_builder.SessionConfig(name="x", unit="packet")


def test_a_class_without_sessions_is_told_and_nothing_half_built_is_found(tmp_path):
    p.write(tmp_path / "captures/a/1.pcap", p.pcap([p.ipv4(p.udp(bytes([n]), 1000 + n)) for n in range(80)], 101))
    p.write(tmp_path / "captures/b/1.pcap", p.pcap([p.ipv4(p.udp(b"one"))], 101))
    with pytest.raises(Exception, match="Class b has no session in the"):
        build("labelled_captures/session_l7", tmp_path / "tfds", tmp_path / "captures")
    with pytest.raises(Exception, match="could not find data"):
        tfds.load("labelled_captures/session_l7", data_dir=tmp_path / "tfds", download=False)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interrupted_build_is_not_found(tmp_path, monkeypatch, error):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr(session_pipeline, "build", fail)
    with pytest.raises(type(error)):
        build("labelled_captures/session_masked", tmp_path)
    assert not tfds.builder("labelled_captures/session_masked", data_dir=tmp_path).is_prepared()


def test_published_splits_are_the_published_images(published, tmp_path):
    builder = build("ustc_tfc2016/session_l7", tmp_path, published / "ustc_tfc2016")
    sizes = {name: split.num_examples for name, split in builder.info.splits.items()}
    assert sizes["published_test"] == 13325
    assert sizes["train"] + sizes["validation"] + sizes["test"] == 12922
    found = published_data.sources_below(published / "ustc_tfc2016", "ustc_tfc2016", "l7")
    examples, _ = sources.read_published(found.sources[0])
    built = [
        (example["image"].tobytes(), int(example["label"]))
        for example in tfds.as_numpy(builder.as_dataset(split="published_test"))
    ]
    assert sorted(built) == sorted(zip(map(bytes, examples.images), examples.labels.tolist(), strict=True))


def test_every_listed_file_is_the_one_at_hand(published):
    for name in ("iscx_vpn_nonvpn_2016", "ustc_tfc2016"):
        for path in (published / name).rglob("*ubyte.gz"):
            published_files.check(path, published_files.known_urls(name)[str(path.relative_to(published / name))][1])


def test_metadata_is_json(built):
    assert (
        json.loads((Path(built.data_path) / "metadata.json").read_text())["certificate"]["facts"]["unit"] == "session"
    )
