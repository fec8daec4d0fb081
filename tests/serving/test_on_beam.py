"""Captures labelled on Beam, a capture an element: the same rows as --mode=classify gives."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clgan_tf import models, serving
from clgan_tf.models.classifier import build_classifier

SCRIPT = Path(__file__).parents[2] / "experiments/cluster/classify.py"
TWO_PROCESSES = ("--runner=DirectRunner", "--direct_num_workers=2", "--direct_running_mode=multi_processing")


@pytest.fixture(scope="module")
def classifier(prepared, tmp_path_factory):
    """A small one, not trained."""
    network = models.build(models.LITE, len(prepared.facts.class_names), seed=0)
    path = tmp_path_factory.mktemp("beam") / "classifier.keras"
    build_classifier(network, prepared.facts, prepared.read("train").images).save(path)
    return path


def run(*flags):
    return subprocess.run([sys.executable, SCRIPT, *flags], capture_output=True, text=True, check=False)


def test_two_processes_give_the_rows_of_one_and_name_damaged_captures(classifier, demo_corpus, tmp_path):
    captures = tmp_path / "captures"
    for name in ("Chat", "Email"):
        shutil.copytree(demo_corpus / name, captures / name)
    some = sorted((captures / "Chat").iterdir())[0]
    some.write_bytes(some.read_bytes()[:-5])
    (captures / "no.pcap").write_bytes(b"this is no capture, whatever its name says")
    done = run(f"--classifier={classifier}", f"--captures={captures}", f"--output={tmp_path / 'all'}", *TWO_PROCESSES)
    assert done.returncode == 3, done.stderr
    found = [json.loads(line) for path in tmp_path.glob("all-0*.jsonl") for line in path.read_text().splitlines()]
    loaded = serving.load(classifier)
    expected = list(loaded.classify(sorted(captures.glob("*/*.pcap*"))))
    order = ("capture", "first_time", "source_port")

    def key(row):
        return [row[name] for name in order]

    assert sorted(map(key, found)) == sorted(map(key, expected))
    assert {row["label"] for row in found} == {row["label"] for row in expected}
    warnings = "".join(path.read_text() for path in tmp_path.glob("all-warnings-*.txt"))
    assert "ends inside a packet" in warnings
    assert "no.pcap" in warnings
    assert f"{len(expected):,} sessions of {len(list(captures.rglob('*.pcap*'))):,} captures labelled" in done.stdout
    assert "2 captures were damaged or not readable" in done.stderr


@pytest.mark.parametrize(
    ("classifier_path", "captures", "words"),
    [("no.keras", ".", "no capture in this folder"), ("no.keras", "*.pcap", "no file matches")],
)
def test_what_cannot_be_used_is_one_sentence(classifier_path, captures, words, tmp_path):
    flags = [f"--classifier={classifier_path}", f"--captures={tmp_path / captures}", f"--output={tmp_path / 'all'}"]
    done = run(*flags)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
