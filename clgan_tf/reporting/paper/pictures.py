"""The report's pictures: accuracy against labels, and the paper's figures 4 to 6."""

import numpy as np
import pandas as pd

from clgan_tf.models import ON_BYTES, title
from clgan_tf.reporting import figures
from clgan_tf.reporting.paper.definitions import HEADLINE, POOL, at_headline, with_pool
from clgan_tf.reporting.paper.runs import DATA_NAMES, SEMI_SUPERVISED, SYSTEMS
from clgan_tf.reporting.paper.statistics import by_data

PICTURED = ("clgan", "dcgan")  # figures 5 and 6


def pictures(runs: pd.DataFrame, stem: str) -> dict[str, tuple[figures.Figure, str]]:
    """Figures and captions by file name."""
    drawn: dict[str, tuple[figures.Figure, str]] = {}
    for source_kind, representation, of_data in by_data(runs):
        data = f"{DATA_NAMES[source_kind]}, {representation}"
        prefix = f"{stem}-{source_kind.split('_')[0]}-{representation}"
        curves = _by_labels(of_data)
        if max(len(points) for points in curves.values()) > 1:
            drawn[f"{prefix}-labels.png"] = (
                figures.labels_figure(curves, [title(system) for system in ON_BYTES], data),
                f"Accuracy against labelled sessions, {data}; bands: one standard deviation over seeds.",
            )
        headline = of_data[at_headline(of_data) & with_pool(of_data)].sort_values("seed")
        first = headline.drop_duplicates("model").set_index("model").row
        at = f"{data}; {HEADLINE:,} labelled, {POOL:,} unlabelled"
        losses = {title(model): first[model].curves for model in SEMI_SUPERVISED if model in first}
        losses = {name: curves for name, curves in losses.items() if len(curves) > 1}
        if losses:
            drawn[f"{prefix}-losses.png"] = (
                figures.losses_figure(losses),
                f"The paper's figure 4: losses of phase 1, {at}; below them, who wins.",
            )
        for number, model in enumerate(PICTURED, 5):
            if model in first:
                result = first[model].result
                heading = f"{title(model)}, {data}: accuracy {result.scores.accuracy:.1%}"
                drawn[f"{prefix}-confusion-{model}.png"] = (
                    figures.confusion_figure(np.array(result.scores.confusion), result.data.class_names, heading),
                    f"The paper's figure {number}: {title(model)}, {at}, seed {result.settings.seed}.",
                )
    return drawn


def _by_labels(runs: pd.DataFrame) -> dict[str, dict[float, list[float]]]:
    """System -> labelled sessions -> accuracies of its seeds."""
    ours = runs[with_pool(runs) & (runs.unit == "total")].sort_values("labels", kind="stable")
    return {
        title(system): {
            float(labels): group.accuracy.tolist()  # type: ignore[arg-type]
            for labels, group in ours[ours.model == system].groupby("labels", sort=False)
        }
        for system in SYSTEMS
    }
