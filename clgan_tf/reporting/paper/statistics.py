"""Means, spreads and differences over runs, as texts of tables."""

from collections.abc import Iterable

import pandas as pd

from clgan_tf.models import title
from clgan_tf.reporting.paper.definitions import with_pool
from clgan_tf.reporting.paper.runs import DATA_NAMES, REPRESENTATIONS, SEMI_SUPERVISED, SYSTEMS
from clgan_tf.reporting.tables import COLUMNS, per_cent

CLAIMS = (  # of the paper's abstract: text, difference, beside which system, at which numbers of labels
    ("CLGAN over CNN-LSTM at 2,000 labelled sessions", "about +3", "cnn_lstm", (2000,)),
    ("CLGAN over DCGAN at every number of labelled sessions", "about +4", "dcgan", None),
)


def by_data(runs: pd.DataFrame) -> Iterable[tuple[str, str, pd.DataFrame]]:
    """Source, representation and runs of every data set that has any, in the report's order."""
    for source_kind in DATA_NAMES:
        for representation in REPRESENTATIONS:
            ours = runs[(runs.source_kind == source_kind) & (runs.representation == representation)]
            if len(ours):
                yield source_kind, representation, ours


def by_budget(runs: pd.DataFrame, systems: Iterable[str]) -> list[list[str]]:
    """Rows of a table: groups of equal budget; in each a row for every system that has run, the best in bold."""
    rows = []
    ordered = runs.sort_values(["count", "asked"], kind="stable")
    for (labelled, _), group in ordered.groupby(["labelled", "asked"], sort=False):
        of_system = {name: group[group.model == name].sort_values("seed") for name in systems}
        of_system = {name: ours for name, ours in of_system.items() if len(ours)}
        texts = {name: [per_cent(ours[column].tolist()) for column in COLUMNS] for name, ours in of_system.items()}
        best = [max(_leading(text) for text in column) for column in zip(*texts.values(), strict=True)]
        for name, ours in of_system.items():
            pool, steps = (f"{ours[column].iloc[0]:,}" for column in ("pool", "steps"))
            cells = [
                f"**{text}**" if _leading(text) == top else text for text, top in zip(texts[name], best, strict=True)
            ]
            if name not in SEMI_SUPERVISED:
                pool = steps = "none"
            rows.append([str(labelled), pool, steps, title(name), *cells, ", ".join(map(str, ours.seed))])
    return rows


def _leading(text: str) -> float:
    return float(text.split()[0])


def claims(runs: pd.DataFrame) -> list[list[str]]:
    """Rows of a table: differences of accuracy between runs of the same seed, where the abstract names one."""
    rows = []
    for text, stated, other, budgets in CLAIMS:
        for source_kind, representation, of_data in by_data(runs):
            ours = of_data[with_pool(of_data)]
            gains = _gains(ours, other, ["count", "labelled"])
            if budgets is not None:
                gains = gains[gains["count"].isin(budgets)]
            if len(gains):
                cells = [
                    f"{labelled}: {group.gain.mean():+.1f} ({len(group)})"
                    for (_, labelled), group in gains.groupby(["count", "labelled"])
                ]
                rows.append([text, stated, f"{DATA_NAMES[source_kind]}, {representation}", "; ".join(cells)])
    return rows


def ahead(runs: pd.DataFrame) -> list[list[str]]:
    """Rows of a table: CLGAN beside every other system over all cells of a data set that both have."""
    rows = []
    for source_kind, representation, of_data in by_data(runs):
        for other in SYSTEMS[1:]:
            gains = _gains(of_data, other, ["labelled", *(["asked"] if other in SEMI_SUPERVISED else [])])
            if not len(gains):
                continue
            cells = gains.groupby(["labelled", "asked"], sort=False).gain.mean()
            labelled, asked = tuple(cells.idxmin())  # type: ignore
            rows.append(
                [
                    f"{DATA_NAMES[source_kind]}, {representation}",
                    title(other),
                    f"{(cells > 0).sum()} of {len(cells)}",
                    f"{cells.mean():+.1f}",
                    f"{cells.min():+.1f} at {labelled} / {f'{asked:,}' if asked else 'all'}",
                ]
            )
    return rows


def _gains(runs: pd.DataFrame, other: str, same: list[str]) -> pd.DataFrame:
    """Accuracy of CLGAN less that of another system, in points, a line for each of its runs that has a counterpart."""
    ours, theirs = (runs[runs.model == name] for name in ("clgan", other))
    theirs = theirs.drop_duplicates([*same, "seed"])[[*same, "seed", "accuracy"]]
    gains = ours.merge(theirs, on=[*same, "seed"], suffixes=("", "_other"))
    return gains.assign(gain=100 * (gains.accuracy - gains.accuracy_other))
