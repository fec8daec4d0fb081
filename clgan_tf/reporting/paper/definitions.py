"""The paper's tables: which runs belong to each, and which systems it compares."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from clgan_tf.models import ON_BYTES
from clgan_tf.reporting.paper.runs import ISCX, REPRESENTATIONS, SEMI_SUPERVISED, SYSTEMS, USTC

POOL = 8000  # unlabelled sessions in tables 3 to 5
HEADLINE = 1000  # labels in the pictures
SUPERVISED = ("clgan", "cnn_lstm", *ON_BYTES)
AGAINST_SUPERVISED = f"labelled sessions, {POOL:,} unlabelled: CLGAN and supervised learning"
NOT_SERVED = (
    "USTC-TFC2016's published tenth cannot serve the paper's 4,000 labels a class: that row is not filled in. "
    f"Where the labels leave fewer than {POOL:,} sessions, all that are left are the pool."
)


def by_share(runs: pd.DataFrame) -> pd.Series:
    """Runs whose budget is a share of the training sessions."""
    return runs.unit == "fraction"


def at_headline(runs: pd.DataFrame) -> pd.Series:
    """Runs with HEADLINE labels in all."""
    return (runs.unit == "total") & (runs.labels == HEADLINE)


def with_pool(runs: pd.DataFrame) -> pd.Series:
    """Runs with a number of labels and POOL unlabelled sessions."""
    return ~by_share(runs) & (runs.asked == POOL)


@dataclass(frozen=True)
class Table:
    """One of the paper's tables. holds: which runs it takes, of its data set and systems."""

    number: int
    subject: str
    source_kind: str
    systems: tuple[str, ...]
    holds: Callable[[pd.DataFrame], pd.Series]
    note: str = ""

    def of(self, runs: pd.DataFrame) -> pd.DataFrame:
        """Its runs."""
        ours = (runs.source_kind == self.source_kind) & runs.model.isin(self.systems)
        return runs[ours & runs.representation.isin(REPRESENTATIONS) & self.holds(runs)]


TABLES = (
    Table(1, "share of labelled sessions, the rest unlabelled", ISCX, SYSTEMS, by_share),
    Table(2, f"unlabelled sessions, {HEADLINE:,} labelled", ISCX, SYSTEMS, at_headline),
    Table(
        number=3,
        subject=f"labelled sessions, {POOL:,} unlabelled: semi-supervised systems",
        source_kind=USTC,
        systems=(*SEMI_SUPERVISED, *ON_BYTES),
        holds=with_pool,
        note=NOT_SERVED,
    ),
    Table(4, AGAINST_SUPERVISED, ISCX, SUPERVISED, with_pool),
    Table(5, AGAINST_SUPERVISED, USTC, SUPERVISED, with_pool, NOT_SERVED),
)
