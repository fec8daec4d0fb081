"""Tables for people: systems beside each other, one run's or the mean and spread of several."""

from collections.abc import Sequence

import numpy as np

from clgan_tf.data.description import Split, SplitRule
from clgan_tf.models import AUTO, WHOLE_BUDGET, WITH_TRUNK, title
from clgan_tf.reporting import markdown
from clgan_tf.runs.result import RunResult, Scores

COLUMNS = {"accuracy": "Accuracy", "precision": "Precision", "recall": "Recall", "f1": "F1 (macro)"}
FEW = 10  # test sessions of a class
RULES = {
    SplitRule.SESSION: "by hash of session",
    SplitRule.CAPTURE: "by whole captures",
    SplitRule.PUBLISHED_TEST: "published test part",
}


def systems_table(results: Sequence[RunResult]) -> str:
    """One row a system; figures in per cent, mean ± standard deviation over several runs."""
    rows = []
    for system in dict.fromkeys(system for result in results for system in result.systems):
        scores = [result.systems[system] for result in results if system in result.systems]
        cells = [per_cent([getattr(score, name) for score in scores]) for name in COLUMNS]
        rows.append([title(system), *cells, per_cent([score.weighted.f1 for score in scores]), str(len(scores))])
    return markdown.table(["System", *COLUMNS.values(), "F1 (weighted)", "runs"], rows)


def classes_table(scores: Scores) -> str:
    """One row a class."""
    rows = [
        [name, *(per_cent([value]) for value in (one.precision, one.recall, one.f1)), f"{one.sessions:,}"]
        for name, one in scores.per_class.items()
    ]
    table = markdown.table(["Class", "Precision", "Recall", "F1", "test sessions"], rows)
    few = [name for name, one in scores.per_class.items() if 0 < one.sessions < FEW]
    if not few:
        return table
    return f"{table}\n\nFewer than {FEW} sessions, so that one more or less changes much: {', '.join(few)}."


def choice_text(result: RunResult) -> str:
    """A sentence on what --model=auto has chosen from, the chosen one first; empty where nothing was to choose."""
    if not result.choice:
        return ""
    ordered = sorted(result.choice.items(), key=lambda item: -item[1])  # of equals the first stays first
    (best, f1), *others = ((title(name), f"{100 * value:.1f}") for name, value in ordered)
    beside = ", ".join(f"{name} {value}" for name, value in others)
    return f"Chosen: {best}, macro-F1 {f1} on labels held out of the budget in turn; {beside}."


def reliability_text(scores: Scores) -> str:
    """A sentence on how far probabilities can be trusted; empty of a system that gives none."""
    if (found := scores.reliability) is None:
        return ""
    text = f"Probabilities: expected calibration error {100 * found.ece:.1f} % on the split that is scored"
    if found.temperature == 1:
        return f"{text}; they are not scaled."
    return f"{text}, at the temperature {found.temperature:.2f}; {100 * found.ece_without:.1f} % without."


def circumstances(result: RunResult) -> str:
    """One line with everything a figure must be read with."""
    labels, data = result.labels, result.data
    sizes = ", ".join(f"{name} {size:,}" for name, size in data.sizes.items())
    stopping = "" if result.model in WHOLE_BUDGET else f" {labels.validation:,} of them for early stopping,"
    begun = ""
    if result.settings.model in (*WITH_TRUNK, AUTO):
        start, trunk = result.settings.init_from, result.settings.pretrain_from
        begun = f"; begun from {start}" if start else f"; phase 1 begun from {trunk}" if trunk else ""
    return (
        f"{data.source_kind}, {data.representation} v{data.representation_version}, {data.unit}s; "
        f"{labels.count:,} labels (--labels={labels.budget:g} {labels.unit}),{stopping} "
        f"{labels.unlabelled:,} sessions without{begun}; seed {result.settings.seed}; "
        f"split {split_text(data.split)} ({sizes}), scored on {result.settings.score_on}; "
        f"data fingerprint {data.fingerprint[:16]}."
    )


def split_text(split: Split) -> str:
    """How sessions became splits, in a few words."""
    return f"{RULES[split.rule]}, seed {split.seed}"


def per_cent(values: Sequence[float]) -> str:
    """A share in per cent; of several, mean ± standard deviation."""
    if len(values) == 1:
        return f"{100 * values[0]:.1f}"
    return f"{100 * np.mean(values):.1f} ± {100 * np.std(values, ddof=1):.1f}"
