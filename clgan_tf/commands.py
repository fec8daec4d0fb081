"""One function a mode: it joins the rooms for one task and tells the user what came of it.

Those that read captures return whether one was damaged, which they have told.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from clgan_tf import evaluation, serving
from clgan_tf.capture import REPRESENTATIONS, Live, workers_for
from clgan_tf.capture.interface import capturing
from clgan_tf.capture.sources import STANDARD_INPUT, find
from clgan_tf.common import progress
from clgan_tf.common.errors import DataError, NoSessionError, UserError
from clgan_tf.data import label_file, labelled_folder, prepare
from clgan_tf.data.dataset import Dataset
from clgan_tf.data.examples import Examples
from clgan_tf.data.own_captures import own_captures
from clgan_tf.data.recipe import OWN_SPLITS
from clgan_tf.data.registered import open_any
from clgan_tf.evaluation import audit
from clgan_tf.evaluation.explanation import explain
from clgan_tf.reporting import audit_report, paper, run_page, sweep_report
from clgan_tf.reporting import run_report as side_by_side
from clgan_tf.reporting.prepared import captures_table, prepared_table
from clgan_tf.reporting.results import write_results
from clgan_tf.reporting.tables import choice_text, circumstances, classes_table, reliability_text, systems_table
from clgan_tf.runs.directory import RunDirectory
from clgan_tf.runs.result import RunResult, read_result
from clgan_tf.serving import suggestion
from clgan_tf.settings import (
    PUBLISHED,
    AuditSettings,
    ClassifySettings,
    EvaluateSettings,
    ExportSettings,
    PrepareSettings,
    PretrainSettings,
    ReportSettings,
    SuggestSettings,
    SweepSettings,
    TrainSettings,
)
from clgan_tf.sweeps import results as sweep_results
from clgan_tf.sweeps.file import read_sweep
from clgan_tf.sweeps.plan import plan
from clgan_tf.training.run import Trained, assist, pretrain, train
from clgan_tf.training.strategy import is_chief
from clgan_tf.training.tensorboard import write_projection

MOST_PROJECTED = 2_000  # sessions: what a browser moves smoothly


def run_prepare(settings: PrepareSettings) -> bool:
    """Makes the data set and prints its table; a resumed run keeps the data set it has."""
    return _prepared(settings)[1]


def _prepared(settings: PrepareSettings) -> tuple[Dataset, bool]:
    if settings.resume and settings.dataset.exists():
        return _matching(open_any(settings.dataset), settings), False
    if settings.source_kind == "demo":
        from clgan_tf import demo

        demo.write_corpus(settings.source, settings.split_seed, settings.overwrite and not settings.resume)
    dataset = prepare.prepare(settings, _warn)
    print(prepared_table(dataset))
    _print_captures(dataset)
    if settings.source_kind not in PUBLISHED and not (settings.capture_labels or settings.session_labels):
        for path in labelled_folder.captures_of_no_class(settings.source):
            print(f"Left out, because it lies in no class folder: {path}")
    return dataset, any(row.is_damaged for row in dataset.captures)


def _warn(sentence: object) -> None:
    progress.tell(f"Warning: {sentence}")


def _print_captures(dataset: Dataset) -> None:
    if table := captures_table(dataset):
        print(f"\n{table}")


def run_pretrain(settings: PretrainSettings, source: PrepareSettings | None) -> bool:
    """Prepares the data if need be and makes a trunk, which --init_from takes."""
    if not is_chief(settings.strategy):
        return _assist(settings)
    dataset, is_damaged = _dataset(settings.dataset, source)
    run = pretrain(settings, dataset, source)
    print(f"Trunk: {run.trunk}; fine-tune it with --mode=train --init_from={run.trunk}")
    return is_damaged


def _assist(settings: PretrainSettings) -> bool:
    assist(settings, open_any(settings.dataset))
    print("Phase 1 is over; the first worker goes on alone.")
    return False


def run_train(settings: TrainSettings, source: PrepareSettings | None) -> bool:
    """Prepares the data if need be, trains, reads the test split once and prints the systems side by side."""
    if settings.resume and RunDirectory(settings.run_dir).metrics.exists():
        print(f"{settings.run_dir} is finished: there is nothing to resume.")
        return False
    if not is_chief(settings.strategy):
        return _assist(settings)
    dataset, is_damaged = _dataset(settings.dataset, source)
    trained = train(settings, dataset, source)
    _print_results(_score(trained, dataset, settings.score_on), trained.run, trained.run)
    return is_damaged


def run_sweep(settings: SweepSettings) -> bool:
    """Runs a sweep's cells, those that are not finished, and writes results.jsonl after each.

    Raises:
      DataError: a cell could not be run, for a reason that is the user's; all others were.
    """
    directory, tasks = read_sweep(settings.sweep)
    if settings.dry_run:
        print(plan(tasks))
        return False
    is_damaged, failures = False, []
    with progress.bar("Sweep", len(tasks), " cells") as bar:
        for task in tasks:
            if not task.is_finished:
                bar.set_postfix_str(task.settings.run_dir.name)
                try:
                    dataset, damaged = _dataset(task.settings.dataset, task.source)
                    is_damaged |= damaged
                    if task.trunk:
                        is_begun = RunDirectory(task.trunk.run_dir).config.exists()  # by another cell, or before
                        pretrain(replace(task.trunk, resume=is_begun), dataset, task.source)
                    trained = train(task.settings, dataset, task.source, calibrates=False)  # Only labels are compared.
                    _score(trained, dataset, task.settings.score_on, explains=False)
                except UserError as error:
                    failures.append(f"{task.run.path}: {error}")
                _write_rows(directory, tasks)
            bar.update()
    _write_rows(directory, tasks)
    print(f"{len(tasks) - len(failures)} of {len(tasks)} cells finished: {directory / sweep_results.RESULTS}")
    if failures:
        raise DataError("\n".join([f"{len(failures)} cells could not be run.", *failures]))
    return is_damaged


def _write_rows(directory: Path, tasks: list) -> None:
    sweep_results.write_results(directory, {task.cell: task.row() for task in tasks if task.is_finished})


def _dataset(path: Path, source: PrepareSettings | None) -> tuple[Dataset, bool]:
    """The data set, which is prepared if it is not there and a source is given; whether that met a damaged capture."""
    if source is None:
        return open_any(path), False
    if path.exists():
        return _matching(open_any(path), source), False
    return _prepared(source)


def _matching(dataset: Dataset, source: PrepareSettings) -> Dataset:
    """The data set, if it was prepared as the settings say. Raises DataError where it was not."""
    if difference := prepare.differing_flag(dataset.facts, source):
        flag, then, now = difference
        raise DataError(
            f"{dataset.directory} was prepared with --{flag}={then}, not {now}; give another --dataset, "
            "or leave --source out to use it as it is."
        )
    return dataset


def run_audit(settings: AuditSettings) -> None:
    """How much groups of header fields alone tell, and what splits share; written as JSON and as a picture."""
    dataset = open_any(settings.dataset)
    dataset.require_classes()
    facts = dataset.facts
    own = {split: dataset.read(split) for split in OWN_SPLITS}
    published = {split: dataset.read(split) for split in facts.sizes if split.startswith("published_")}
    findings = audit.audit(Examples.concatenate(list(own.values())), REPRESENTATIONS[facts.representation])
    overlaps = {", ".join(splits): audit.overlap(splits) for splits in (own, published) if splits}
    count = sum(map(len, own.values()))
    print(f"{settings.dataset}: {count:,} labelled sessions, fingerprint {facts.fingerprint[:16]}")
    print()
    print(audit_report.table(findings, overlaps))
    _print_captures(dataset)
    path = Path("runs/audits") / f"{facts.fingerprint[:16]}.json"
    path = path if settings.output == "-" else Path(settings.output)
    for written in audit_report.write(findings, overlaps, facts, path):
        print(f"Written: {written}")


def run_evaluate(settings: EvaluateSettings) -> bool:
    """Scores the run's saved classifier on a data set's test split, or on every session of a folder of captures.

    On the run's own data set the run's files are written again; for another one they go to a folder
    `evaluations/FINGERPRINT` in the run directory.
    """
    run = RunDirectory(settings.run_dir)
    classifier = serving.load(run.classifier)
    if settings.dataset is None:
        return _evaluate_on_captures(classifier, settings)
    dataset = open_any(settings.dataset)
    facts, head = dataset.facts, classifier.head
    has, takes = (
        f"{one.representation} v{one.representation_version} {one.unit}s of {', '.join(one.class_names)}"
        for one in (facts, head)
    )
    if has != takes:
        raise DataError(f"{settings.dataset} has {has}; {run.classifier} takes {takes}.")
    earlier = read_result(run.metrics)
    is_its_own = earlier.data.fingerprint == facts.fingerprint  # Nearest training sessions are that data set's.
    if is_its_own and earlier.settings.score_on == "test":
        print(f"{run.path} was evaluated on this test split before; the scores below are the same reading again.")
    else:
        run = RunDirectory(run.path / "evaluations" / facts.fingerprint[:16])
        settings_of_run = replace(earlier.settings, score_on="test")
        earlier = replace(earlier, systems={}, data=facts, settings=settings_of_run)
    predictor = evaluation.Predictor(classifier.logits, head.temperature)
    result = _score(Trained(run, {earlier.model: predictor}, earlier), dataset, "test", explains=is_its_own)
    _print_results(result, run, RunDirectory(settings.run_dir))
    return False


def _evaluate_on_captures(classifier: serving.Classifier, settings: EvaluateSettings) -> bool:
    (folder,), reject = settings.captures, settings.reject
    sources, labels = own_captures(folder, settings.capture_labels, settings.session_labels, least_classes=1)
    read = sources.sources if labels else sources.labelled
    with progress.captures_bar("Evaluating", [one.path for one in read]) as show:
        verdict = serving.judge(classifier, sources, reject, show, labels)
    for warning in classifier.warnings:
        _warn(warning)
    if labels and (unused := labels.unused(may_lack_classes=True)):  # as those of a week do on one day
        _warn(unused)
    if verdict.scores:
        scores = verdict.scores
        figures = f"accuracy {100 * scores.accuracy:.1f} %, macro-F1 {100 * scores.f1:.1f} %"
        rejected = f"{100 * verdict.rejected:.1f} % are called unknown at --reject={reject:g}"
        print(f"{scores.sessions:,} sessions of classes that the classifier knows: {figures}; {rejected}.")
        print()
        print(classes_table(scores))
        print()
    for name, (sessions, share) in verdict.strange.items():
        print(
            f"{name}: the classifier does not know this class; {100 * share:.1f} % of {sessions:,} are called unknown."
        )
    if verdict.absent:
        print(f"Without a session here: {', '.join(verdict.absent)}.")
    return classifier.is_damaged


def _score(trained: Trained, dataset: Dataset, split: str, explains: bool = True) -> RunResult:
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


def _project(run: RunDirectory, classifier: serving.Classifier, scored: Examples, seed: int) -> None:
    """Shows what the classifier makes of the scored sessions in TensorBoard's projector."""
    shown = scored[np.sort(np.random.default_rng(seed).permutation(len(scored))[:MOST_PROJECTED])]
    features = classifier.features(shown.images)
    write_projection(run.tensorboard / "test", features, [classifier.class_names[label] for label in shown.labels])


def _print_results(result: RunResult, run: RunDirectory, classifier_run: RunDirectory) -> None:
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


def run_classify(settings: ClassifySettings) -> bool:
    """Labels every session of the captures; the summary goes to standard error, so that rows can be piped.

    Of a stream, a row comes as soon as its label is known; Ctrl-C or SIGTERM end it in order.
    """
    classifier = serving.load(settings.classifier_path)
    counts: Counter[str] = Counter()
    if settings.may_stream and (settings.interface or not sys.stdin.buffer.seekable()):
        count = serving.write_stream(_of_stream(settings, classifier, counts), settings.output, settings.rotate)
    else:
        count = serving.write_rows(_of_captures(settings, classifier, counts), settings.output)
    dropped = ", ".join(f"{reason} {packets:,}" for reason, packets in sorted(classifier.drops.items()))
    for warning in classifier.warnings:
        named = re.sub(r"^/dev/fd/\d+", settings.interface, warning) if settings.interface else warning
        _warn(named)
    where = "" if settings.output == "-" else f" to {settings.output}"
    labels = ", ".join(f"{label} {number:,}" for label, number in counts.most_common())
    labels = f": {labels}" if labels else ""
    print(f"{count:,} sessions labelled{where}{labels}; packets in no session: {dropped or 'none'}.", file=sys.stderr)
    return classifier.is_damaged


def _of_captures(settings: ClassifySettings, classifier: serving.Classifier, counts: Counter[str]) -> Iterator[dict]:
    paths = find(settings.captures)
    # An hour without traffic is no failure; the captures' own warnings tell of it.
    with progress.captures_bar("Classifying", paths) as show, suppress(NoSessionError):
        for row in classifier.classify(paths, settings.strict, show, workers_for(paths), reject=settings.reject):
            counts[row["label"]] += 1
            yield row


def _of_stream(settings: ClassifySettings, classifier: serving.Classifier, counts: Counter[str]) -> Iterator[dict]:
    live = Live()
    classifier.warm_up()
    source = capturing(settings.interface) if settings.interface else nullcontext(STANDARD_INPUT)
    with live.stopped_by_signals(), source as path, progress.stream_bar("Classifying", counts.total) as show:
        for row in classifier.classify(
            path, settings.strict, show, live=live, idle_timeout=settings.idle_timeout, reject=settings.reject
        ):
            counts[row["label"]] += 1
            yield {**row, "capture": settings.interface or row["capture"]}


def run_suggest(settings: SuggestSettings) -> bool:
    """Writes which sessions of the captures are worth a label next."""
    classifier = serving.load(settings.classifier_path)
    known = label_file.read(settings.session_labels) if settings.session_labels else None
    paths = find(settings.captures)
    with progress.captures_bar("Choosing", paths) as show:
        rows = serving.suggest(classifier, paths, settings.count, known, settings.seed, show)
    for warning in classifier.warnings:
        _warn(warning)
    if not rows:
        raise DataError("The captures hold no session that is without a label and in doubt.")
    suggestion.write(rows, settings.output)
    guesses = Counter(row["guess"] for row in rows).most_common()
    print(f"{len(rows):,} sessions; guessed: {', '.join(f'{name} {number:,}' for name, number in guesses)}.")
    print(f"Written: {settings.output}; fill in its column `label`, and give it to prepare as --session_labels.")
    return classifier.is_damaged


def run_export(settings: ExportSettings) -> None:
    """Writes the saved classifier in a format that other programs run."""
    serving.export(serving.load(settings.classifier_path), settings.format, Path(settings.output))
    print(f"Written: {settings.output}; docs/export.md shows how to run it.")


def run_report(settings: ReportSettings) -> None:
    """Puts runs side by side, or all results of sweeps: as the paper has them, or else in tables of their own."""
    if settings.results:
        rows = [row for path in settings.results for row in sweep_results.read_results(path)]
        report = paper if paper.is_of_it(rows) else sweep_report
        if settings.output == "-":
            print(report.page(rows), end="")
            return
        written = report.write(rows, Path(settings.output))
    else:
        runs = side_by_side.find_runs(settings.patterns)
        text = side_by_side.report(runs)
        if settings.output == "-":
            print(text, end="")
            return
        written = side_by_side.write_report(text, runs, Path(settings.output))
    for path in written:
        print(f"Written: {path}")
