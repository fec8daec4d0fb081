"""A run as one HTML page that holds all it shows: what came out, of what, how sure, where wrong, and by which bytes."""

import math
from dataclasses import replace
from itertools import chain

import numpy as np

from clgan_tf.capture import REPRESENTATIONS
from clgan_tf.common.files import written_aside
from clgan_tf.data.dataset import Dataset
from clgan_tf.evaluation.explanation import Explanation, Mistake
from clgan_tf.models import title
from clgan_tf.reporting import markdown, web_page
from clgan_tf.reporting.markdown import literal
from clgan_tf.reporting.prepared import captures_of_classes
from clgan_tf.reporting.tables import choice_text, circumstances, classes_table, reliability_text, systems_table
from clgan_tf.runs.directory import RunDirectory
from clgan_tf.runs.result import RunResult

PAGE = "report.html"
MUCH = 5  # points of accuracy that chance alone gives or takes
PICTURES = {  # by section; those that a run has
    "Classes": ("class_scores.png", "F1 of each class"),
    "Confusions": ("confusion_matrix.png", "rows: true class; columns: predicted; shares of the row and sessions"),
    "How sure": ("reliability.png", "how often it is right against how sure it is"),
    "Training": (
        "training_curves.png",
        "losses, who wins, accuracy by epoch; a dot: the epoch that early stopping kept",
    ),
    "Sessions that the generator made": ("generated_sessions.png", "above: real sessions; below: the generator's"),
    "Which bytes it goes by": ("bytes.png", "the darker, the more the true class depends on these bytes"),
}
BYTES_SHOWN, BYTES_A_LINE = 112, 28  # rows of the image, of which each is a packet in `packets`


def write(run: RunDirectory, result: RunResult, dataset: Dataset, explanation: Explanation | None) -> None:
    """Writes report.html of a run whose pictures are there."""
    there = {name: (run.path / name).read_bytes() for name, _ in PICTURES.values() if (run.path / name).exists()}
    with written_aside(run.path / PAGE) as aside:
        aside.write_text(web_page.self_contained(page(result, dataset, explanation, set(there)), there), "utf-8")


def page(result: RunResult, dataset: Dataset, explanation: Explanation | None, pictures: set[str]) -> str:
    """The page as Markdown; `pictures`: file names of those that it can show."""
    per_class = {literal(name): one for name, one in result.scores.per_class.items()}
    sections = {
        "In short": _in_short(result),
        "Data": _data(result, dataset),
        "Systems on the same labels": systems_table([result]),
        "Classes": classes_table(replace(result.scores, per_class=per_class)),
        "Confusions": "",
        "How sure": reliability_text(result.scores),
        "Which bytes it goes by": _which_bytes(result, explanation) if explanation else "",
        "Its surest mistakes": "\n\n".join(map(_mistake, explanation.mistakes)) if explanation else "",
        "Training": "",
        "Sessions that the generator made": "",
    }
    written = [
        f"# {title(result.model)} on {literal(result.data.source_kind)}, {result.data.representation}",
        "[TOC]",
    ]
    for name, text in sections.items():
        picture, caption = PICTURES.get(name, ("", ""))
        shown = f"![{caption}]({picture})\n\n*{caption}*" if picture in pictures else ""
        if parts := [part for part in (text, shown) if part]:
            written += [f"## {name}", *parts]
    return "\n\n".join(written) + "\n"


def uncertainty(share: float, sessions: int) -> float:
    """Half of what holds the true share 95 times in 100 (Wilson 1927), of independent sessions; none makes it 0."""
    squared = 1.96**2 / sessions
    return 1.96 / (1 + squared) * math.sqrt(share * (1 - share) / sessions + squared / (4 * sessions))


def _in_short(result: RunResult) -> str:
    scores = result.scores
    others = {name: one.f1 for name, one in result.systems.items() if name != result.model}
    spread = 100 * uncertainty(scores.accuracy, scores.sessions)
    worst = sorted(((name, one.f1) for name, one in scores.per_class.items() if one.f1 < 1), key=lambda item: item[1])
    weakest = ", ".join(f"{literal(name)} (F1 {100 * f1:.0f})" for name, f1 in worst[:3])
    lines = [
        f"**{100 * scores.accuracy:.1f} %** of {scores.sessions:,} sessions of the {result.settings.score_on} split "
        f"are named right, macro-F1 **{100 * scores.f1:.1f}**, after {result.labels.count:,} labels and "
        f"{result.labels.unlabelled:,} sessions without one.",
        f"So few sessions tell the accuracy to ± {spread:.0f} points." if spread >= MUCH else "",
        *(
            f"{title(name)} on the same labels: macro-F1 {100 * f1:.1f} ({100 * (scores.f1 - f1):+.1f} for this one)."
            for name, f1 in others.items()
        ),
        f"Weakest classes: {weakest}." if weakest else "",
        _most_confused(result),
        choice_text(result),
        reliability_text(scores),
        "A session of a class that was not in training is called `unknown` only if it is less familiar than "
        "`--reject` asks for.",
    ]
    return "\n".join(f"- {line}" for line in lines if line)


def _most_confused(result: RunResult) -> str:
    confusion = np.array(result.scores.confusion)
    np.fill_diagonal(confusion, 0)
    true, said = np.unravel_index(confusion.argmax(), confusion.shape)
    names = [literal(name) for name in result.data.class_names]
    count = int(confusion[true, said])
    return f"Most often confused: {names[true]}, taken for {names[said]} in {count:,} sessions." if count else ""


def _data(result: RunResult, dataset: Dataset) -> str:
    rows, warning = captures_of_classes(dataset)
    columns = ["Class", "Sessions", "Captures", "Share of the largest"]
    drops = sorted({reason for row in dataset.captures for reason in row.drops})
    counts = {row.capture: row.drops for row in dataset.captures}.values()
    dropped = ", ".join(f"{reason} {sum(of.get(reason, 0) for of in counts):,}" for reason in drops)
    parts = [
        literal(circumstances(result)),
        literal(REPRESENTATIONS[result.data.representation].note),
        markdown.table(columns, [[literal(name), *others] for name, *others in rows]),
        literal(warning),
        f"Packets in no session: {literal(dropped)}." if dropped else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _which_bytes(result: RunResult, explanation: Explanation) -> str:
    text = (
        f"Of some sessions of the {result.settings.score_on} split each block of bytes is exchanged for another "
        "session's; the picture shows how much less probable the true class then is. What stands out and is no "
        "payload, a port or a time say, is a shortcut until the contrary is shown."
    )
    if not explanation.shares:
        return text
    rows = [[name, f"{100 * share:.0f} %"] for name, share in explanation.shares.items()]
    return (
        f"{text} Integrated gradients say the same of single bytes: how much each adds to that probability, or takes "
        "from it, against a session of zeros.\n\n"
        + markdown.table(["What the bytes are", "Share of all that is added or taken"], rows)
    )


def _mistake(mistake: Mistake) -> str:
    heading = (
        f"**{literal(mistake.true)}** taken for **{literal(mistake.said)}**, {100 * mistake.probability:.0f} % sure "
        f"({literal(mistake.capture)}). The training session that has most of its bytes ({100 * mistake.alike:.0f} %) "
        f"is of {literal(mistake.nearest)} ({literal(mistake.nearest_capture)}). Bytes of this one, then of that one:"
    )
    lines = chain(_hex(mistake.image), [""], _hex(mistake.nearest_image))
    return heading + "\n\n" + "\n".join(f"    {line}" for line in lines)


def _hex(image: np.ndarray) -> list[str]:
    starts = range(0, BYTES_SHOWN, BYTES_A_LINE)
    return [f"{start:3d}  {image[start : start + BYTES_A_LINE].tobytes().hex(' ')}" for start in starts]
