"""CLGAN+ against all baselines: tables and curves of macro-F1 from the results of a sweep.

    python experiments/lead.py runs/sweeps/lead/results.jsonl [--output=experiments/results/lead]

Writes OUTPUT.md, a curve for each data set beside it, and the results themselves as OUTPUT.jsonl.
"""

from pathlib import Path

import numpy as np
import sweep_page

from clgan_tf import models
from clgan_tf.reporting import figures, markdown
from clgan_tf.reporting.tables import split_text
from clgan_tf.runs.result import Scores
from clgan_tf.sweeps.results import Row

Found = dict[str, dict[float, dict[int, Scores]]]  # title -> labels -> seed -> scores


def title(row: Row) -> str:
    """Of a system, or of another way to begin CLGAN+."""
    return models.title(row.cell.model) + (f", {row.cell.variant.replace('_', ' ')}" if row.cell.variant else "")


def scores_of(rows: list[Row], data: str) -> Found:
    """All scores on one data set, CLGAN+ first, then other ways to begin it, then the other systems."""
    found: Found = {models.title(models.PLUS): {}}
    found |= {title(row): {} for row in rows if row.cell.model == models.PLUS}
    found |= {models.title(system): {} for system in models.ON_BYTES}
    for row in sorted(rows, key=lambda row: (row.cell.labels, row.cell.seed)):
        if row.cell.data == data:
            found[title(row)].setdefault(row.cell.labels, {})[row.cell.seed] = row.result.systems[row.cell.model]
    return {system: budgets for system, budgets in found.items() if budgets}


def cell(seeds: dict[int, Scores]) -> str:
    """Accuracy / macro-F1 ± standard deviation (seeds), in per cent."""
    if not seeds:
        return ""
    accuracy, f1 = (100 * np.array([getattr(one, name) for one in seeds.values()]) for name in ("accuracy", "f1"))
    spread = f" ± {f1.std(ddof=1):.1f}" if len(f1) > 1 else ""
    return f"{accuracy.mean():.1f} / {f1.mean():.1f}{spread} ({len(f1)})"


def ahead(found: Found, labels: float) -> str:
    """Points of macro-F1 by which CLGAN+ is ahead of the best of all others, over the seeds that both have."""
    plus = models.title(models.PLUS)
    ours = found[plus].get(labels, {})
    differences = {}
    for system, budgets in found.items():
        both = ours.keys() & budgets.get(labels, {}).keys()
        if both and not system.startswith(plus):
            differences[system] = float(np.mean([100 * (ours[seed].f1 - budgets[labels][seed].f1) for seed in both]))
    if not differences:
        return ""
    best = min(differences, key=lambda system: differences[system])
    return f"{differences[best]:+.1f} ({best})"


def section(rows: list[Row], data: str) -> str:
    """The table of one data set, with what it must be read with."""
    scores = scores_of(rows, data)
    budgets = sorted({labels for found in scores.values() for labels in found})
    lines = [[name, *(cell(of_system.get(labels, {})) for labels in budgets)] for name, of_system in scores.items()]
    lines.append(["CLGAN+ ahead of the best other by", *(ahead(scores, labels) for labels in budgets)])
    facts = next(row.result.data for row in rows if row.cell.data == data)
    seconds = [row.result.seconds for row in rows if row.cell.data == data and row.cell.model == models.PLUS]
    commits = sorted({row.result.environment.commit[:7] for row in rows if row.cell.data == data})
    about = (
        f"{facts.source_kind}, {facts.representation} v{facts.representation_version}; "
        f"split {split_text(facts.split)} (train {facts.sizes['train']:,}, test {facts.sizes['test']:,}); "
        f"data fingerprint {facts.fingerprint[:16]}, recipe {facts.recipe}; commit {', '.join(commits)}; "
        f"phase 2 of CLGAN+ takes {np.median(seconds) / 60:.1f} minutes (median) on one core."
    )
    columns = ["System", *(f"{labels:,.0f} labels" for labels in budgets)]
    return "\n".join([f"## {data}", "", about, "", markdown.table(columns, lines), ""])


def page(rows: list[Row], output: Path) -> str:
    """The whole page; draws the curve of each data set beside it."""
    parts = [
        "# CLGAN+ against trees, neighbours and what learns from unlabelled sessions too",
        "",
        "From `experiments/sweeps/lead.toml` by `experiments/lead.py`. Accuracy / macro-F1 ± standard deviation over",
        "seeds (how many), in per cent, on the test split, which each run reads once. Labels are all that a run sees;",
        "all other training sessions are there without theirs. Settings were chosen on validation sessions of USTC.",
        "With 3,000 labels and more, phase 2 of CLGAN+ has 12 epochs instead of 3.",
        "",
    ]
    for data in dict.fromkeys(row.cell.data for row in rows):
        facts = next(row.result.data for row in rows if row.cell.data == data)
        name = f"{facts.source_kind}, {facts.representation}"
        picture = output.with_name(f"{output.name}_{data}.png")
        usual = [row for row in rows if not row.cell.variant]
        curves = {
            system: {labels: [one.f1 for one in seeds.values()] for labels, seeds in found.items()}
            for system, found in scores_of(usual, data).items()
        }
        dashed = [models.title(system) for system in models.ON_BYTES]
        figures.save(figures.labels_figure(curves, dashed, name, "macro-F1"), picture)
        parts += [section(rows, data), f"![{data}]({picture.name})", ""]
    return "\n".join(parts)


if __name__ == "__main__":
    sweep_page.main(str(__doc__), "lead", page)
