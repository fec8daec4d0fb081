"""Where captures come from: files, folders, shell patterns and standard input."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from clgan_tf.capture import reader
from clgan_tf.capture.compression import DAMAGED_STREAM, STANDARD_INPUT, opened
from clgan_tf.common.errors import CaptureError

CAPTURE_SUFFIXES = (".pcap", ".pcapng", ".cap")


def find(paths: Sequence[str | Path]) -> list[str]:
    """Files behind the given files, folders (all captures below them, sorted) and shell patterns.

    In a folder a file is a capture if its first bytes or its name say so: what is only named like one is
    read, and refused, rather than left out without a word.

    Raises:
      CaptureError: a folder holds no capture, or a pattern matches nothing.
    """
    files: list[str] = []
    for path in map(str, paths):
        if path != STANDARD_INPUT and Path(path).is_dir():
            inside = list(map(str, captures_below(Path(path))))
            if not inside:
                raise CaptureError(f"{path}: no capture in this folder or below it; name another.")
            files += inside
        elif glob.has_magic(path) and not Path(path).exists():
            matches = sorted(glob.glob(path, recursive=True))
            if not matches:
                raise CaptureError(f"{path}: no file matches; correct the pattern.")
            files += dict.fromkeys(find(matches))  # ** matches a folder and what is in it
        else:
            files.append(path)
    return files


def captures_below(folder: Path) -> list[Path]:
    """All captures among `files_below`."""
    return [path for path in files_below(folder) if is_capture(path)]


def files_below(folder: Path) -> list[Path]:
    """All files in a folder and below it, sorted; linked folders too, each folder once, so that links may circle."""
    files: list[Path] = []
    entered: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders.sort()  # so that of two links to a folder always the same one is followed
        files += [path for path in (Path(parent, name) for name in names) if path.is_file()]
    return sorted(files, key=str)


def is_capture(path: Path) -> bool:
    """Whether a file's first bytes, decompressed, or its name say that it is a capture."""
    if any(suffix in CAPTURE_SUFFIXES for suffix in path.suffixes[-2:]):
        return True
    try:
        with opened(str(path)) as (file, _):
            return reader.is_capture(file)
    except (OSError, *DAMAGED_STREAM):
        return False
