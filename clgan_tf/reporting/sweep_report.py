"""Any sweep's own page: every system against every label budget, and a curve of macro-F1 for each data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np

from clgan_tf import models
from clgan_tf.common.errors import DataError
from clgan_tf.reporting import figures, markdown, web_page
from clgan_tf.reporting.tables import per_cent, split_text
from clgan_tf.runs.result import RunResult, Scores
from clgan_tf.sweeps.results import Row

INTRODUCTION = """\
Made by `python -m clgan_tf.main --mode=report --results=...` from the results of `--mode=sweep`. Accuracy / macro-F1 ±
standard deviation over seeds (how many), in per cent, on the {split} split, which each run reads once. Labels are all
that a run sees, those for early stopping too; all other training sessions are there without theirs. With one seed all
systems have the same labels. The best macro-F1 of those with a column's most seeds is bold; a difference below about
two points over few seeds is no evidence."""

LABELS = {
    "total": "{:,.0f} labels",
    "per_class": "{:,.0f} a class",
    "per_class_at_most": "at most {:,.0f} a class",
    "fraction": "{:.0%} of the labels",
}


class System(NamedTuple):
    """A row of the tables. variant: of another way to train it, "" = the usual one."""

    model: str
    variant: str

    @property
    def title(self) -> str:
        """As people read it."""
        return models.title(self.model) + (f", {self.variant.replace('_', ' ')}" if self.variant else "")


class Budget(NamedTuple):
    """A column of the tables. unlabelled: at most so many, 0 = all."""

    unit: str
    labels: float
    unlabelled: int

    @property
    def title(self) -> str:
        """As people read it."""
        of_these = f", {self.unlabelled:,} unlabelled" if self.unlabelled else ""
        return LABELS[self.unit].format(self.labels) + of_these


BySeed = dict[int, Scores]
Table = dict[System, dict[Budget, BySeed]]


def page(rows: list[Row], captions: Mapping[str, str] | None = None) -> str:
    """The page as Markdown; `captions`: the data set of each picture, by file name.

    Raises:
      DataError: rows do not go together, see `table_of`.
    """
    split = " or ".join(sorted({row.result.settings.score_on for row in rows}))
    sections = ["# Systems against label budgets", INTRODUCTION.format(split=split)]
    pictures = {data: name for name, data in (captions or {}).items()}
    for data in dict.fromkeys(row.cell.data for row in rows):
        table = table_of(rows, data)
        results = [row.result for row in rows if row.cell.data == data]
        written = [f"## {data}", _circumstances(results), _scores(table), _differences(table)]
        sections += [section.replace("[", "\\[") for section in written if section]  # Nothing becomes a link.
        if data in pictures:
            sections.append(f"![macro-F1 by labels]({quote(pictures[data])})")
    return "\n\n".join(sections) + "\n"


def write(rows: list[Row], target: Path) -> list[Path]:
    """Writes the page as FILE.md, its pictures beside it, and FILE.html, which holds them; returns what was written."""
    drawn = {}
    for data in dict.fromkeys(row.cell.data for row in rows):
        table = table_of(rows, data)
        if len(_budgets(table)) > 1:
            facts = next(row.result.data for row in rows if row.cell.data == data)
            title = f"{facts.source_kind}, {facts.representation}"
            drawn[f"{target.stem}_{data}.png"] = _picture(table, title), data
    return web_page.write(page(rows, {name: data for name, (_, data) in drawn.items()}), drawn, target)


def table_of(rows: list[Row], data: str) -> Table:
    """All scores on one data set; systems in the registry's order, ways to train one behind it.

    Raises:
      DataError: two rows are of one cell, or rows are of other data than the first.
    """
    order = list(models.SYSTEMS)
    ours = [row for row in rows if row.cell.data == data]
    table: Table = {}
    for row in sorted(ours, key=lambda row: (order.index(row.cell.model), bool(row.cell.variant))):
        system = System(row.cell.model, row.cell.variant)
        budget = Budget(row.result.labels.unit, row.cell.labels, row.cell.unlabelled)
        seeds = table.setdefault(system, {}).setdefault(budget, {})
        what = f"--results: {system.title} on {data}, {budget.title}, seed {row.cell.seed}"
        if row.cell.seed in seeds:
            raise DataError(f"{what} is there twice; give each sweep's results once.")
        of_first, of_this = ((one.result.data.recipe, one.result.data.fingerprint) for one in (ours[0], row))
        if of_first != of_this:
            raise DataError(f"{what} is of other data than the rows before it; report on one at a time.")
        seeds[row.cell.seed] = row.result.scores
    return table


def _budgets(table: Table) -> list[Budget]:
    return sorted({budget for columns in table.values() for budget in columns})


def _circumstances(results: list[RunResult]) -> str:
    """What a data set's figures must be read with."""
    facts = results[0].data
    sizes = ", ".join(f"{name} {size:,}" for name, size in facts.sizes.items() if size)
    commits = sorted({(result.environment.commit or "unknown")[:7] for result in results})
    minutes: dict[str, list[float]] = {}
    for result in results:
        minutes.setdefault(models.title(result.model), []).append(result.seconds / 60)
    times = ", ".join(f"{name} {np.median(values):.1f}" for name, values in minutes.items())
    return (
        f"{facts.source_kind}, {facts.representation} v{facts.representation_version}, {facts.unit}s; split "
        f"{split_text(facts.split)} ({sizes}); data fingerprint {facts.fingerprint[:16]}, recipe {facts.recipe}; "
        f"commits {', '.join(commits)}. Minutes a run (median), without a trunk that several runs share: {times}."
    )


def _scores(table: Table) -> str:
    budgets = _budgets(table)
    most = {budget: max(len(columns.get(budget, {})) for columns in table.values()) for budget in budgets}
    best = {
        budget: max(
            _mean_f1(columns[budget]) for columns in table.values() if len(columns.get(budget, {})) == most[budget]
        )
        for budget in budgets
    }
    lines = []
    for system, columns in table.items():
        line = [system.title]
        for budget in budgets:
            seeds = columns.get(budget, {})
            accuracy = per_cent([float(np.mean([one.accuracy for one in seeds.values()]))]) if seeds else ""
            text = f"{accuracy} / {per_cent([one.f1 for one in seeds.values()])} ({len(seeds)})" if seeds else ""
            line.append(f"**{text}**" if len(seeds) == most[budget] and _mean_f1(seeds) == best[budget] else text)
        lines.append(line)
    return markdown.table(["System", *(budget.title for budget in budgets)], lines)


def _mean_f1(seeds: BySeed) -> float:
    return float(np.mean([one.f1 for one in seeds.values()]))


def _differences(table: Table) -> str:
    """Of the first system against each other one, and of each way to train one against the usual way."""
    first, budgets = next(iter(table)), _budgets(table)
    pairs = [(first, other) for other in table if other != first and not other.variant]
    pairs += [(one, System(one.model, "")) for one in table if one.variant and System(one.model, "") in table]
    lines = []
    for one, other in pairs:
        cells = (_difference(table[one].get(budget, {}), table[other].get(budget, {})) for budget in budgets)
        lines.append([f"{one.title} less {other.title}", *cells])
    return markdown.table(["Points of macro-F1, on seeds of both", *(budget.title for budget in budgets)], lines)


def _difference(ones: BySeed, others: BySeed) -> str:
    points = [100 * (ones[seed].f1 - others[seed].f1) for seed in ones.keys() & others.keys()]
    return f"{np.mean(points):+.1f} ({len(points)})" if points else ""


def _picture(table: Table, title: str) -> figures.Figure:
    """Of the usual ways, and of the most common unit and pool of unlabelled sessions."""
    kinds = [(budget.unit, budget.unlabelled) for columns in table.values() for budget in columns]
    kind = max(dict.fromkeys(kinds), key=kinds.count)
    curves = {
        system.title: {
            budget.labels: [one.f1 for one in seeds.values()]
            for budget, seeds in sorted(columns.items())
            if (budget.unit, budget.unlabelled) == kind
        }
        for system, columns in table.items()
        if not system.variant
    }
    dashed = [models.title(name) for name in models.ON_BYTES]
    return figures.labels_figure(curves, dashed, title, "macro-F1")
