"""A saved classifier before a data set, or captures, whose classes are known."""

from dataclasses import replace

from clgan_tf import evaluation, serving
from clgan_tf.commands.scoring import print_results, score
from clgan_tf.common import progress
from clgan_tf.common.errors import DataError
from clgan_tf.data.own_captures import own_captures
from clgan_tf.data.registered import open_any
from clgan_tf.reporting.tables import classes_table
from clgan_tf.runs.directory import RunDirectory
from clgan_tf.runs.result import read_result
from clgan_tf.settings import EvaluateSettings
from clgan_tf.training.run import Trained


def run(settings: EvaluateSettings) -> bool:
    """Scores the run's saved classifier on a data set's test split, or on every session of a folder of captures.

    On the run's own data set the run's files are written again; for another one they go to a folder
    `evaluations/FINGERPRINT` in the run directory.
    """
    directory = RunDirectory(settings.run_dir)
    classifier = serving.load(directory.classifier)
    if settings.dataset is None:
        return _evaluate_on_captures(classifier, settings)
    dataset = open_any(settings.dataset)
    facts, head = dataset.facts, classifier.head
    has, takes = (
        f"{one.representation} v{one.representation_version} {one.unit}s of {', '.join(one.class_names)}"
        for one in (facts, head)
    )
    if has != takes:
        raise DataError(f"{settings.dataset} has {has}; {directory.classifier} takes {takes}.")
    if facts.rules != classifier.rules:
        progress.warn(f"{settings.dataset} has sessions grouped by other rules than those the classifier learned from.")
    earlier = read_result(directory.metrics)
    is_its_own = earlier.data.fingerprint == facts.fingerprint  # Nearest training sessions are that data set's.
    if is_its_own and earlier.settings.score_on == "test":
        print(f"{directory.path} was evaluated on this test split before; the scores below are the same reading again.")
    else:
        directory = RunDirectory(directory.path / "evaluations" / facts.fingerprint[:16])
        settings_of_run = replace(earlier.settings, score_on="test")
        earlier = replace(earlier, systems={}, data=facts, settings=settings_of_run)
    predictor = evaluation.Predictor(classifier.logits, head.temperature)
    result = score(Trained(directory, {earlier.model: predictor}, earlier), dataset, "test", explains=is_its_own)
    print_results(result, directory, RunDirectory(settings.run_dir))
    return False


def _evaluate_on_captures(classifier: serving.Classifier, settings: EvaluateSettings) -> bool:
    (folder,), reject = settings.captures, settings.reject
    sources, labels = own_captures(folder, settings.capture_labels, settings.session_labels, least_classes=1)
    read = sources.sources if labels else sources.labelled
    with progress.captures_bar("Evaluating", [one.path for one in read]) as show:
        verdict = serving.judge(classifier, sources, reject, show, labels)
    for warning in classifier.warnings:
        progress.warn(warning)
    if labels and (unused := labels.unused(may_lack_classes=True)):  # as those of a week do on one day
        progress.warn(unused)
    if verdict.scores:
        scores = verdict.scores
        figures = f"accuracy {100 * scores.accuracy:.1f} %, macro-F1 {100 * scores.f1:.1f} %"
        rejected = f"{100 * verdict.rejected:.1f} % are called unknown at --reject={reject:g}"
        print(f"{scores.sessions:,} sessions of classes that the classifier knows: {figures}, none rejected.")
        print(f"Of these {rejected}.")
        print()
        print(classes_table(scores))
    others = [
        f"{name}: the classifier does not know this class; {100 * share:.1f} % of {sessions:,} are called unknown."
        for name, (sessions, share) in verdict.strange.items()
    ]
    if verdict.absent:
        others.append(f"Without a session here: {', '.join(verdict.absent)}.")
    if others:
        print("\n" + "\n".join(others))
    return classifier.is_damaged
