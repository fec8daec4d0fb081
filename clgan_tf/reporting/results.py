"""What a run leaves behind for people: metrics.json, confusion matrices, curves, model card, TensorBoard."""

from typing import Any

import numpy as np

from clgan_tf.evaluation.metrics import PAPER_COLUMNS
from clgan_tf.files import write_json, written_aside
from clgan_tf.reporting import figures
from clgan_tf.reporting.model_card import model_card
from clgan_tf.reporting.tables import title
from clgan_tf.run_directory import RunDirectory, read_log
from clgan_tf.training.tensorboard import write_result


def write_results(run: RunDirectory, metrics: dict[str, Any]) -> None:
    """Writes everything about a finished evaluation into the run directory.

    Args:
      metrics: "systems" ({name: scores}, the run's own model first) and the facts of the run; see metrics.json.
    """
    class_names = metrics["data"]["class_names"]
    for number, (system, scores) in enumerate(metrics["systems"].items()):
        confusion = np.array(scores["confusion"])
        suffix = "" if number == 0 else f"_{system}"
        heading = f"{title(system)}: test split, accuracy {scores['accuracy']:.1%}, macro-F1 {scores['f1']:.1%}"
        figure = figures.confusion_figure(confusion, class_names, heading)
        if number == 0:
            write_result(
                run.tensorboard / "test",
                {**metrics["settings"], "seed": metrics["seeds"]["run"]},
                {name: scores[name] for name in PAPER_COLUMNS},
                figures.pixels(figure),
            )
        figures.save(figure, run.path / f"confusion_matrix{suffix}.png")
        figures.write_confusion_csv(confusion, class_names, run.path / f"confusion_matrix{suffix}.csv")
    if rows := read_log(run.metrics_log):
        figures.save(figures.curves_figure(rows), run.path / "training_curves.png")
    with written_aside(run.path / "model_card.md") as aside:
        aside.write_text(model_card(metrics), encoding="utf-8")
    write_json(run.metrics, metrics)  # Last: a run that has it is finished.
