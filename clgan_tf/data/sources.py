"""One interface for every source of sessions: capture files and published image files, read into Examples."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from clgan_tf import capture
from clgan_tf.capture import SessionRules
from clgan_tf.common import progress
from clgan_tf.common.errors import CaptureError, DataError
from clgan_tf.common.files import readable_name
from clgan_tf.data import idx
from clgan_tf.data.description import CaptureReport
from clgan_tf.data.examples import IMAGE_BYTES, UNLABELLED, Examples
from clgan_tf.data.recipe import split_captures


@dataclass(frozen=True)
class Source:
    """A capture file, or a published pair of idx files, and the label of its sessions.

    name: as it stands in the examples' `capture`; label: of a capture's sessions, or what is added to the labels of idx
    files. Of idx files alone: labels_path, beside `path`, the images; part: "train" or "test", as published; label_map:
    our label of each published one; is_test: the part is the test split.
    """

    path: str
    name: str
    label: int
    labels_path: str = ""
    part: str = ""
    label_map: tuple[int, ...] = ()
    is_test: bool = False


@dataclass(frozen=True)
class Sources:
    """All sources of a data set, and its class names in label order.

    capture_splits: the split of each capture, where whole captures are split; not_served: classes that this left out.
    """

    sources: list[Source]
    class_names: list[str]
    capture_splits: dict[str, str]
    not_served: list[str]

    @property
    def labelled(self) -> list[Source]:
        """Those whose sessions have a label."""
        return [source for source in self.sources if source.label != UNLABELLED]

    @property
    def has_published_test(self) -> bool:
        """Whether the authors chose a test part."""
        return any(source.is_test for source in self.sources)


def plain_name(path: Path, root: Path) -> str:
    """The path below `root`, as `readable_name` writes it."""
    return readable_name(path.relative_to(root))


def split_by_capture(sources: Sources, test_fraction: float, validation_fraction: float, seed: int) -> Sources:
    """The sources of the classes that can be split by capture, labelled anew.

    Raises:
      DataError: see recipe.split_captures.
    """
    captures: dict[int, list[str]] = {label: [] for label in range(len(sources.class_names))}
    for source in sources.labelled:
        captures[source.label].append(source.name)
    splits, left_out = split_captures(captures, test_fraction, validation_fraction, seed)
    served = [label for label in captures if label not in left_out]
    labels = {UNLABELLED: UNLABELLED} | {label: index for index, label in enumerate(served)}
    return Sources(
        [replace(source, label=labels[source.label]) for source in sources.sources if source.label in labels],
        [sources.class_names[label] for label in served],
        splits,
        [sources.class_names[label] for label in left_out],
    )


def of_sessions(sessions: capture.Sessions, source: Source, labels: np.ndarray | None = None) -> Examples:
    """A capture's sessions as examples. labels: int64 [n], where sessions have labels of their own."""
    count = len(sessions)
    return Examples(
        sessions.images[..., np.newaxis],
        np.full(count, source.label, np.int64) if labels is None else labels,
        np.full(count, source.name, dtype=object),
        sessions.identifiers(),
        sessions.num_bytes,
    )


def report(summary: capture.CaptureSummary, sessions: int, source: Source) -> CaptureReport:
    """What a capture held, under the name that it has in the data set."""
    warnings = [warning.replace(source.path, source.name) for warning in summary.warnings]
    return CaptureReport(
        source.name, source.label, summary.packets, summary.drops, sessions, warnings, summary.is_damaged
    )


def read_captures(
    sources: list[Source],
    representation: str,
    unit: str,
    rules: SessionRules,
    strict: bool,
    labels_of: Callable[[capture.Sessions], np.ndarray] | None = None,
) -> Iterator[tuple[Examples, CaptureReport]]:
    """The sessions of one capture after another; several are read at a time where that is worth it, under a bar.

    labels_of: the labels of sessions, int64 [n], in place of their source's.

    Raises:
      CaptureError: see `clgan_tf.capture.stream`.
    """
    files = [source.path for source in sources]
    with progress.captures_bar("Reading captures", files) as show:
        parts: list[capture.Sessions] = []
        for part in capture.stream(
            files, representation, unit, rules=rules, strict=strict, progress=show, workers=capture.workers_for(files)
        ):
            parts.append(part)
            for summary in part.ended:
                sessions, source = capture.concatenate(parts), sources[summary.capture]
                parts = []
                labels = labels_of(sessions) if labels_of else None
                yield of_sessions(sessions, source, labels), report(summary, len(sessions), source)


def read_published(source: Source) -> tuple[Examples, CaptureReport]:
    """The images of a published pair of idx files, and a report on them.

    The files do not say which session an image came from, so the image's own hash and its place stand for the session,
    and `num_bytes` is the image without its trailing zeros: a lower bound.

    Raises:
      DataError: a file is missing or damaged, or images and labels do not fit each other.
    """
    images, labels = idx.read_images(Path(source.path)), idx.read_labels(Path(source.labels_path)) + source.label
    if len(images) != len(labels):
        raise DataError(
            f"{source.labels_path}: {len(labels)} labels stand beside {len(images)} images; fetch both again."
        )
    if len(labels) and labels.max() >= len(source.label_map):
        raise DataError(
            f"{source.labels_path}: label {labels.max() - source.label} at offset {8 + int(labels.argmax())} is no "
            "class of this data set; fetch it again."
        )
    flat = images.reshape(len(images), IMAGE_BYTES)
    sessions = [
        f"{hashlib.sha256(image.tobytes()).hexdigest()[:32]}/{source.name}/{row}" for row, image in enumerate(flat)
    ]
    num_bytes = np.where(flat.any(axis=1), IMAGE_BYTES - np.argmax(flat[:, ::-1] != 0, axis=1), 0)
    examples = Examples(
        images,
        np.array(source.label_map, np.int64)[labels],
        np.full(len(images), source.name, dtype=object),
        np.array(sessions, dtype=object),
        num_bytes.astype(np.int64),
    )
    return examples, CaptureReport(source.name, source.label, 0, {}, len(images), [])


def read(
    sources: list[Source],
    representation: str,
    unit: str,
    rules: SessionRules,
    strict: bool,
    labels_of: Callable[[capture.Sessions], np.ndarray] | None = None,
) -> tuple[Examples, np.ndarray, list[CaptureReport]]:
    """Everything that the sources hold; labels_of: see `read_captures`.

    Returns:
      All examples; bool [n], which of them are of a published test part; a report on each source.

    Raises:
      CaptureError: see `clgan_tf.capture.stream`; or damage leaves a class empty. DataError: see `read_published`.
    """
    parts: list[Examples] = []
    is_test: list[np.ndarray] = []
    reports: list[CaptureReport] = []
    for source in (source for source in sources if source.labels_path):
        examples, report_on_it = read_published(source)
        parts.append(examples)
        is_test.append(np.full(len(examples), source.is_test))
        reports.append(report_on_it)
    captures = [source for source in sources if not source.labels_path]
    if captures:
        for examples, capture_report in read_captures(captures, representation, unit, rules, strict, labels_of):
            parts.append(examples)
            is_test.append(np.zeros(len(examples), bool))
            reports.append(capture_report)
        _refuse_empty_classes(captures, reports)
    return Examples.concatenate(parts), np.concatenate(is_test), reports


def _refuse_empty_classes(captures: list[Source], reports: list[CaptureReport]) -> None:
    """Raises CaptureError where what is wrong with captures leaves a class without any session."""
    by_name = {report.capture: report for report in reports}
    for label in sorted({source.label for source in captures} - {UNLABELLED}):
        mine = [(source, by_name[source.name]) for source in captures if source.label == label]
        if not sum(known.sessions for _, known in mine):
            for source, known in mine:
                if known.warnings:
                    warning = known.warnings[0].replace(source.name, source.path, 1)
                    raise CaptureError(f"{warning} Its class has no other session.")
