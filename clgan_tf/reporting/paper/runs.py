"""The rows of sweeps as one pandas table, refused where unlike runs would be averaged or set beside each other."""

from typing import Any

import pandas as pd

from clgan_tf.common.errors import DataError
from clgan_tf.models import NETWORKS, ON_BYTES, WITH_TRUNK
from clgan_tf.reporting.paper.published import CNN_LSTM
from clgan_tf.sweeps.results import Row

LABELS_ONLY = (CNN_LSTM, *(name for name in ON_BYTES if name not in ("self_trained_forest", "label_spreading")))
OF_THE_PAPERS_KIND = tuple(name for name in NETWORKS if name not in WITH_TRUNK)  # one setting for all of them


def frame(rows: list[Row]) -> pd.DataFrame:
    """A line a run.

    Columns: source_kind, representation, unit, labels (as asked for), count (labels), asked (at most so many
    unlabelled; 0 = all), has_pool (uses unlabelled sessions), pool (how many), steps (of phase 1), model, seed,
    accuracy, precision, recall, f1, minutes, row.

    Raises:
      DataError: two rows are of one cell, or rows of one data set have other data or settings.
    """
    table = pd.DataFrame([_line(row) for row in rows])
    cell = ["source_kind", "representation", "unit", "labels", "asked", "model", "seed"]
    if (twice := table.duplicated(cell)).any():
        raise DataError(f"--results: {_name(table[twice].iloc[0].row)} is there twice; give each sweep's results once.")
    for _, group in table.groupby(["source_kind", "representation"], sort=False):
        _refuse_others(
            group.row,
            lambda row: (row.result.data.recipe, row.result.data.fingerprint),
            "is of other data than the rows before it; report on one at a time",
        )
    of_networks = table[table.model.isin(OF_THE_PAPERS_KIND)]  # The others know none of the settings.
    for _, group in of_networks.groupby(["source_kind", "representation", "unit", "labels", "asked"], sort=False):
        what = "has other settings than its group; report on one sweep at a time"
        _refuse_others(group.row, shared_settings, what)
    return table


def shared_settings(row: Row) -> dict[str, Any]:
    """The settings that all networks of a group have in common."""
    names = (
        *("batch_size", "pretraining_epochs", "learning_rate", "generator_loss"),
        *("finetuning_epochs", "finetuning_learning_rate", "patience"),
    )
    return {name: getattr(row.result.settings, name) for name in names}


def _line(row: Row) -> dict[str, Any]:
    result, labels, settings = row.result, row.result.labels, row.result.settings
    has_pool = row.cell.model not in LABELS_ONLY
    return {
        "source_kind": result.data.source_kind,
        "representation": result.data.representation,
        "unit": labels.unit,
        "labels": row.cell.labels,
        "count": labels.count,
        "asked": row.cell.unlabelled,
        "has_pool": has_pool,
        "pool": labels.unlabelled if has_pool else 0,
        "steps": settings.pretraining_epochs * max(1, labels.unlabelled // settings.batch_size) if has_pool else 0,
        "model": row.cell.model,
        "seed": row.cell.seed,
        **{name: getattr(result.scores, name) for name in ("accuracy", "precision", "recall", "f1")},
        "minutes": result.seconds / 60,
        "row": row,
    }


def _refuse_others(rows: pd.Series, of: Any, what: str) -> None:
    first = of(rows.iloc[0])
    for row in rows:
        if of(row) != first:
            raise DataError(f"--results: {_name(row)} {what}.")


def _name(row: Row) -> str:
    cell, unit = row.cell, row.result.labels.unit
    return f"{cell.model} on {cell.data}, {cell.labels:g} labels {unit}, seed {cell.seed}"
