"""The results of a sweep: a line of results.jsonl for every finished cell."""

from dataclasses import dataclass
from pathlib import Path

from clgan_tf.common import typed_json
from clgan_tf.common.errors import DataError
from clgan_tf.runs.directory import RunDirectory
from clgan_tf.runs.log import PRETRAINING, read_log
from clgan_tf.runs.result import RunResult, read_result

RESULTS = "results.jsonl"
CURVES = (
    *("discriminator_loss", "generator_loss", "labelled_loss", "reconstruction_loss"),
    *("hidden_byte_loss", "detection_loss", "detection_accuracy", "session_loss"),
    *("probability_real", "probability_real_generated", "probability_real_filled", "val_accuracy"),
)


@dataclass(frozen=True)
class Cell:
    """Where a run stands in a sweep's grid.

    data: name of the data set; unlabelled: at most so many, 0 = all; variant: name of other settings, "" = the sweep's.
    """

    data: str
    model: str
    labels: float
    unlabelled: int
    seed: int
    variant: str = ""


@dataclass(frozen=True)
class Row:
    """A line of results.jsonl. curves: values of phase 1 by epoch, by their names in metrics.jsonl."""

    cell: Cell
    result: RunResult
    curves: dict[str, list[float]]

    def __post_init__(self) -> None:
        if self.result.settings.model != self.cell.model or self.cell.model not in self.result.systems:
            raise ValueError(f"a row of {self.cell.model} without its scores")


def row_of(cell: Cell, run: RunDirectory) -> Row:
    """The row of a finished run. Raises DataError where its files are damaged."""
    log = [epoch.values for epoch in read_log(run.metrics_log) if epoch.phase == PRETRAINING]
    curves = {name: [round(values[name], 4) for values in log] for name in CURVES if log and name in log[0]}
    return Row(cell, read_result(run.metrics), curves)


def read_results(path: Path) -> list[Row]:
    """The rows of a results.jsonl.

    Raises:
      DataError: it is missing or empty, or a line is no row of a sweep.
    """
    try:
        rows = typed_json.read_lines(path, Row)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; give a sweep's {RESULTS}.") from error
    if not rows:
        raise DataError(f"{path}: holds no row; let the sweep finish a cell first.")
    return rows


def known_rows(directory: Path) -> dict[Cell, Row]:
    """The rows of the directory's results.jsonl, if there is one. Raises DataError where it is damaged."""
    path = directory / RESULTS
    rows = read_results(path) if path.exists() and path.stat().st_size else []
    return {row.cell: row for row in rows}


def write_results(directory: Path, finished: dict[Cell, Row]) -> None:
    """Writes results.jsonl anew: a line for every finished cell, in their order, then rows of no cell."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = finished | {cell: row for cell, row in known_rows(directory).items() if cell not in finished}
    typed_json.write_lines(directory / RESULTS, rows.values())
