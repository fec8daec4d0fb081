"""A CSV file that people filled in or other tools wrote, line by line, its columns by their many names."""

import csv
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from clgan_tf.common.errors import DataError

MAX_LINES = 10_000_000
LONGEST_HEADER = 1 << 20
SEPARATORS = ",;\t"  # Spreadsheets write semicolons where the comma is the decimal point.


def lines(
    path: Path, names: Mapping[str, Sequence[str]], needed: Collection[str], others: str = ""
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields each line behind the header: its number, and its values by what their columns are.

    Args:
      names: what a column is: its names in lower case, words joined by _, the best one first; needed: those that must
        be there; others: how an error speaks of columns that may be.

    Raises:
      DataError: the file cannot be read or lacks a column; the sentence names the file.
    """
    number = 0
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            header = file.readline(LONGEST_HEADER)
            if len(header) == LONGEST_HEADER:
                raise DataError(f"{path}: line 1 has {LONGEST_HEADER:,} characters or more; is it a CSV file?")
            reader = csv.reader(chain([header], file), delimiter=_separator(header, names), strict=True)
            columns = _columns(path, next(reader, []), names, needed, others)
            number = reader.line_num
            for row in reader:
                number = reader.line_num
                if number > MAX_LINES:
                    raise DataError(f"{path}: has more than {MAX_LINES:,} lines; split it.")
                yield number, {name: row[at].strip() if at < len(row) else "" for name, at in columns.items()}
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; a CSV file is needed.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} of a block is not UTF-8; save it as CSV in UTF-8.") from error
    except csv.Error as error:
        raise DataError(f"{path}: is no CSV file ({error} behind line {number}); save it as one.") from error


def _separator(header: str, names: Mapping[str, Sequence[str]]) -> str:
    """That by which the header has the most columns that are known."""

    def known(separator: str) -> int:
        with suppress(csv.Error):
            return len(_places(next(csv.reader([header], delimiter=separator), []), names))
        return 0

    return max(SEPARATORS, key=known)


def _places(header: list[str], names: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Where each known column lies."""
    written = [re.sub(r"\W+", "_", name.strip().lower()) for name in header]
    return {name: written.index(known) for name, all_of in names.items() for known in all_of[::-1] if known in written}


def _columns(
    path: Path, header: list[str], names: Mapping[str, Sequence[str]], needed: Collection[str], others: str
) -> dict[str, int]:
    places = _places(header, names)
    missing = [name for name in needed if name not in places]
    if missing:
        also = f", and may name {others}" if others else ""
        raise DataError(
            f"{path}: line 1 has no column {', '.join(missing)}; it must name {', '.join(needed)}{also}, separated by "
            "commas, semicolons or tabs."
        )
    return places


def fingerprint(paths: Sequence[Path]) -> str:
    """SHA-256 of a file; of several, of their SHA-256 behind each other; of none, an empty text."""
    digests = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}; a CSV file is needed.") from error
    if len(digests) > 1:
        return hashlib.sha256("".join(digests).encode()).hexdigest()
    return "".join(digests)
