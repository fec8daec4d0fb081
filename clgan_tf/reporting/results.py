"""What a run leaves behind for people: metrics.json, confusion matrices, curves, model card, TensorBoard."""

import numpy as np

from clgan_tf.capture import REPRESENTATIONS
from clgan_tf.common import typed_json
from clgan_tf.common.files import written_aside
from clgan_tf.data.dataset import Dataset
from clgan_tf.evaluation.explanation import Explanation
from clgan_tf.models import title
from clgan_tf.reporting import figures, run_page
from clgan_tf.reporting.model_card import model_card
from clgan_tf.reporting.tables import COLUMNS
from clgan_tf.runs.directory import RunDirectory
from clgan_tf.runs.log import read_log
from clgan_tf.runs.result import RunResult
from clgan_tf.training.tensorboard import write_result


def write_results(
    run: RunDirectory, result: RunResult, dataset: Dataset | None = None, explanation: Explanation | None = None
) -> None:
    """Writes everything about a finished evaluation into the run directory; given its data set, the page too."""
    class_names = result.data.class_names
    for system, scores in result.systems.items():
        confusion = np.array(scores.confusion)
        is_own = system == result.model
        measured = f"accuracy {scores.accuracy:.1%}, macro-F1 {scores.f1:.1%}"
        heading = f"{title(system)}: {result.settings.score_on} split, {measured}"
        figure = figures.confusion_figure(confusion, class_names, heading)
        write_result(
            run.tensorboard / ("test" if is_own else system),
            run.path.name if is_own else f"{run.path.name}: {title(system)}",
            {**typed_json.builtins(result.settings), "model": system},
            {name: getattr(scores, name) for name in COLUMNS},
            figures.pixels(figure),
        )
        suffix = "" if is_own else f"_{system}"
        figures.save(figure, run.path / f"confusion_matrix{suffix}.png")
        figures.write_confusion_csv(confusion, class_names, run.path / f"confusion_matrix{suffix}.csv")
    if found := result.scores.reliability:
        heading = f"{title(result.model)}: calibration error {found.ece:.1%}"
        figures.save(figures.reliability_figure(found, heading), run.path / "reliability.png")
    if log := read_log(run.metrics_log):
        figures.save(figures.curves_figure(log), run.path / "training_curves.png")
    if dataset is not None:
        of_classes = {name: one.f1 for name, one in result.scores.per_class.items()}
        figures.save(figures.classes_figure(of_classes, result.scores.f1), run.path / "class_scores.png")
        if explanation is not None:
            is_rows = REPRESENTATIONS[result.data.representation].has_a_row_a_packet
            figure = figures.bytes_figure(explanation.worth, explanation.added, is_rows)
            figures.save(figure, run.path / "bytes.png")
        run_page.write(run, result, dataset, explanation)
    with written_aside(run.path / "model_card.md") as aside:
        aside.write_text(model_card(result), encoding="utf-8")
    typed_json.write(run.metrics, result)  # Last: a run that has it is finished.
