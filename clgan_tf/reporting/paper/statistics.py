"""Our runs in the rows of the paper's tables, and differences between systems on the same labels."""

from typing import NamedTuple

import numpy as np

from clgan_tf.reporting.paper.published import CLGAN, TABLES, Budget, PaperTable
from clgan_tf.reporting.paper.runs import Run


class Beside(NamedTuple):
    """One system in one row of a table: the paper's figure and the mean of ours, both accuracy in per cent."""

    model: str
    paper: float
    ours: float


def of_row(runs: list[Run], table: PaperTable, model: str, budget: Budget) -> list[Run]:
    """The runs of one system in one row of a table, by seed; `runs`: of one representation.

    Trees, neighbours and CNN-LSTM use no unlabelled sessions, so that theirs are of any pool.
    """
    ours = {
        run.cell.seed: run
        for run in reversed(runs)
        if run.model == model
        and run.source_kind == table.source_kind
        and run.unit == table.unit
        and run.cell.labels == budget.labels
        and (run.cell.unlabelled == budget.unlabelled or not run.has_pool)
    }
    return [ours[seed] for seed in sorted(ours)]


def fits(run: Run) -> bool:
    """Whether it stands in a row of one of the paper's tables."""
    return any(of_row([run], table, run.model, budget) for table in TABLES for budget in table.budgets)


def beside(runs: list[Run]) -> list[Beside]:
    """Every cell of the paper's tables that has runs; `runs`: of one representation."""
    return [
        Beside(model, figures["accuracy"], 100 * float(np.mean([run.measure("accuracy") for run in ours])))
        for table in TABLES
        for model, rows in table.rows.items()
        for budget, figures in rows.items()
        if (ours := of_row(runs, table, model, budget))
    ]


def ahead_by(runs: list[Run], other: str) -> list[float]:
    """Accuracy of CLGAN less that of another system, in points, for each row of the tables that has both.

    A mean over the seeds that both have, so that both have the same labels; `runs`: of one representation.
    """
    points = {}
    for table in TABLES:
        for budget in table.budgets:
            ours, theirs = (
                {run.cell.seed: run.measure("accuracy") for run in of_row(runs, table, model, budget)}
                for model in (CLGAN, other)
            )
            if both := ours.keys() & theirs.keys():
                difference = float(np.mean([ours[seed] - theirs[seed] for seed in both]))
                points[table.unit, table.source_kind, budget] = 100 * difference
    return list(points.values())


def stated_ahead_by(other: str) -> list[float]:
    """The same of the paper's own figures, for each row that its tables have of both."""
    of_number = {table.number: table for table in reversed(TABLES)}  # a table that is read in two ways counts once
    return [
        table.rows[CLGAN][budget]["accuracy"] - figures["accuracy"]
        for table in of_number.values()
        for budget, figures in table.rows.get(other, {}).items()
    ]
