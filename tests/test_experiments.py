"""What is committed under experiments/ is what its commands take and print."""

import re
from pathlib import Path

import pytest
from absl import flags as absl_flags

from clgan_tf import flags
from clgan_tf.reporting import paper, sweep_report
from clgan_tf.sweeps.file import read_sweep
from clgan_tf.sweeps.results import read_results

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
PAPER = EXPERIMENTS / "results/paper"


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CLGAN_DATA", "published")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.flags")), ids=lambda path: path.stem)
def test_every_flagfile_is_taken(path, empty_folder):
    values = absl_flags.FlagValues()
    flags.define(values)
    flags.parse(values, [f"--flagfile={path}"])
    assert flags.settings_of("train", values).run_dir.parts[0] == "runs"
    flags.settings_of("prepare", values)
    head = path.read_text().partition("--mode")[0]
    assert all(word in head for word in ("clgan_tf.main", "minutes", "cores", "Measured"))


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("sweeps/*.toml")), ids=lambda path: path.stem)
def test_every_committed_row_is_of_a_cell(path, empty_folder):
    _, tasks = read_sweep(path)
    rows = read_results(EXPERIMENTS / "results" / f"{path.stem}.jsonl")  # committed as far as it has run
    assert {row.cell for row in rows} <= {task.cell for task in tasks}


def test_the_committed_report_is_that_of_the_committed_results():
    rows = read_results(EXPERIMENTS / "results/paper.jsonl")
    text, heading, shown = (PAPER / "report.md").read_text(encoding="utf-8").partition("## Pictures\n\n")
    pictures = re.findall(r"(.*)\n\n!\[.*\]\((.*)\)", shown)
    assert text + heading + shown == paper.page(rows, {name: caption for caption, name in pictures})
    assert pictures
    assert all((PAPER / name).exists() for _, name in pictures)


@pytest.mark.parametrize("name", ["lead", "ablation", "last_layer"])
def test_and_so_is_each_page_of_its_own_sweep(name):
    results = EXPERIMENTS / f"results/{name}.jsonl"
    text = (EXPERIMENTS / f"results/{name}.md").read_text(encoding="utf-8")
    shown = [line for line in text.splitlines() if line.startswith("![")]
    pictures = [line[line.rindex("(") + 1 : -1] for line in shown]
    captions = {picture: picture.removeprefix(f"{name}_").removesuffix(".png") for picture in pictures}
    assert text == sweep_report.page(read_results(results), captions)
    assert all((results.parent / picture).exists() for picture in pictures)
