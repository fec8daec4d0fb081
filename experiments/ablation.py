"""What each part of CLGAN+ is worth, from the results of experiments/sweeps/ablation.toml.

    python experiments/ablation.py runs/sweeps/ablation/results.jsonl [--output=experiments/results/ablation]

Writes OUTPUT.md, and the results themselves as OUTPUT.jsonl.
"""

from pathlib import Path

import numpy as np
import sweep_page

from clgan_tf import models
from clgan_tf.reporting import markdown
from clgan_tf.sweeps.results import Row


def f1_of(rows: list[Row], model: str, variant: str) -> dict[int, float]:
    """Macro-F1 in per cent by seed."""
    chosen = (row for row in rows if (row.cell.model, row.cell.variant) == (model, variant))
    return {row.cell.seed: 100 * row.result.systems[model].f1 for row in chosen}


def page(rows: list[Row], _output: Path) -> str:
    """The whole page."""
    usual = f1_of(rows, models.PLUS, "")
    lines = []
    usual_first = sorted(rows, key=lambda row: bool(row.cell.variant))
    for model, variant in dict.fromkeys((row.cell.model, row.cell.variant) for row in usual_first):
        found = f1_of(rows, model, variant)
        both = sorted(found.keys() & usual.keys())
        difference = f"{np.mean([found[seed] - usual[seed] for seed in both]):+.1f}" if both and variant else ""
        accuracy = np.mean(
            [100 * row.result.scores.accuracy for row in rows if (row.cell.model, row.cell.variant) == (model, variant)]
        )
        name = variant.replace("_", " ") if variant else models.title(model)
        seeds = ", ".join(f"{found[seed]:.1f}" for seed in sorted(found))
        lines.append([name, f"{accuracy:.1f}", f"{np.mean(list(found.values())):.1f}", seeds, difference])
    facts, labels = rows[0].result.data, rows[0].result.labels
    about = (
        f"{facts.source_kind}, {facts.representation}, {labels.count} labels in all, scored on the "
        f"{rows[0].result.settings.score_on} split ({facts.sizes['validation']:,} sessions held out of the training "
        f"part); data fingerprint {facts.fingerprint[:16]}. A seed decides labels, weights and order; one differs from "
        "another by one to two points, so that smaller differences mean nothing."
    )
    columns = ["Variant", "Accuracy", "macro-F1", "by seed", "against CLGAN+, same seeds"]
    return "\n\n".join(["# What each part of CLGAN+ is worth", about, markdown.table(columns, lines)]) + "\n"


if __name__ == "__main__":
    sweep_page.main(str(__doc__), "ablation", page)
