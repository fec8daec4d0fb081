"""Files that are whole or absent: everything is written aside and then renamed."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from clgan_tf.errors import ConfigError, DataError


class Marker(NamedTuple):
    """A file that every directory of one kind holds, and what is written in it."""

    name: str
    text: str


@contextmanager
def written_aside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a path beside `path` to write a file to; renames it to `path` if the block succeeds.

    On any exception, Ctrl-C included, what was written aside is removed and `path` keeps what it held before.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = _aside(path)
    try:
        yield aside
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


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
        yield aside
        set_aside = move_away(path)
        aside.replace(path)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    if set_aside:
        shutil.rmtree(set_aside)


def move_away(path: Path) -> Path | None:
    """Renames what stands at `path`, if anything, to a hidden name beside it, and returns that name."""
    if not path.exists():
        return None
    return path.rename(path.with_name(f".{path.name}.replaced-{os.getpid()}"))


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


def _aside(path: Path) -> Path:
    # The name stays at the end: Keras and matplotlib choose a file's format by it.
    return path.with_name(f".partial-{os.getpid()}.{path.name}")


def write_json(path: str | os.PathLike[str], value: object) -> None:
    """Writes `value` as indented JSON, whole or not at all."""
    with written_aside(path) as aside:
        aside.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike[str], max_bytes: int = 64 << 20) -> dict:
    """Reads one JSON object.

    Raises:
      DataError: the file is missing, longer than `max_bytes`, or does not hold a JSON object.
    """
    path = Path(path)
    try:
        if path.stat().st_size > max_bytes:
            raise DataError(f"{path}: larger than {max_bytes} bytes, so it was not written by clgan_tf.")
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; make it with the mode that writes it.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a JSON file ({error}); make it anew.") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: holds no JSON object; make it anew.")
    return value
