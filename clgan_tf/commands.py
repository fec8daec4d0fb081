"""One function a mode: it joins the rooms for one task and tells the user what came of it."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clgan_tf import config, evaluation, serving
from clgan_tf.data import prepare
from clgan_tf.data.dataset import Dataset, open_dataset
from clgan_tf.errors import DataError
from clgan_tf.files import read_json
from clgan_tf.reporting import run_report as side_by_side
from clgan_tf.reporting.results import write_results
from clgan_tf.reporting.tables import circumstances, classes_table, systems_table
from clgan_tf.run_directory import RunDirectory
from clgan_tf.training.run import Trained, train


def run_prepare(settings: config.PrepareConfig) -> Dataset:
    """Makes the data set and prints its table."""
    dataset = prepare.prepare(settings)
    print(prepare.table(dataset))
    return dataset


def run_train(settings: config.TrainConfig, source: config.PrepareConfig | None, flagfile_text: str) -> None:
    """Prepares the data if need be, trains, reads the test split once and prints the systems side by side."""
    if settings.dataset.exists() or source is None:
        dataset = open_dataset(settings.dataset)
    else:
        dataset = run_prepare(source)
    trained = train(settings, dataset, flagfile_text)
    _evaluate(trained, dataset)


def run_evaluate(settings: config.EvaluateConfig) -> None:
    """Scores the run's saved classifier on a data set's test split."""
    run = RunDirectory(settings.run_dir)
    classifier = serving.load(run.classifier)
    dataset = open_dataset(settings.dataset)
    description = dataset.description
    head = classifier.head
    if (description.class_names, description.representation) != (head.class_names, head.representation):
        raise DataError(
            f"{settings.dataset} has {description.representation} images of {', '.join(description.class_names)}; "
            f"{run.classifier} takes {head.representation} of {', '.join(head.class_names)}."
        )
    earlier = read_json(run.metrics)
    if earlier["data"]["fingerprint"] == description.fingerprint:
        print(f"{run.path} was evaluated on this test split before; the scores below are the same reading again.")
    facts = {**earlier, "data": description.facts()}
    name = next(iter(earlier["systems"]))
    systems = {name: lambda images: np.argmax(classifier.predict_bytes(images), axis=1)}
    _evaluate(Trained(run, systems, facts), dataset)


def _evaluate(trained: Trained, dataset: Dataset) -> None:
    test = dataset.read("test")
    scores = evaluation.evaluate(trained.systems, test, dataset.description.class_names)
    earlier = trained.facts.get("systems", {})
    same_data = trained.facts["data"]["fingerprint"] == dataset.description.fingerprint
    metrics = {"systems": {**(earlier if same_data else {}), **scores}, **_without(trained.facts, "systems")}
    write_results(trained.run, metrics)
    print(circumstances(metrics))
    print()
    print(systems_table([metrics]))
    print()
    print(classes_table(next(iter(metrics["systems"].values()))))
    print()
    print(f"Confusion matrix: {trained.run.path / 'confusion_matrix.png'} (and .csv)")
    print(f"TensorBoard: tensorboard --logdir={trained.run.tensorboard}")
    print(f"Classifier: {trained.run.classifier}")


def _without(values: dict, name: str) -> dict:
    return {key: value for key, value in values.items() if key != name}


def run_classify(settings: config.ClassifyConfig) -> None:
    """Labels every session of the captures; the summary goes to standard error, so that rows can be piped."""
    classifier = serving.load(settings.classifier)
    counts: Counter[str] = Counter()

    def counted() -> Iterator[dict]:
        for row in classifier.classify(settings.captures, settings.strict):
            counts[row["label"]] += 1
            yield row

    count = serving.write_rows(counted(), settings.output)
    dropped = ", ".join(f"{reason} {packets:,}" for reason, packets in sorted(classifier.drops.items()))
    for warning in classifier.warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    where = "" if settings.output == "-" else f" to {settings.output}"
    labels = ", ".join(f"{label} {number:,}" for label, number in counts.most_common())
    print(f"{count:,} sessions labelled{where}: {labels}; packets in no session: {dropped or 'none'}.", file=sys.stderr)


def run_report(settings: config.ReportConfig) -> None:
    """Puts runs side by side."""
    runs = side_by_side.find_runs(settings.runs)
    text = side_by_side.report(runs)
    if settings.output == "-":
        print(text, end="")
        return
    for path in side_by_side.write_report(text, runs, settings.output):
        print(f"Written: {Path(path)}")
