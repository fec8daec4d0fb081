"""Any sweep's own page: every system against every label budget, and a curve of macro-F1 for each data set."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd

from clgan_tf import models
from clgan_tf.common.errors import DataError
from clgan_tf.reporting import figures, markdown, web_page
from clgan_tf.reporting.tables import per_cent, split_text
from clgan_tf.runs.result import RunResult
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


SYSTEM = ["model", "variant"]  # a row of the tables
BUDGET = ["unit", "labels", "unlabelled"]  # a column


def page(rows: list[Row], captions: Mapping[str, str] | None = None) -> str:
    """The page as Markdown; `captions`: the data set of each picture, by file name.

    Raises:
      DataError: rows do not go together, see `table_of`.
    """
    sections = ["# Systems against label budgets", INTRODUCTION.format(split=_split(rows))]
    pictures = {data: name for name, data in (captions or {}).items()}
    for data in dict.fromkeys(row.cell.data for row in rows):
        scores = table_of(rows, data)
        results = [row.result for row in rows if row.cell.data == data]
        written = [f"## {data}", _circumstances(results), _scores(scores), _differences(scores)]
        sections += [section.replace("[", "\\[") for section in written if section]  # Nothing becomes a link.
        if data in pictures:
            sections.append(f"![macro-F1 by labels]({quote(pictures[data])})")
    return "\n\n".join(sections) + "\n"


def write(rows: list[Row], target: Path) -> list[Path]:
    """Writes the page as FILE.md, its pictures beside it, and FILE.html, which holds them; returns what was written."""
    drawn = {}
    for data in dict.fromkeys(row.cell.data for row in rows):
        scores = table_of(rows, data)
        if len(scores.groupby(BUDGET)) > 1:
            facts = next(row.result.data for row in rows if row.cell.data == data)
            title = f"{facts.source_kind}, {facts.representation}"
            drawn[f"{target.stem}_{data}.png"] = _picture(scores, title, _split(rows)), data
    return web_page.write(page(rows, {name: data for name, (_, data) in drawn.items()}), drawn, target)


def table_of(rows: list[Row], data: str) -> pd.DataFrame:
    """All scores on one data set: SYSTEM, BUDGET, seed, accuracy and f1, a line a run.

    Systems are in the registry's order, ways to train one ("" = the usual one) behind it.

    Raises:
      DataError: two rows are of one cell, or rows are of other data than the first.
    """
    order = list(models.SYSTEMS)
    ours = [row for row in rows if row.cell.data == data]
    ours.sort(key=lambda row: (order.index(row.cell.model), bool(row.cell.variant)))
    scores = pd.DataFrame(
        [
            {
                **{"model": row.cell.model, "variant": row.cell.variant, "unit": row.result.labels.unit},
                **{"labels": row.cell.labels, "unlabelled": row.cell.unlabelled, "seed": row.cell.seed},
                **{"accuracy": row.result.scores.accuracy, "f1": row.result.scores.f1},
            }
            for row in ours
        ]
    )
    kinds = pd.Series([(row.result.data.recipe, row.result.data.fingerprint) for row in ours])
    for unlike, what in (
        (scores.duplicated([*SYSTEM, *BUDGET, "seed"]), "is there twice; give each sweep's results once"),
        (kinds != kinds[0], "is of other data than the rows before it; report on one at a time"),
    ):
        for one in scores[unlike].itertuples():
            where = f"{_system(one.model, one.variant)} on {data}, {_budget(one.unit, one.labels, one.unlabelled)}"
            raise DataError(f"--results: {where}, seed {one.seed} {what}.")
    return scores


def _system(model: str, variant: str) -> str:
    return models.title(model) + (f", {variant.replace('_', ' ')}" if variant else "")


def _budget(unit: str, labels: float, unlabelled: int) -> str:
    return LABELS[unit].format(labels) + (f", {unlabelled:,} unlabelled" if unlabelled else "")


def _circumstances(results: list[RunResult]) -> str:
    """What a data set's figures must be read with."""
    facts = results[0].data
    sizes = ", ".join(f"{name} {size:,}" for name, size in facts.sizes.items() if size)
    commits = sorted({result.environment.short_commit for result in results})
    minutes: dict[str, list[float]] = {}
    for result in results:
        minutes.setdefault(models.title(result.model), []).append(result.seconds / 60)
    times = ", ".join(f"{name} {np.median(values):.1f}" for name, values in minutes.items())
    return (
        f"{facts.source_kind}, {facts.representation} v{facts.representation_version}, {facts.unit}s; split "
        f"{split_text(facts.split)} ({sizes}); data fingerprint {facts.fingerprint[:16]}, recipe {facts.recipe}; "
        f"commits {', '.join(commits)}. Minutes a run (median), without a trunk that several runs share: {times}."
    )


def _scores(scores: pd.DataFrame) -> str:
    cells = scores.groupby([*SYSTEM, *BUDGET], sort=False)
    summary = cells.agg(f1=("f1", "mean"), seeds=("seed", "size"))
    summary["text"] = [
        f"{100 * runs.accuracy.mean():.1f} / {per_cent(runs.f1.tolist())} ({len(runs)})" for _, runs in cells
    ]
    with_most = summary[summary.seeds == summary.groupby(BUDGET).seeds.transform("max")]
    best = with_most.index[with_most.f1 == with_most.groupby(BUDGET).f1.transform("max")]
    summary.loc[best, "text"] = "**" + summary.text[best] + "**"
    lines = {_system(*one): of_one.text.droplevel(SYSTEM) for one, of_one in summary.groupby(SYSTEM, sort=False)}
    return _by_budget("System", lines, scores)


def _differences(scores: pd.DataFrame) -> str:
    """Of the first system against each other one, and of each way to train one against the usual way."""
    f1 = scores.pivot(index=[*BUDGET, "seed"], columns=SYSTEM, values="f1")
    first, *others = scores[SYSTEM].drop_duplicates().itertuples(index=False, name=None)
    pairs = [(first, other) for other in others if not other[1]]
    pairs += [(one, (one[0], "")) for one in (first, *others) if one[1] and (one[0], "") in f1]
    lines = {}
    for one, other in pairs:
        points = (100 * (f1[one] - f1[other])).dropna().groupby(BUDGET).agg(["mean", "size"])
        texts = [f"{mean:+.1f} ({size})" for mean, size in points.itertuples(index=False)]
        lines[f"{_system(*one)} less {_system(*other)}"] = pd.Series(texts, points.index, dtype=object)
    return _by_budget("Points of macro-F1, on seeds of both", lines, scores)


def _by_budget(what: str, lines: dict[str, pd.Series], scores: pd.DataFrame) -> str:
    """A table with a column for every label budget of `scores`; `lines`: texts by budget."""
    budgets = scores.groupby(BUDGET).size().index
    texts = [[name, *of_line.reindex(budgets, fill_value="")] for name, of_line in lines.items()]
    return markdown.table([what, *(_budget(*budget) for budget in budgets)], texts)


def _split(rows: list[Row]) -> str:
    return " or ".join(sorted({row.result.settings.score_on for row in rows}))


def _picture(scores: pd.DataFrame, title: str, split: str) -> figures.Figure:
    """Of the usual ways, and of the most common unit and pool of unlabelled sessions."""
    cells = scores.drop_duplicates([*SYSTEM, *BUDGET])
    unit, unlabelled = cells.groupby(["unit", "unlabelled"]).size().idxmax()
    drawn = scores[(scores.variant == "") & (scores.unit == unit) & (scores.unlabelled == unlabelled)]
    curves = {
        models.title(model): {labels: f1.tolist() for labels, f1 in runs.groupby("labels").f1}
        for model, runs in drawn.groupby("model", sort=False)
    }
    dashed = [models.title(name) for name in models.ON_BYTES]
    return figures.labels_figure(curves, dashed, title, "macro-F1", split)
