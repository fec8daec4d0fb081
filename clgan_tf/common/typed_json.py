"""JSON to typed dataclasses and back; what is read is checked against their types."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from clgan_tf.common.errors import DataError
from clgan_tf.common.files import written_aside

MAX_BYTES = 512 << 20  # of a file: a data set of a million captures names each

Kind = TypeVar("Kind")


def read(path: str | os.PathLike[str], kind: type[Kind], remedy: str = "make it anew") -> Kind:
    """Reads one value of type `kind`.

    Raises:
      DataError: the file is missing, longer than MAX_BYTES, or does not hold such a value.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: larger than {MAX_BYTES} bytes, so it was not written by clgan_tf.")
        text = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; make it with the mode that writes it.") from error
    return decode(text, kind, str(path), remedy)


def decode(text: bytes, kind: type[Kind], what: str, remedy: str = "make it anew") -> Kind:
    """One value of type `kind` from JSON. Raises DataError, which names `what` and the remedy, where it is none."""
    try:
        return msgspec.json.decode(text, type=kind, dec_hook=_decoded)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise DataError(f"{what}: not what clgan_tf writes there ({error}); {remedy}.") from error


def convert(value: Any, kind: type[Kind]) -> Kind:
    """A value of type `kind` from dictionaries, lists, texts and numbers.

    Raises:
      msgspec.ValidationError: they do not fit; the message says where.
    """
    return msgspec.convert(value, kind, dec_hook=_decoded)


def builtins(value: Any) -> Any:
    """Dataclasses as dictionaries, lists, texts and numbers, as JSON has them."""
    return msgspec.to_builtins(value, enc_hook=_encoded)


def write(path: str | os.PathLike[str], value: Any) -> None:
    """Writes a value as indented JSON, whole or not at all."""
    with written_aside(path) as aside:
        aside.write_text(json.dumps(builtins(value), indent=2) + "\n", encoding="utf-8")


def read_lines(path: Path, kind: type[Kind], remedy: str = "get the file again") -> list[Kind]:
    """Reads values of type `kind`, one a line.

    Raises:
      OSError: the file cannot be read. DataError: a line does not hold such a value.
    """
    lines = path.read_bytes().splitlines()
    return [decode(text, kind, f"{path}, line {number}", remedy) for number, text in enumerate(lines, 1)]


def write_lines(path: Path, values: Iterable[Any]) -> None:
    """Writes values as JSON, one a line, whole or not at all."""
    with written_aside(path) as aside:
        aside.write_text("".join(map(line, values)), encoding="utf-8")


def line(value: Any) -> str:
    """A value as one line of JSON."""
    return json.dumps(builtins(value)) + "\n"


def _encoded(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"JSON has no {type(value).__name__}.")


def _decoded(kind: type, value: Any) -> Any:
    if issubclass(kind, Path) and isinstance(value, str):
        return Path(value)
    raise ValueError(f"Expected a path, got {type(value).__name__}")  # msgspec says where.
