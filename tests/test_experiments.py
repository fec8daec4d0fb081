"""What is committed under experiments/ is what its commands take and print."""

import shutil
from pathlib import Path

import pytest
from absl import flags as absl_flags

from clgan_tf import config, sweep
from clgan_tf.reporting import comparison

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
SWEEPS = sorted(EXPERIMENTS.glob("sweeps/*.toml"))
PAPER = EXPERIMENTS / "results/paper"


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CLGAN_DATA", "published")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.flags")), ids=lambda path: path.stem)
def test_every_flagfile_is_taken(path, empty_folder):
    values = absl_flags.FlagValues()
    config.define_flags(values)
    assert config.parse(values, [f"--flagfile={path}"]) == []
    assert config.train_config(values).run_dir.parts[0] == "runs"
    config.prepare_config(values)


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_committed_row_is_of_a_cell_with_its_settings(path, empty_folder):
    directory, _ = sweep.read_sweep(path)
    directory.mkdir(parents=True)
    shutil.copy(PAPER / f"{path.stem}.jsonl", directory / sweep.RESULTS)
    _, cells = sweep.read_sweep(path)  # refuses rows of other settings or data
    assert sum(cell.is_finished for cell in cells) == len(sweep.known_rows(directory))


def test_the_committed_report_is_that_of_the_committed_results():
    rows = [row for path in SWEEPS for row in sweep.read_results(PAPER / f"{path.stem}.jsonl")]
    text, _, pictures = (PAPER / "report.md").read_text(encoding="utf-8").partition("## Pictures")
    assert text == comparison.page(rows)[:-1] + "\n\n"
    assert all((PAPER / line[line.rindex("(") + 1 : -1]).exists() for line in pictures.splitlines() if "![" in line)
