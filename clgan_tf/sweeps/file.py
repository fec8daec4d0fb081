"""The file of a sweep: many runs from one TOML file, each in its own run directory, their results in one file.

It names data sets and grids of cells; what stands under `train` and in a data set are settings, by their names on the
command line:

    directory = "runs/sweeps/table3"      # of run directories and results.jsonl

    [train]                               # for every cell
    batch_size = 64

    [data.l7]                             # one for each representation or data set
    source = "$CLGAN_DATA/ustc_tfc2016"
    source_kind = "ustc_tfc2016"
    representation = "l7"

    [[cells]]                             # the product of all lists
    data = ["l7"]
    models = ["clgan", "random_forest"]
    labels = [100, 1000]
    unlabelled = [8000]                   # optional; 0 = all
    seeds = [0, 1, 2]
    train = { labels_unit = "total" }     # optional
    variant = "total"                     # optional: names cells that differ in `train` alone

A data set is prepared once, in DIRECTORY/data/NAME, and shared; so is the trunk of CLGAN+, in DIRECTORY/trunks, by all
cells of one data set, seed and way to make it. Labelled subsets are nested for a seed. A cell is
finished if its run directory is, or if DIRECTORY/results.jsonl has it: a sweep goes on from that file alone, on another
machine too. Rows of that file which are of no cell, or of data that an earlier recipe made, are not the cell's.
"""

import itertools
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import msgspec

from clgan_tf import models
from clgan_tf.common import typed_json
from clgan_tf.common.errors import ConfigError
from clgan_tf.common.setting import expanded, leaves, nested
from clgan_tf.data import recipe
from clgan_tf.data.prepare import differing_flag
from clgan_tf.runs.directory import RunDirectory, TrainedOn, differing_setting
from clgan_tf.settings import PrepareSettings, PretrainSettings, TrainSettings
from clgan_tf.sweeps.results import RESULTS, Cell, Row, known_rows, row_of

TRUNKS = "trunks"


class Grid(msgspec.Struct, forbid_unknown_fields=True):
    """A [[cells]] table: lists, whose product are cells."""

    data: list[str]
    models: list[str]
    labels: list[float]
    seeds: list[int]
    unlabelled: list[int] = msgspec.field(default_factory=lambda: [0])
    train: dict[str, Any] = msgspec.field(default_factory=dict)
    variant: str = ""

    def cells(self) -> list[Cell]:
        """The product, in the file's order."""
        product = itertools.product(self.data, self.models, self.labels, self.unlabelled, self.seeds)
        return [Cell(*values, self.variant) for values in product]


class SweepFile(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file."""

    directory: str
    data: dict[str, dict[str, Any]]
    cells: list[Grid]
    train: dict[str, Any] = msgspec.field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """One cell with its settings and its source.

    trunk: how the trunk is made that it shares, if it does; earlier: its row in results.jsonl.
    """

    cell: Cell
    settings: TrainSettings
    source: PrepareSettings
    trunk: PretrainSettings | None = None
    earlier: Row | None = field(default=None, compare=False)

    @property
    def run(self) -> RunDirectory:
        """The cell's run directory."""
        return RunDirectory(self.settings.run_dir)

    @property
    def is_finished(self) -> bool:
        """Whether its results are there."""
        return self.run.metrics.exists() or self.earlier is not None

    def row(self) -> Row:
        """Its line of results.jsonl, once it is finished."""
        if self.earlier is not None and not self.run.metrics.exists():
            return self.earlier
        return row_of(self.cell, self.run)


def read_sweep(path: Path) -> tuple[Path, list[Task]]:
    """The sweep's directory and its cells, in the file's order; every setting is checked before anything runs.

    Raises:
      ConfigError: the file is missing or no TOML, a key, value or setting in it is wrong, or a cell was run otherwise
        before.
      DataError: there is a results.jsonl, which is damaged.
    """
    try:
        sweep = msgspec.toml.decode(path.read_bytes(), type=SweepFile)
        directory = expanded("directory", sweep.directory)
        tasks = [_task(directory, cell, sweep, grid) for grid in sweep.cells for cell in grid.cells()]
    except OSError as error:
        raise ConfigError(f"--sweep={path}: {error.strerror}.") from error
    except (UnicodeDecodeError, msgspec.DecodeError, ConfigError) as error:
        raise ConfigError(f"--sweep={path}: {error}") from error
    if len({task.settings.run_dir for task in tasks}) < len(tasks):
        raise ConfigError(f"--sweep={path}: two cells are the same.")
    rows = {cell: row for cell, row in known_rows(directory).items() if row.result.data.recipe == recipe.VERSION}
    tasks = [replace(task, earlier=rows.get(task.cell)) for task in tasks]
    for task in tasks:
        _refuse_other_settings(task, directory)
    return directory, tasks


def _task(directory: Path, cell: Cell, sweep: SweepFile, grid: Grid) -> Task:
    name = f"{cell.model}_{cell.labels:g}_{cell.unlabelled or 'all'}_seed{cell.seed}"
    name += f"_{cell.variant}" if cell.variant else ""
    run_dir, dataset = directory / cell.data / name, directory / "data" / cell.data
    if cell.data not in sweep.data:
        raise ConfigError(f"there is no [data.{cell.data}].")
    given = {
        **sweep.train,
        **grid.train,
        **{"model": cell.model, "labels": cell.labels, "unlabelled": cell.unlabelled, "seed": cell.seed},
        **{"dataset": str(dataset), "run_dir": str(run_dir), "resume": RunDirectory(run_dir).flagfile.exists()},
    }
    try:
        settings = _made(TrainSettings, given, "train")
        models.check(settings.model, settings.baselines, settings.generator_loss)
        trunk = _shared_trunk(settings, directory / TRUNKS, cell)
        if trunk:
            settings = replace(settings, init_from=RunDirectory(trunk.run_dir).trunk, pretrain_from=None)
        source = _made(PrepareSettings, {**sweep.data[cell.data], "dataset": str(dataset)}, f"data.{cell.data}")
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error
    return Task(cell, settings, source, trunk)


def _shared_trunk(settings: TrainSettings, trunks: Path, cell: Cell) -> PretrainSettings | None:
    """How a cell's trunk is made, if it has one that others can share: that of a sample of sessions is its own."""
    if (
        settings.model not in models.WITH_TRUNK
        or settings.init_from
        or cell.unlabelled
        or not settings.pretraining_epochs
    ):
        return None
    inherited = {known.name: getattr(settings, known.name) for known in fields(PretrainSettings)}
    made = PretrainSettings(**{**inherited, "run_dir": trunks, "resume": False})
    return replace(made, run_dir=trunks / f"{cell.data}_seed{cell.seed}_{made.fingerprint()}")


def _made(kind: type, values: dict[str, Any], where: str) -> Any:
    """Settings from a table. Raises ConfigError where a key is none of theirs or a value is of another type."""
    if unknown := set(values) - {known.name for known, _ in leaves(kind)}:
        raise ConfigError(f"{where} knows no {', '.join(sorted(unknown))}.")
    try:
        return typed_json.convert(nested(values, kind), kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}") from error


def _refuse_other_settings(task: Task, directory: Path) -> None:
    """Raises ConfigError where the cell is there already, with other settings or of other data."""
    earlier = []
    if task.earlier is not None:
        earlier.append((directory / RESULTS, task.earlier.result.settings, task.earlier.result.data))
    if task.run.config.exists():  # It may only have been begun.
        begun = typed_json.read(task.run.config, TrainSettings), typed_json.read(task.run.data, TrainedOn).data
        earlier.append((task.run.path, *begun))
    for where, settings, data in earlier:
        if difference := differing_flag(data, task.source) or differing_setting(settings, task.settings):
            flag, then, now = difference
            raise ConfigError(
                f"{where} has {task.run.path.name} of {task.cell.data} with --{flag}={then}, not {now}; "
                "give the sweep another directory, or move that away."
            )
