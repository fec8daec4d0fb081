"""The report's pictures: accuracy against labels, the paper's beside ours, and the paper's figures 4 to 6."""

import numpy as np

from clgan_tf.models import ON_BYTES, SYSTEMS, WITH_TRUNK, title
from clgan_tf.reporting import figures
from clgan_tf.reporting.paper.published import CLGAN, DATA_NAMES, DCGAN, ISCX, TABLES, Budget, PaperTable
from clgan_tf.reporting.paper.runs import Run
from clgan_tf.reporting.paper.statistics import of_row

# The paper does not say which runs its figures 4 to 6 are of: these are of the first rows of tables 2 and 1.
LOSSES_OF, CONFUSION_OF = Budget(1000, 4000), Budget(0.1, 0)
CURVES = [table for table in TABLES if table.number in (4, 5) and table.unit == "total"]


def pictures(runs: list[Run], stem: str) -> dict[str, tuple[figures.Figure, str]]:
    """Figures and captions by file name."""
    drawn: dict[str, tuple[figures.Figure, str]] = {}
    for representation in sorted({run.representation for run in runs}):
        of_data = [run for run in runs if run.representation == representation]
        for table in CURVES:
            curves = _by_labels(of_data, table)
            if max((len(points) for points in curves.values()), default=0) > 1:
                data = f"{DATA_NAMES[table.source_kind]}, {representation}"
                stated = {title(model): _stated(table, model) for model in table.rows}
                dashed = [title(system) for system in ON_BYTES]
                drawn[f"{stem}-{table.source_kind.split('_')[0]}-{representation}-labels.png"] = (
                    figures.labels_figure(curves, dashed, data, stated=stated),
                    f"Accuracy against labelled sessions, {data}; dotted: the paper's figures.",
                )
        drawn |= _figures_4_to_6(of_data, f"{stem}-iscx-{representation}", f"{DATA_NAMES[ISCX]}, {representation}")
    return drawn


def _figures_4_to_6(runs: list[Run], prefix: str, data: str) -> dict[str, tuple[figures.Figure, str]]:
    drawn = {}
    losses = {}
    for model in SYSTEMS:
        ours = of_row(runs, TABLES[1], model, LOSSES_OF)
        if ours and len(ours[0].row.curves) > 1 and model not in WITH_TRUNK:
            losses[title(model)] = ours[0].row.curves
    if losses:
        caption = f"The paper's figure 4: losses of phase 1, {data}, 1,000 labelled, 4,000 unlabelled; below, who wins."
        drawn[f"{prefix}-losses.png"] = figures.losses_figure(losses), caption
    for number, model in enumerate((CLGAN, DCGAN), 5):
        ours = of_row(runs, TABLES[0], model, CONFUSION_OF)
        if ours:
            result = ours[0].result
            heading = f"{title(model)}, {data}: accuracy {result.scores.accuracy:.1%}"
            drawn[f"{prefix}-confusion-{model}.png"] = (
                figures.confusion_figure(np.array(result.scores.confusion), result.data.class_names, heading),
                f"The paper's figure {number}: {title(model)}, {data}, 10 % labelled, seed {result.settings.seed}.",
            )
    return drawn


def _by_labels(runs: list[Run], table: PaperTable) -> dict[str, dict[float, list[float]]]:
    """System -> labelled sessions -> accuracies of its seeds, of systems that have run on a row of the table."""
    curves: dict[str, dict[float, list[float]]] = {}
    for system in SYSTEMS:
        for budget in table.budgets:
            ours = of_row(runs, table, system, budget)
            if ours:
                accuracies = [run.measure("accuracy") for run in ours]
                curves.setdefault(title(system), {})[budget.labels] = accuracies
    return curves


def _stated(table: PaperTable, model: str) -> dict[float, list[float]]:
    return {budget.labels: [figures["accuracy"] / 100] for budget, figures in table.rows[model].items()}
