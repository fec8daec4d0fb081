"""A folder of one's own captures: root/CLASS/*.pcap* with labels, root/unlabelled/ without."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clgan_tf import capture, progress
from clgan_tf.capture.sources import is_capture
from clgan_tf.data.examples import UNLABELLED, Examples
from clgan_tf.errors import CaptureError, DataError

UNLABELLED_FOLDER = "unlabelled"


@dataclass(frozen=True)
class CaptureReport:
    """One row of the prepare table, before de-duplication."""

    capture: str
    class_name: str
    packets: int
    drops: dict[str, int]
    sessions: int
    warnings: list[str]


def find_captures(root: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """Captures by class folder, sorted, and the class names in label order (without `unlabelled`).

    Raises:
      DataError: the root is missing, has fewer than two classes, or a class folder has no capture.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; --source must hold one folder of captures per class.")
    folders = sorted(folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    captures = {folder.name: sorted(path for path in folder.iterdir() if _is_capture(path)) for folder in folders}
    for name, paths in captures.items():
        if not paths:
            raise DataError(f"{root / name}: no capture file; add captures or remove the folder.")
    class_names = [name for name in captures if name != UNLABELLED_FOLDER]
    if len(class_names) < 2:
        raise DataError(f"{root}: {len(class_names)} class folders; a classifier needs at least 2.")
    return captures, class_names


def _is_capture(path: Path) -> bool:
    return path.is_file() and is_capture(path)


def read(
    root: Path, representation: str, unit: str, rules: capture.SessionRules, strict: bool
) -> tuple[Examples, list[str], list[CaptureReport]]:
    """Reads every capture below `root`, several at a time where that is worth it, with a progress bar.

    Raises:
      DataError: see `find_captures`. CaptureError: see `clgan_tf.capture.stream`; or damage leaves a class empty.
    """
    captures, class_names = find_captures(root)
    labels = {name: label for label, name in enumerate(class_names)}
    paths = [(path, name) for name, inside in captures.items() for path in inside]
    files = [str(path) for path, _ in paths]
    examples: list[Examples] = []
    reports: list[CaptureReport] = []
    with progress.captures_bar("Reading captures", files) as show:
        parts: list[capture.Sessions] = []
        for part in capture.stream(
            files, representation, unit, rules=rules, strict=strict, progress=show, workers=capture.workers_for(files)
        ):
            parts.append(part)
            if not part.ends_capture:
                continue
            path, name = paths[len(reports)]
            sessions = capture.concatenate(parts)
            parts = []
            # A name that is not UTF-8 would fit into no record and no JSON file.
            relative = os.fsencode(path.relative_to(root)).decode(errors="replace")
            examples.append(_examples(sessions, labels.get(name, UNLABELLED), relative))
            reports.append(
                CaptureReport(relative, name, sessions.packets_read, sessions.drops, len(sessions), sessions.warnings)
            )
    for name in class_names:
        mine = [report for report in reports if report.class_name == name]
        warnings = [warning for report in mine for warning in report.warnings]
        if warnings and not sum(report.sessions for report in mine):
            raise CaptureError(f"{warnings[0]} Class {name} has no other session.")
    return Examples.concatenate(examples), class_names, reports


def _examples(sessions: capture.Sessions, label: int, path: str) -> Examples:
    count = len(sessions)
    return Examples(
        sessions.images[..., np.newaxis],
        np.full(count, label, np.int64),
        np.full(count, path, dtype=object),
        sessions.identifiers(),
        sessions.num_bytes,
    )
