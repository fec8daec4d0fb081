"""Files that are whole or absent: everything is written aside and then renamed."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clgan_tf.errors import ConfigError, DataError


@contextmanager
def written_aside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a path beside `path` to write to; renames it to `path` if the block succeeds.

    Works for a file and, where nothing stands at `path` yet, for a directory. On any exception,
    Ctrl-C included, what was written aside is removed and `path` keeps what it held before.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: Keras chooses its file format by it.
    aside = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
    try:
        yield aside
        aside.replace(path)
    except BaseException:
        if aside.is_dir():
            shutil.rmtree(aside)
        else:
            aside.unlink(missing_ok=True)
        raise


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
    except ValueError as error:
        raise DataError(f"{path}: not a JSON file ({error}); make it anew.") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: holds no JSON object; make it anew.")
    return value


def claim_directory(path: str | os.PathLike[str], overwrite: bool, marker: str) -> Path:
    """Returns `path`, free to be created; what stands there is removed only with `overwrite`.

    Args:
      marker: a file that every directory of this kind holds. A directory without it is not ours and
        is never removed, whatever the flags say.

    Raises:
      ConfigError: something stands at `path` and may not be replaced.
    """
    path = Path(path)
    if not path.exists():
        return path
    if not overwrite:
        raise ConfigError(f"{path} exists; choose another directory, or pass --overwrite to replace it.")
    if not (path / marker).exists():
        raise ConfigError(f"{path} holds no {marker}, so clgan_tf did not make it; choose another directory.")
    shutil.rmtree(path)
    return path
