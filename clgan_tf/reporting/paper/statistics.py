"""Means over seeds beside the paper's figures, and differences between systems on the same labels."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from clgan_tf.reporting.paper.published import CLGAN, TABLES, Budget, PaperTable


class Beside(NamedTuple):
    """One system in one row of a table: the paper's figure and the mean of ours, both accuracy in per cent."""

    table: PaperTable
    model: str
    budget: Budget
    paper: float
    ours: float


def of_row(runs: pd.DataFrame, table: PaperTable, model: str, budget: Budget) -> pd.DataFrame:
    """The runs of one system in one row of a table, by seed.

    Trees, neighbours and CNN-LSTM use no unlabelled sessions, so that theirs are of any pool.
    """
    ours = runs[(runs.source_kind == table.source_kind) & (runs.unit == table.unit) & (runs.model == model)]
    ours = ours[np.isclose(ours.labels, budget.labels)]
    return ours[~ours.has_pool | (ours.asked == budget.unlabelled)].drop_duplicates("seed").sort_values("seed")


def fits(runs: pd.DataFrame) -> pd.Series:
    """Which runs stand in a row of one of the paper's tables, bool."""
    fitting = pd.Series(False, index=runs.index)
    for table in TABLES:
        for budget in table.budgets:
            for model in runs.model.unique():
                for _, of_data in runs.groupby("representation"):
                    fitting[of_row(of_data, table, model, budget).index] = True
    # Runs that use no unlabelled sessions may be there with several pools, of which a row shows one.
    return fitting


def beside(runs: pd.DataFrame) -> list[Beside]:
    """Every cell of the paper's tables that has runs, of one representation."""
    return [
        Beside(table, model, budget, figures["accuracy"], 100 * float(ours.accuracy.mean()))
        for table in TABLES
        for model, rows in table.rows.items()
        for budget, figures in rows.items()
        if len(ours := of_row(runs, table, model, budget))
    ]


def ahead_by(runs: pd.DataFrame, other: str) -> list[float]:
    """Accuracy of CLGAN less that of another system, in points, for each row of the tables that has both.

    A mean over the seeds that both have, so that both have the same labels.
    """
    points = {}
    for table in TABLES:
        for budget in table.budgets:
            ours, theirs = (of_row(runs, table, model, budget).set_index("seed").accuracy for model in (CLGAN, other))
            if len(differences := (ours - theirs).dropna()):
                points[table.unit, table.source_kind, budget] = 100 * float(differences.mean())
    return list(points.values())
