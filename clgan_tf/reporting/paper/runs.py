"""The rows of sweeps as runs of one kind, refused where unlike ones would be averaged or set beside each other."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from clgan_tf.common.errors import DataError
from clgan_tf.models import NETWORKS, ON_BYTES, WITH_TRUNK
from clgan_tf.reporting.paper.published import CNN_LSTM
from clgan_tf.runs.result import RunResult
from clgan_tf.sweeps.results import Cell, Row

LABELS_ONLY = (CNN_LSTM, *(name for name in ON_BYTES if name not in ("self_trained_forest", "label_spreading")))
OF_THE_PAPERS_KIND = tuple(name for name in NETWORKS if name not in WITH_TRUNK)  # one setting for all of them


@dataclass(frozen=True)
class Run:
    """One row of a sweep, as tables and pictures ask for it."""

    row: Row

    @property
    def cell(self) -> Cell:
        """Its place in the sweep's grid."""
        return self.row.cell

    @property
    def result(self) -> RunResult:
        """What came of it."""
        return self.row.result

    @property
    def model(self) -> str:
        """The system."""
        return self.cell.model

    @property
    def source_kind(self) -> str:
        """Which data set."""
        return self.result.data.source_kind

    @property
    def representation(self) -> str:
        """Which bytes of a session."""
        return self.result.data.representation

    @property
    def unit(self) -> str:
        """Of the labels."""
        return self.result.labels.unit

    @property
    def has_pool(self) -> bool:
        """Whether the system uses unlabelled sessions."""
        return self.model not in LABELS_ONLY

    @property
    def steps(self) -> int:
        """Of phase 1, whose epoch goes once through the unlabelled sessions."""
        settings = self.result.settings
        return settings.pretraining_epochs * max(1, self.result.labels.unlabelled // settings.batch_size)

    def measure(self, name: str) -> float:
        """One of its scores, in [0, 1]."""
        return getattr(self.result.scores, name)


def runs_of(rows: list[Row]) -> list[Run]:
    """A run for each row.

    Raises:
      DataError: two rows are of one cell, or rows of one data set have other data or settings.
    """
    runs = [Run(row) for row in rows]
    frame = pd.DataFrame({"run": runs})
    for name in ("source_kind", "representation", "unit", "model"):
        frame[name] = [getattr(run, name) for run in runs]
    for name in ("labels", "unlabelled", "seed"):
        frame[name] = [getattr(run.cell, name) for run in runs]
    frame["made_of"] = [(run.result.data.recipe, run.result.data.fingerprint) for run in runs]
    frame["settings"] = [tuple(shared_settings(run).values()) for run in runs]
    data, budget = ["source_kind", "representation"], ["unit", "labels", "unlabelled"]
    alike = frame[frame.model.isin(OF_THE_PAPERS_KIND)]  # The others know none of the settings.
    _refuse(
        frame[frame.duplicated([*data, *budget, "model", "seed"])], "is there twice; give each sweep's results once"
    )
    _refuse(
        frame[frame.made_of != frame.groupby(data).made_of.transform("first")],
        "is of other data than the rows before it; report on one at a time",
    )
    _refuse(
        alike[alike.settings != alike.groupby([*data, *budget]).settings.transform("first")],
        "has other settings than its group; report on one sweep at a time",
    )
    return runs


def shared_settings(run: Run) -> dict[str, Any]:
    """The settings that all networks of a group have in common."""
    names = (
        *("batch_size", "pretraining_epochs", "learning_rate", "generator_loss"),
        *("finetuning_epochs", "finetuning_learning_rate", "patience"),
    )
    return {name: getattr(run.result.settings, name) for name in names}


def _refuse(unlike: pd.DataFrame, what: str) -> None:
    for run in unlike.run:
        cell = run.cell
        name = f"{cell.model} on {cell.data}, {cell.labels:g} labels {run.unit}, seed {cell.seed}"
        raise DataError(f"--results: {name} {what}.")
