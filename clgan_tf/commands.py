"""One function a mode: it joins the rooms for one task and tells the user what came of it.

Those that read captures return the warnings about them, which they have printed.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from clgan_tf import config, evaluation, progress, serving, sweep
from clgan_tf.capture.sources import find
from clgan_tf.data import prepare
from clgan_tf.data.dataset import Dataset
from clgan_tf.data.examples import Examples
from clgan_tf.data.registered import open_any
from clgan_tf.errors import DataError, UserError
from clgan_tf.evaluation import audit
from clgan_tf.reporting import audit_report, comparison
from clgan_tf.reporting import run_report as side_by_side
from clgan_tf.reporting.results import write_results
from clgan_tf.reporting.tables import circumstances, classes_table, systems_table
from clgan_tf.run_directory import RunDirectory, read_metrics
from clgan_tf.training.run import Trained, train

OWN_SPLITS = ("train", "validation", "test")


def run_prepare(settings: config.PrepareConfig) -> list[str]:
    """Makes the data set and prints its table; a resumed run keeps the data set it has."""
    return _prepared(settings)[1]


def _prepared(settings: config.PrepareConfig) -> tuple[Dataset, list[str]]:
    if settings.resume and settings.dataset.exists():
        return _matching(open_any(settings.dataset), settings), []
    dataset = prepare.prepare(settings)
    print(prepare.table(dataset))
    return dataset, [warning for row in dataset.description.captures for warning in row["warnings"]]


def run_train(settings: config.TrainConfig, source: config.PrepareConfig | None, flagfile_text: str) -> list[str]:
    """Prepares the data if need be, trains, reads the test split once and prints the systems side by side."""
    if settings.resume and RunDirectory(settings.run_dir).metrics.exists():
        print(f"{settings.run_dir} is finished: there is nothing to resume.")
        return []
    dataset, warnings = _dataset(settings.dataset, source)
    trained = train(settings, dataset, flagfile_text)
    _print_results(_score(trained, dataset), trained.run, trained.run)
    return warnings


def run_sweep(settings: config.SweepConfig) -> list[str]:
    """Runs a sweep's cells, those that are not finished, and writes results.jsonl after each.

    Raises:
      DataError: a cell could not be run, for a reason that is the user's; all others were.
    """
    directory, cells = sweep.read_sweep(settings.sweep)
    if settings.dry_run:
        print(sweep.plan(cells))
        return []
    warnings, failures = [], []
    with progress.bar("Sweep", len(cells), " cells") as bar:
        for cell in cells:
            if not cell.is_finished:
                bar.set_postfix_str(cell.settings.run_dir.name)
                try:
                    dataset, found = _dataset(cell.settings.dataset, cell.source)
                    warnings += found
                    _score(train(cell.settings, dataset, cell.flagfile_text), dataset)
                except UserError as error:
                    failures.append(f"{cell.run.path}: {error}")
                sweep.write_results(directory, cells)
            bar.update()
    sweep.write_results(directory, cells)
    print(f"{len(cells) - len(failures)} of {len(cells)} cells finished: {directory / sweep.RESULTS}")
    if failures:
        raise DataError("\n".join([f"{len(failures)} cells could not be run.", *failures]))
    return warnings


def _dataset(path: Path, source: config.PrepareConfig | None) -> tuple[Dataset, list[str]]:
    """The data set, which is prepared if it is not there and a source is given; and the warnings of preparing it."""
    if source is None:
        return open_any(path), []
    if path.exists():
        return _matching(open_any(path), source), []
    return _prepared(source)


def _matching(dataset: Dataset, source: config.PrepareConfig) -> Dataset:
    """The data set, if it was prepared as the flags say. Raises DataError where it was not."""
    if differing := prepare.differing_flag(dataset.description.facts(), source):
        flag, found, wanted = differing
        raise DataError(
            f"{dataset.directory} was prepared with --{flag}={found}, not {wanted}; give another --dataset, "
            "or leave --source out to use it as it is."
        )
    return dataset


def run_audit(settings: config.AuditConfig) -> list[str]:
    """How much groups of header fields alone tell, and what splits share; written as JSON and as a picture."""
    dataset = open_any(settings.dataset)
    description = dataset.description
    own = {split: dataset.read(split) for split in OWN_SPLITS}
    published = {split: dataset.read(split) for split in description.sizes if split.startswith("published_")}
    findings = audit.audit(Examples.concatenate(list(own.values())), description.representation)
    overlaps = {", ".join(splits): audit.overlap(splits) for splits in (own, published) if splits}
    count = sum(map(len, own.values()))
    print(f"{settings.dataset}: {count:,} labelled sessions, fingerprint {description.fingerprint[:16]}")
    print()
    print(audit_report.table(findings, overlaps))
    path = Path("runs/audits") / f"{description.fingerprint[:16]}.json"
    path = path if settings.output == "-" else Path(settings.output)
    for written in audit_report.write(findings, overlaps, description.facts(), path):
        print(f"Written: {written}")
    return []


def run_evaluate(settings: config.EvaluateConfig) -> None:
    """Scores the run's saved classifier on a data set's test split.

    On the run's own data set the run's files are written again; for another one they go to a folder
    `evaluations/FINGERPRINT` in the run directory.
    """
    run = RunDirectory(settings.run_dir)
    classifier = serving.load(run.classifier)
    dataset = open_any(settings.dataset)
    description, head = dataset.description, classifier.head
    has, takes = (
        f"{one.representation} v{one.representation_version} {one.unit}s of {', '.join(one.class_names)}"
        for one in (description, head)
    )
    if has != takes:
        raise DataError(f"{settings.dataset} has {has}; {run.classifier} takes {takes}.")
    earlier = read_metrics(run.metrics)
    name = next(iter(earlier["systems"]))
    if earlier["data"]["fingerprint"] == description.fingerprint:
        print(f"{run.path} was evaluated on this test split before; the scores below are the same reading again.")
    else:
        run = RunDirectory(run.path / "evaluations" / description.fingerprint[:16])
        earlier["systems"] = {}
    systems = {name: lambda images: np.argmax(classifier.predict_bytes(images), axis=1)}
    metrics = _score(Trained(run, systems, {**earlier, "data": description.facts()}), dataset)
    _print_results(metrics, run, RunDirectory(settings.run_dir))


def _score(trained: Trained, dataset: Dataset) -> dict[str, Any]:
    """Reads the test split, once, and writes everything about it into the run directory; returns metrics.json."""
    test = dataset.read("test")
    scores = evaluation.evaluate(trained.systems, test, dataset.description.class_names)
    facts = dict(trained.facts)
    metrics = {"systems": {**facts.pop("systems", {}), **scores}, **facts}
    write_results(trained.run, metrics)
    return metrics


def _print_results(metrics: dict[str, Any], run: RunDirectory, classifier_run: RunDirectory) -> None:
    print(circumstances(metrics))
    print()
    print(systems_table([metrics]))
    print()
    print(classes_table(next(iter(metrics["systems"].values()))))
    print()
    print(f"Confusion matrix: {run.path / 'confusion_matrix.png'} (and .csv)")
    print(f"TensorBoard: tensorboard --logdir={run.tensorboard}")
    if classifier_run.classifier.exists():
        print(f"Classifier: {classifier_run.classifier}")


def run_classify(settings: config.ClassifyConfig) -> list[str]:
    """Labels every session of the captures; the summary goes to standard error, so that rows can be piped."""
    classifier = serving.load(settings.classifier)
    counts: Counter[str] = Counter()

    def counted() -> Iterator[dict]:
        paths = find(settings.captures)
        with progress.captures_bar("Classifying", paths) as show:
            for row in classifier.classify(paths, settings.strict, show):
                counts[row["label"]] += 1
                yield row

    count = serving.write_rows(counted(), settings.output)
    dropped = ", ".join(f"{reason} {packets:,}" for reason, packets in sorted(classifier.drops.items()))
    for warning in classifier.warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    where = "" if settings.output == "-" else f" to {settings.output}"
    labels = ", ".join(f"{label} {number:,}" for label, number in counts.most_common())
    print(f"{count:,} sessions labelled{where}: {labels}; packets in no session: {dropped or 'none'}.", file=sys.stderr)
    return classifier.warnings


def run_report(settings: config.ReportConfig) -> None:
    """Puts runs side by side, or all results of sweeps as the paper has them."""
    if settings.results:
        rows = [row for path in settings.results for row in sweep.read_results(path)]
        if settings.output == "-":
            print(comparison.page(rows), end="")
            return
        for path in comparison.write(rows, settings.output):
            print(f"Written: {path}")
        return
    runs = side_by_side.find_runs(settings.runs)
    text = side_by_side.report(runs)
    if settings.output == "-":
        print(text, end="")
        return
    for path in side_by_side.write_report(text, runs, settings.output):
        print(f"Written: {Path(path)}")
