"""A CSV file that people filled in or other tools wrote, line by line, its columns by their many names."""

import csv
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
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
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            header = file.readline(LONGEST_HEADER)
            separator = max(SEPARATORS, key=header.count)
            columns = _columns(path, next(csv.reader([header], delimiter=separator), []), names, needed, others)
            reader = csv.reader(file, delimiter=separator)
            for row in reader:
                if reader.line_num > MAX_LINES:
                    raise DataError(f"{path}: has more than {MAX_LINES:,} lines; split it.")
                yield (
                    reader.line_num + 1,
                    {name: row[at].strip() if at < len(row) else "" for name, at in columns.items()},
                )
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; a CSV file is needed.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} of a block is not UTF-8; save it as CSV in UTF-8.") from error
    except csv.Error as error:
        raise DataError(f"{path}: is no CSV file ({error}); save it as one.") from error


def _columns(
    path: Path, header: list[str], names: Mapping[str, Sequence[str]], needed: Collection[str], others: str
) -> dict[str, int]:
    """Where each known column lies."""
    written = [re.sub(r"\W+", "_", name.strip().lower()) for name in header]
    places = {
        name: written.index(known) for name, known_as in names.items() for known in known_as[::-1] if known in written
    }
    missing = [name for name in needed if name not in places]
    if missing:
        also = f", and may name {others}" if others else ""
        raise DataError(f"{path}: line 1 has no column {', '.join(missing)}; it must name {', '.join(needed)}{also}.")
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
