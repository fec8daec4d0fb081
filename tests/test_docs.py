"""Every command that README and docs/ show is run as it stands there, with a shorter training, or elsewhere by name."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from clgan_tf.main import main
from clgan_tf.training import byte_phases

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ORDER = ("README", "labels", "unknown", "audit", "export", "report", "commands")  # later ones use what others leave
SHORT = ["--pretraining_epochs=1", "--finetuning_epochs=1", "--width=16"]
# Part of a command -> where it is run instead, or why it is not.
ELSEWHERE = {
    "--interface=eth0": "tests/serving/test_stream.py, on the loopback interface",
    "--captures=- |": "tests/serving/test_stream.py, through a pipe",
    "--dataset=labelled_captures/session_packets": "tests/datasets/test_builders.py",
    "--sweep=experiments/sweeps/paper.toml": "tests/test_experiments.py reads it; it takes hours",
    "--results=runs/sweeps/paper/results.jsonl": "tests/test_experiments.py, of the committed results",
}


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a page, without what they are indented by."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", path.read_text(), re.MULTILINE | re.DOTALL)
    return [
        "\n".join(line.removeprefix(indent) for line in text.splitlines())
        for indent, of, text in found
        if of == language
    ]


def commands() -> list[str]:
    """All of clgan_tf, without prompts, joined where a backslash continues them."""
    pages = sorted(PAGES, key=lambda path: (*ORDER, path.stem).index(path.stem))
    lines = [line for path in pages for block in blocks(path, "") for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if re.search(r"-m clgan_tf\.main|^clgan-tf ", line)]


@pytest.mark.documented
def test_every_command_does_what_it_is_shown_for(demo_corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(byte_phases, "STEPS_PER_EPOCH", 2)
    (tmp_path / "captures").symlink_to(demo_corpus)
    for name in ("new.pcap", "today.pcap"):
        (tmp_path / name).symlink_to(demo_corpus / "unseen.pcap")
    ran, left = [], set()
    for command in commands():
        if elsewhere := [part for part in ELSEWHERE if part in command]:
            left |= set(elsewhere)
            continue
        _, _, given = command.partition("clgan_tf.main ")
        arguments = shlex.split(given, comments=True)
        training = SHORT if re.search("--mode=(train|pretrain)", given) else []
        if "--mode=pretrain" in given:
            training = [flag for flag in SHORT if "finetuning" not in flag]
        if "shipped" in given:
            training = [flag for flag in training if "width" not in flag]  # That trunk has the usual one.
        assert main([*arguments, *training]) == 0, capsys.readouterr().err
        ran.append(re.search(r"--mode=(\w+)", given)[1])
    assert left == set(ELSEWHERE)  # Nothing stands there that no page shows any more.
    assert set(ran) == {"train", "classify", "pretrain", "suggest", "audit", "export"}
    for written in ("runs/mine/run/report.html", "labels.jsonl", "todo.csv", "traffic.onnx", "traffic.tflite"):
        assert (tmp_path / written).stat().st_size
    (snippet,) = blocks(ROOT / "README.md", "python")
    rng = np.random.default_rng(0)
    names = {"X": rng.integers(0, 256, (60, 784)), "y": np.repeat([0, 1, -1], 20)}
    exec(snippet, names)
    assert names["probabilities"].shape == (len(names["sessions"]), 12)
    assert names["model"].classes_.tolist() == [0, 1]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_to_files(path):
    for link in re.findall(r"\]\(\s*([^)#\s]+)[^)]*\)", path.read_text()):
        assert link.startswith("http") or (path.parent / link).exists(), link


def test_readme_stays_short_and_prose_narrow():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
    for path in (*PAGES, ROOT / "BUILD_NOTES.md"):
        prose = [line for line in path.read_text().splitlines() if not line.startswith(("|", "tfds "))]
        assert max(map(len, prose)) <= 120, path
