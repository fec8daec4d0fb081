"""A saved classifier before captures whose classes are known: does what was learned on Monday hold on Tuesday?"""

from dataclasses import dataclass, replace

import numpy as np

from clgan_tf.capture import workers_for
from clgan_tf.capture.parallel import Progress
from clgan_tf.common.errors import DataError
from clgan_tf.data.examples import UNLABELLED
from clgan_tf.data.label_file import SessionLabels
from clgan_tf.data.sources import Sources
from clgan_tf.evaluation.metrics import score
from clgan_tf.runs.result import Scores
from clgan_tf.serving.classifier import Classifier


@dataclass(frozen=True)
class Verdict:
    """What became of the sessions.

    scores: of the sessions of classes that the classifier knows, None if there are none; its means are over those
    classes that have some; rejected: share of these sessions that are called unknown; strange: of every other class,
    its sessions and the share of them that are; absent: classes that it knows and that have no session.
    """

    scores: Scores | None
    rejected: float
    strange: dict[str, tuple[int, float]]
    absent: list[str]


def judge(
    classifier: Classifier,
    sources: Sources,
    reject: float,
    progress: Progress | None = None,
    session_labels: SessionLabels | None = None,
) -> Verdict:
    """Scores every session of the sources' classes; those without a label are left out. See `Classifier.judged`.

    session_labels: labels of single sessions, in place of their source's.

    Raises:
      CaptureError: see clgan_tf.capture.stream. DataError: no source or session has a label, or one has two.
    """
    labelled = sources.sources if session_labels else sources.labelled
    if not labelled:
        raise DataError("No capture lies in a class folder; put those whose class is known into CLASS/.")
    files = [source.path for source in labelled]
    parts = []
    for sessions, outputs in classifier.judged(files, progress=progress, workers=workers_for(files)):
        if session_labels:
            classes = session_labels.of(sessions)
        else:
            classes = np.array([labelled[index].label for index in sessions.capture.tolist()], np.int64)
        of_class = classes != UNLABELLED
        columns = classes, outputs["probabilities"].argmax(axis=1), outputs["familiarity"] < reject
        parts.append(tuple(column[of_class] for column in columns))
    classes, predicted, is_unknown = (np.concatenate(column) for column in zip(*parts, strict=True))
    names = classifier.class_names
    ours = np.array([names.index(name) if name in names else UNLABELLED for name in sources.class_names])[classes]
    known = ours != UNLABELLED
    strange = {}
    for label, name in enumerate(sources.class_names):
        if name not in names:
            rows = classes == label
            strange[name] = int(rows.sum()), float(is_unknown[rows].mean()) if rows.any() else 0.0
    return Verdict(
        scores=_of_present(score(ours[known], predicted[known], names)) if known.any() else None,
        rejected=float(is_unknown[known].mean()) if known.any() else 0.0,
        strange=strange,
        absent=[name for label, name in enumerate(names) if not (ours == label).any()],
    )


def _of_present(scores: Scores) -> Scores:
    present = {name: one for name, one in scores.per_class.items() if one.sessions}
    precision, recall, f1 = (
        float(np.mean([getattr(one, name) for one in present.values()])) for name in ("precision", "recall", "f1")
    )
    return replace(scores, per_class=present, precision=precision, recall=recall, f1=f1)
