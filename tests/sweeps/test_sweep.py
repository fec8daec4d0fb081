"""A sweep from its file: cells, resuming, and every mistake in the file or the results that is told."""

import json
import shutil
from pathlib import Path

import pytest

from clgan_tf.commands import sweep
from clgan_tf.common import typed_json
from clgan_tf.common.errors import ConfigError
from clgan_tf.main import main
from clgan_tf.reporting import results as run_results
from clgan_tf.runs import directory as run_directory
from clgan_tf.sweeps.file import read_sweep
from clgan_tf.sweeps.results import read_results, write_results
from clgan_tf.training import byte_phases, phases
from clgan_tf.training.trunk import SHIPPED

TRAIN = {"batch_size": 32, "pretraining_epochs": 1, "finetuning_epochs": 1, "labels_unit": "per_class"}


def _toml(values: dict) -> list[str]:
    return [f"{name} = {json.dumps(value)}" for name, value in values.items()]


def write(folder: Path, demo_corpus: Path, **changes) -> Path:
    cells = {"data": ["demo"], "models": ["random_forest", "bytesgan"], "labels": [2, 3], "seeds": [0]} | changes
    lines = [f"directory = {json.dumps(str(folder / 'sweep'))}", "[train]", *_toml(TRAIN)]
    lines += ["[data.demo]", *_toml({"source": str(demo_corpus), "test_fraction": 0.3})]
    lines += ["[[cells]]", *_toml({name: value for name, value in cells.items() if name != "train"})]
    if "train" in cells:
        lines += ["[cells.train]", *_toml(cells["train"])]
    path = folder / "sweep.toml"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def one_row(tmp_path_factory, demo_corpus):
    folder = tmp_path_factory.mktemp("row")
    assert main(["--mode=sweep", f"--sweep={write(folder, demo_corpus, models=['random_forest'], labels=[2])}"]) == 0
    return results(folder)[0]


def interrupted(*_arguments, **_named):
    raise KeyboardInterrupt


def results(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "sweep/results.jsonl").read_text().splitlines()]


def test_cells_of_one_data_set_and_seed_share_a_trunk(tmp_path, demo_corpus, monkeypatch, capsys):
    """It is made once, the way it is made by --mode=pretrain; another way to make it makes another."""
    made = []
    learn = byte_phases.learn_bytes
    monkeypatch.setattr(byte_phases, "learn_bytes", lambda *given: made.append(given[3]) or learn(*given))
    short = {"width": 16}
    monkeypatch.setattr(byte_phases, "STEPS_PER_EPOCH", 2)
    path = write(tmp_path, demo_corpus, models=["clgan_plus"], train=short)
    assert main(["--mode=sweep", f"--sweep={path}"]) == 0
    assert made == [0]
    (trunk,) = (tmp_path / "sweep/trunks").glob("demo_seed0_*/trunk.npz")
    assert [row["result"]["settings"]["init_from"] for row in results(tmp_path)] == [str(trunk)] * 2
    assert not list((tmp_path / "sweep/demo").glob("*/trunk.npz"))
    assert main(["--mode=sweep", f"--sweep={write(tmp_path, demo_corpus, models=['clgan_plus'])}"]) == 2
    assert "with --width=16, not 192" in capsys.readouterr().err
    other = tmp_path / "other"
    other.mkdir()
    _, (first, _) = read_sweep(write(other, demo_corpus, models=["clgan_plus"]))
    assert first.trunk.run_dir.parent == other / "sweep/trunks"
    assert first.trunk.run_dir.name != trunk.parent.name
    _, (of_a_sample, _) = read_sweep(write(other, demo_corpus, models=["clgan_plus"], unlabelled=[50]))
    assert of_a_sample.trunk is None
    begun = write(other, demo_corpus, models=["clgan_plus"], train={"pretrain_from": "shipped"})
    _, (going_on, _) = read_sweep(begun)
    assert going_on.trunk.pretrain_from == SHIPPED
    assert going_on.settings.init_from == going_on.trunk.run_dir / "trunk.npz"
    assert going_on.trunk.run_dir.name != first.trunk.run_dir.name


def test_a_sweep_runs_every_cell_goes_on_where_it_was_killed_and_does_nothing_twice(
    tmp_path, demo_corpus, capsys, monkeypatch
):
    flags = ["--mode=sweep", f"--sweep={write(tmp_path, demo_corpus, unlabelled=[100])}"]
    assert main([*flags, "--dry_run"]) == 0
    assert "4 cells, 0 finished; 4 cells take an unknown time." in capsys.readouterr().out
    assert not (tmp_path / "sweep").exists()

    with monkeypatch.context() as patched:
        patched.setattr(phases, "finetune", interrupted)
        assert main(flags) == 130
    assert [row["cell"]["model"] for row in results(tmp_path)] == ["random_forest", "random_forest"]
    state = tmp_path / "sweep/demo/bytesgan_2_100_seed0/checkpoints/state.npz"
    phase_1 = state.stat().st_mtime_ns
    capsys.readouterr()
    assert main([*flags, "--dry_run"]) == 0
    assert "4 cells, 2 finished; 2 cells take an unknown time." in capsys.readouterr().out
    assert main(flags) == 0
    assert state.stat().st_mtime_ns == phase_1  # The cell went on where it was: no epoch of phase 1 was run again.
    rows = results(tmp_path)
    assert [(row["cell"]["model"], row["cell"]["labels"]) for row in rows] == [
        ("random_forest", 2), ("random_forest", 3), ("bytesgan", 2), ("bytesgan", 3),
    ]  # fmt: skip
    assert [row["result"]["labels"]["count"] for row in rows] == [24, 36, 24, 36]
    assert {row["result"]["labels"]["unlabelled"] for row in rows} == {100}
    assert len({row["result"]["data"]["fingerprint"] for row in rows}) == 1
    assert [row["result"]["labels"]["fingerprint"] for row in rows[:2]] == [
        row["result"]["labels"]["fingerprint"] for row in rows[2:]
    ]
    of_a_gan = {"discriminator_loss", "generator_loss", "labelled_loss"}
    of_a_gan |= {"probability_real", "probability_real_generated"}
    assert [set(row["curves"]) for row in rows] == [set(), set(), of_a_gan, of_a_gan]
    before = (tmp_path / "sweep/results.jsonl").read_bytes()

    def never(*_arguments):
        raise AssertionError("a finished cell was run again")

    monkeypatch.setattr(sweep, "train", never)
    assert main(flags) == 0
    assert (tmp_path / "sweep/results.jsonl").read_bytes() == before
    capsys.readouterr()
    assert main([*flags, "--dry_run"]) == 0
    assert "4 cells, 4 finished; the rest takes about 0 minutes." in capsys.readouterr().out


@pytest.mark.parametrize(("module", "name"), [(run_directory, "environment"), (run_results, "model_card")])
def test_a_cell_killed_at_its_begin_or_end_is_run_again(tmp_path, demo_corpus, monkeypatch, module, name):
    path = write(tmp_path, demo_corpus, models=["random_forest"], labels=[2])
    with monkeypatch.context() as patched:
        patched.setattr(module, name, interrupted)
        assert main(["--mode=sweep", f"--sweep={path}"]) == 130
    assert not (tmp_path / "sweep/results.jsonl").exists()
    assert main(["--mode=sweep", f"--sweep={path}"]) == 0
    assert len(results(tmp_path)) == 1
    assert (tmp_path / "sweep/demo/random_forest_2_all_seed0/model_card.md").exists()
    assert not list((tmp_path / "sweep").glob("**/.*"))


def test_a_cell_that_cannot_be_run_stops_no_other(tmp_path, demo_corpus, capsys):
    path = write(tmp_path, demo_corpus, models=["random_forest"], labels=[9999, 2])
    assert main(["--mode=sweep", f"--sweep={path}"]) == 1
    captured = capsys.readouterr()
    assert "1 of 2 cells finished" in captured.out
    assert "1 cells could not be run" in captured.err
    assert "random_forest_9999_all_seed0: " in captured.err
    assert [row["cell"]["labels"] for row in results(tmp_path)] == [2]


def test_rows_that_the_file_gets_while_a_sweep_runs_stay(tmp_path, demo_corpus, one_row):
    directory, tasks = read_sweep(write(tmp_path, demo_corpus, models=["random_forest"], labels=[2]))
    assert not tasks[0].is_finished
    directory.mkdir()
    (directory / "results.jsonl").write_text(json.dumps(one_row) + "\n")
    write_results(directory, {})
    assert results(tmp_path) == [one_row]


def test_a_sweeps_directory_may_name_a_home_or_a_variable(tmp_path, demo_corpus, monkeypatch):
    path = write(tmp_path, demo_corpus)
    monkeypatch.setenv("SCRATCH", str(tmp_path))
    path.write_text(path.read_text().replace(str(tmp_path / "sweep"), "$SCRATCH/sweep"))
    directory, tasks = read_sweep(path)
    assert directory == tmp_path / "sweep"
    assert tasks[0].settings.run_dir.parent.parent == directory
    monkeypatch.delenv("SCRATCH")
    with pytest.raises(ConfigError, match="names an environment variable that is not set"):
        read_sweep(path)


def test_a_sweep_goes_on_from_its_results_alone_if_the_settings_are_the_same(tmp_path, demo_corpus, capsys):
    changes = {"models": ["random_forest", "nearest_neighbour"], "labels": [2]}
    path = write(tmp_path, demo_corpus, **changes)
    assert main(["--mode=sweep", f"--sweep={path}"]) == 0
    before = results(tmp_path)
    for folder in (tmp_path / "sweep").iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)
    assert main(["--mode=sweep", f"--sweep={path}"]) == 0
    assert results(tmp_path) == before
    assert not (tmp_path / "sweep/demo").exists()
    written = path.read_text()
    # Rows of cells that the sweep no longer has stay; numbers may be written in another way.
    path.write_text(written.replace("labels = [2]", "labels = [2.0]").replace('"random_forest", ', ""))
    assert main(["--mode=sweep", f"--sweep={path}"]) == 0
    assert sorted(map(str, results(tmp_path))) == sorted(map(str, before))
    for old, new, words in (
        ("batch_size = 32", "batch_size = 16", "with --batch_size=32, not 16"),
        ("test_fraction = 0.3", "test_fraction = 0.4", "with --test_fraction=0.3, not 0.4"),
        ("test_fraction = 0.3", 'representation = "l7"', "with --representation=packets, not l7"),
    ):
        path.write_text(written.replace(old, new))
        capsys.readouterr()
        assert main(["--mode=sweep", f"--sweep={path}"]) == 2
        assert words in capsys.readouterr().err
        assert len(results(tmp_path)) == 2


def test_a_finished_run_with_other_settings_or_data_is_not_taken_for_the_cell(tmp_path, demo_corpus):
    path = write(tmp_path, demo_corpus, models=["random_forest"], labels=[2])
    assert main(["--mode=sweep", f"--sweep={path}"]) == 0
    rows = tmp_path / "sweep/results.jsonl"
    row = results(tmp_path)[0]
    rows.unlink()
    assert read_sweep(path)[1][0].is_finished
    written = path.read_text()
    path.write_text(written.replace("test_fraction = 0.3", "test_fraction = 0.4"))
    with pytest.raises(ConfigError, match=r"_seed0 of demo with --test_fraction=0\.3, not 0\.4"):
        read_sweep(path)
    path.write_text(written.replace("batch_size = 32", "batch_size = 16"))
    row["result"]["settings"]["batch_size"] = 16
    for text in ("", json.dumps(row) + "\n"):
        rows.write_text(text)
        with pytest.raises(ConfigError, match="random_forest_2_all_seed0 of demo with --batch_size=32, not 16"):
            read_sweep(path)


def test_a_cell_that_was_begun_with_other_settings_is_told_before_any_runs(tmp_path, demo_corpus, monkeypatch):
    path = write(tmp_path, demo_corpus, models=["random_forest"], labels=[2])
    with monkeypatch.context() as patched:
        patched.setattr(run_results, "model_card", interrupted)
        assert main(["--mode=sweep", f"--sweep={path}"]) == 130
    assert not (tmp_path / "sweep/demo/random_forest_2_all_seed0/metrics.json").exists()
    path.write_text(path.read_text().replace("batch_size = 32", "batch_size = 16"))
    with pytest.raises(ConfigError, match="random_forest_2_all_seed0 of demo with --batch_size=32, not 16"):
        read_sweep(path)


def test_rows_of_an_earlier_recipe_are_not_the_cells(tmp_path, demo_corpus, one_row):
    path = write(tmp_path, demo_corpus, models=["random_forest"], labels=[2])
    target = tmp_path / "sweep/results.jsonl"
    target.parent.mkdir()
    target.write_text(json.dumps(one_row) + "\n")
    assert read_sweep(path)[1][0].is_finished
    one_row = json.loads(json.dumps(one_row))
    one_row["result"]["data"]["recipe"] = 1
    target.write_text(json.dumps(one_row) + "\n")
    assert not read_sweep(path)[1][0].is_finished


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"models": ["clgam"]}, "--model takes clgan"),
        ({"data": ["other"]}, "there is no [data.other]"),
        ({"labels": [2, 2]}, "two cells are the same"),
        ({"epochs": [3]}, "unknown field `epochs` - at `$.cells[0]`"),
        ({"seeds": ["0"]}, "Expected `int`, got `str` - at `$.cells[0].seeds[0]`"),
        ({"labels": ["2"]}, "Expected `float`, got `str` - at `$.cells[0].labels[0]`"),
        ({"unlabelled": [True]}, "Expected `int`, got `bool`"),
        ({"train": {"lables": 3}}, "train knows no lables"),
        ({"train": {"batch_size": "many"}}, "train: Expected `int`, got `str` - at `$.batch_size`"),
        ({"train": {"batch_size": 1}}, "--batch_size must be at least 2, not 1"),
        ({"train": {"labels_unit": "percent"}}, "--labels_unit takes total, per_class, per_class_at_most, fraction"),
        ({"train": {"generator_loss": "hinge"}}, "--generator_loss takes feature_matching, non_saturating"),
        ({"train": {"baselines": ["svm"]}}, "--baselines takes supervised"),
    ],
)
def test_every_cell_is_checked_before_any_runs(tmp_path, demo_corpus, changes, words):
    path = write(tmp_path, demo_corpus, **changes)
    with pytest.raises(ConfigError) as error:
        read_sweep(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = [", "Invalid"),
        ("[data]", "missing required field `directory`"),
        ('directory = "a"\ncells = [3]\n[data]', "Expected `object`, got `int` - at `$.cells[0]`"),
        ('directory = "a"\ncells = []\nflag = []\n[data]', "unknown field `flag`"),
        ('directory = "a"\ncells = []\n[data]\nl7 = ["x"]', "Expected `object`, got `array` - at `$.data[...]`"),
        ('directory = "$NOT_SET/a"\ncells = []\n[data.l7]\nsource = "x"', "directory=$NOT_SET/a names an environment"),
    ],
)
def test_a_file_that_is_no_sweep(tmp_path, text, words, capsys):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    assert main(["--mode=sweep", f"--sweep={path}"]) == 2
    assert words in capsys.readouterr().err
    assert main(["--mode=sweep", "--sweep=/none.toml"]) == 2


def change(row: dict, path: str, value: object) -> dict:
    """A copy of a row with another value at a path such as `result.seconds`; None takes it away."""
    row = json.loads(json.dumps(row))
    *parents, name = path.split(".")
    target = row
    for parent in parents:
        target = target[parent]
    if value is None:
        del target[name]
    else:
        target[name] = value
    return row


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: {"cell": {}},
        lambda row: change(row, "cell", list(row["cell"])),
        lambda row: change(row, "cell.model", "clgan"),
        lambda row: change(row, "result.systems", {}),
        lambda row: change(row, "result.settings", []),
        lambda row: change(row, "result.environment", None),
        lambda row: change(row, "curves", {"generator_loss": ["high"]}),
        lambda row: change(row, "result.seconds", "long"),
        lambda row: change(row, "result.seconds", float("nan")),
        lambda row: change(row, "result.settings.batch_size", 0),
        lambda row: change(row, "curves", {"generator_loss": [10**400]}),
        lambda row: change(row, "result.systems.random_forest.confusion", [[1, 2]]),
        lambda row: change(row, "result.data.class_names", ["a", "b"]),
        lambda row: [row],
    ],
)
def test_a_damaged_row_is_told(tmp_path, demo_corpus, spoil, capsys, one_row):
    path = write(tmp_path, demo_corpus, models=["random_forest"], labels=[2])
    target = tmp_path / "sweep/results.jsonl"
    target.parent.mkdir()
    target.write_text(json.dumps(one_row) + "\n")
    assert [typed_json.builtins(row) for row in read_results(target)] == [one_row]
    for text in (json.dumps(spoil(one_row)), "[" * 100_000, "\0"):
        target.write_text(json.dumps(one_row) + "\n" + text)
        for flags in (["--mode=sweep", f"--sweep={path}"], ["--mode=report", f"--results={target}"]):
            assert main(flags) == 1
            assert "results.jsonl, line 2: not what clgan_tf writes there (" in capsys.readouterr().err
