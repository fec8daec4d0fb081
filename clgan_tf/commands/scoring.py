"""The scores of a trained run on a split, written and printed."""

from dataclasses import replace

import numpy as np

from clgan_tf import evaluation, serving
from clgan_tf.data.dataset import Dataset
from clgan_tf.data.examples import Examples
from clgan_tf.evaluation.explanation import explain
from clgan_tf.reporting import run_page
from clgan_tf.reporting.results import write_results
from clgan_tf.reporting.tables import choice_text, circumstances, classes_table, reliability_text, systems_table
from clgan_tf.runs.directory import RunDirectory
from clgan_tf.runs.result import RunResult
from clgan_tf.training.run import Trained
from clgan_tf.training.tensorboard import write_projection

MOST_PROJECTED = 2_000  # sessions: what a browser moves smoothly


def score(trained: Trained, dataset: Dataset, split: str, explains: bool = True) -> RunResult:
    """Reads the split, once, and writes the scores and everything about them into the run directory.

    explains: writes the run's page too, which shows what its model goes by.
    """
    scored, class_names = dataset.read(split), dataset.facts.class_names
    name = trained.result.model
    own, others = trained.systems[name], {other: one for other, one in trained.systems.items() if other != name}
    given = own.predict(scored.images)  # Once: the page is made of it too.
    scores = {name: own.scores(given, scored.labels, class_names)}
    scores |= evaluation.evaluate(others, scored, class_names)
    result = replace(trained.result, systems={**trained.result.systems, **scores})
    if explains:
        seed, saved = result.settings.seed, trained.run.classifier
        classifier = serving.load(saved) if saved.exists() else None
        model = classifier.model if classifier else None
        explanation = explain(own, given, scored, dataset.read("train"), dataset.facts, seed, model)
        if classifier:
            _project(trained.run, classifier, scored, seed)
        write_results(trained.run, result, dataset, explanation)
    else:
        write_results(trained.run, result)
    return result


def print_results(result: RunResult, run: RunDirectory, classifier_run: RunDirectory) -> None:
    """Prints a run's scores and where its files are; `classifier_run` has the classifier."""
    print(circumstances(result))
    print()
    print(systems_table([result]))
    print()
    print(classes_table(result.scores))
    print()
    for text in filter(None, (choice_text(result), reliability_text(result.scores))):
        print(text)
    if (run.path / run_page.PAGE).exists():
        print(f"Report: {run.path / run_page.PAGE}")
    print(f"Confusion matrix: {run.path / 'confusion_matrix.png'} (and .csv)")
    print(f"TensorBoard: tensorboard --logdir={run.tensorboard}")
    if classifier_run.classifier.exists():
        print(f"Classifier: {classifier_run.classifier}")


def _project(run: RunDirectory, classifier: serving.Classifier, scored: Examples, seed: int) -> None:
    """Shows what the classifier makes of the scored sessions in TensorBoard's projector."""
    shown = scored[np.sort(np.random.default_rng(seed).permutation(len(scored))[:MOST_PROJECTED])]
    features = classifier.features(shown.images)
    write_projection(run.tensorboard / "test", features, [classifier.class_names[label] for label in shown.labels])
