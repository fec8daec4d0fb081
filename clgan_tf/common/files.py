"""Files that are whole or absent: everything is written aside and then renamed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import NamedTuple

from clgan_tf.common.errors import ConfigError
from clgan_tf.common.progress import tell

PARTIAL = ".partial-"  # so begin the names of what is not whole yet


class Marker(NamedTuple):
    """A file that every directory of one kind holds, and what is written in it."""

    name: str
    text: str


@contextmanager
def naming(path: str | os.PathLike[str], aside: str | os.PathLike[str] = "") -> Iterator[None]:
    """Names the file in an error of the system that names none, as that of a full disk, or what is written aside."""
    try:
        yield
    except OSError as error:
        if error.filename in (None, os.fspath(aside)):
            error.filename = os.fspath(path)
        raise


@contextmanager
def written_aside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a path beside `path` to write a file to; renames it to `path` if the block succeeds.

    On any exception, Ctrl-C included, what was written aside is removed and `path` keeps what it held before.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = _aside(path)
    try:
        with naming(path, aside):
            yield aside
            aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


@contextmanager
def written_anew(path: str | os.PathLike[str]) -> Iterator[Path]:
    """As `written_aside`; a file that stands at `path` is renamed, see `keep_earlier`, once the new one is whole."""
    with written_aside(path) as aside:
        yield aside
        keep_earlier(Path(path))


@contextmanager
def written_directory(path: str | os.PathLike[str], overwrite: bool, marker: Marker) -> Iterator[Path]:
    """As `written_aside` for a whole directory, which replaces one of the same kind only with `overwrite`.

    Raises:
      ConfigError: something stands at `path` and may not be replaced; see `check_free`.
    """
    path = Path(path).resolve()
    check_free(path, overwrite, marker)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = _aside(path)
    aside.mkdir()
    try:
        with naming(path):
            yield aside
        set_aside = move_away(path)
        aside.replace(path)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    if set_aside:
        shutil.rmtree(set_aside)


def readable_name(path: str | os.PathLike[str]) -> str:
    """A file's name as text: what is not UTF-8 in it is replaced, as it would fit into no record and no JSON file."""
    return os.fsencode(path).decode(errors="replace")


def move_away(path: Path) -> Path | None:
    """Renames what stands at `path`, if anything, to a hidden name beside it, and returns that name."""
    if not path.exists():
        return None
    return path.rename(path.with_name(f".{path.name}.replaced-{os.getpid()}"))


def keep_earlier(path: Path) -> None:
    """Renames a file that stands at `path` and holds anything after the present moment, and tells of it."""
    if path.is_file() and path.stat().st_size:
        tell(f"{path} was there; it is {move_behind(path)} now.")


def move_behind(path: Path) -> Path:
    """Renames a file after the present moment; returns its new name."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    numbered = (path.with_name(f"{path.stem}-{moment}{f'-{n}' if n else ''}{path.suffix}") for n in count())
    return path.rename(next(name for name in numbered if not name.exists()))


def check_free(path: Path, overwrite: bool, marker: Marker) -> None:
    """Passes if nothing stands at `path`, or a directory with the marker does and `overwrite` is on.

    Raises:
      ConfigError: something stands there and overwrite is off, or clgan_tf did not make it.
    """
    if not path.exists():
        return
    if not overwrite:
        raise ConfigError(f"{path} exists; choose another directory, or pass --overwrite to replace it.")
    try:
        with open(path / marker.name, encoding="utf-8", errors="replace") as file:
            ours = marker.text in file.read(1 << 20)
    except OSError:
        ours = False
    if not ours:
        raise ConfigError(f"{path} has no {marker.name} of clgan_tf, which did not make it; choose another directory.")


def remove_partial(directory: Path) -> None:
    """Removes what a process that was killed has written aside below a directory in which no other one is at work."""
    for path in directory.rglob(f"{PARTIAL}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _aside(path: Path) -> Path:
    # The name stays at the end: Keras and matplotlib choose a file's format by it.
    return path.with_name(f"{PARTIAL}{os.getpid()}.{path.name}")
