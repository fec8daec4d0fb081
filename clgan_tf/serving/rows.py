"""Where labelled rows go: standard output, a file that is whole or absent, or one that grows with a stream."""

import csv
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from clgan_tf.common.errors import ConfigError
from clgan_tf.common.files import naming, written_aside
from clgan_tf.common.output import reader_is_gone

COLUMNS = (
    *("capture", "protocol", "source", "source_port", "destination", "destination_port", "first_time", "last_time"),
    *("packets", "bytes", "label", "probability", "familiarity", "top"),
)
UNITS = {"k": 1e3, "M": 1e6, "G": 1e9, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SIZES = "kMG"

Row = dict[str, Any]


def write_rows(rows: Iterable[Row], output: str) -> int:
    """Writes rows to FILE.jsonl, FILE.csv (whole or not at all) or, for "-", as JSON lines to standard output.

    Returns the number of rows.

    Raises:
      BrokenPipeError: who reads standard output has gone.
    """
    if output == "-":
        return _print_rows(rows, flush=False)
    with written_aside(output) as aside, open(aside, "w", newline="", encoding="utf-8") as file:
        return _count(map(_writer(output, file), rows))


def write_stream(rows: Iterable[Row], output: str, rotate: str = "") -> int:
    """As `write_rows`, but each row is there to be read as soon as it is known: the file grows by whole lines.

    rotate: see `Rotation`.
    """
    if output == "-":
        return _print_rows(rows, flush=True)
    count, rotation = 0, Rotation.of(rotate)
    waiting = iter(rows)
    is_over = False
    while not is_over:
        is_over = True
        with naming(output), open(output, "w", newline="", encoding="utf-8") as file:
            write, begun = _writer(output, file), time.monotonic()
            for row in waiting:
                write(row)
                file.flush()
                count += 1
                if rotation.is_due(file.tell(), time.monotonic() - begun):
                    is_over = False
                    break
        if not is_over:
            _move_behind(Path(output))
    return count


class Rotation:
    """When a growing file is renamed and a new one begun: "100M" bytes (k, M, G), "1h" (s, m, h, d), or "" for never.

    Raises:
      ConfigError: the text is neither.
    """

    def __init__(self, size: float, seconds: float) -> None:
        self.size, self.seconds = size, seconds

    @classmethod
    def of(cls, text: str) -> "Rotation":
        """What a text says."""
        if not text:
            return cls(float("inf"), float("inf"))
        number, unit = text[:-1], text[-1]
        if unit not in UNITS or not number.isdecimal() or not int(number):
            raise ConfigError(f"--rotate takes a size such as 100M or a time such as 1h, not {text!r}.")
        amount = int(number) * UNITS[unit]
        return cls(amount, float("inf")) if unit in SIZES else cls(float("inf"), amount)

    def is_due(self, size: int, seconds: float) -> bool:
        """Whether a file of so many bytes, begun so long ago, is to be left."""
        return size >= self.size or seconds >= self.seconds


def _move_behind(path: Path) -> None:
    """Renames a file after the present moment."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    for number in range(1 << 20):
        name = path.with_name(f"{path.stem}-{moment}{f'-{number}' if number else ''}{path.suffix}")
        if not name.exists():
            path.rename(name)
            return


def _print_rows(rows: Iterable[Row], flush: bool) -> int:
    def written() -> Iterator[None]:
        write = _writer("-", sys.stdout)
        for row in rows:
            if reader_is_gone():
                raise BrokenPipeError
            write(row)
            if flush:
                sys.stdout.flush()
            yield

    count = _count(written())
    sys.stdout.flush()
    if reader_is_gone():
        raise BrokenPipeError
    return count


def _writer(output: str, file: TextIO) -> Callable[[Row], Any]:
    if not output.endswith(".csv"):
        return lambda row: file.write(json.dumps(row) + "\n")
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()

    def write(row: Row) -> None:
        ranked = "; ".join(f"{item['label']} {item['probability']:.4f}" for item in row["top"])
        writer.writerow({**row, "top": ranked})

    return write


def _count(items: Iterable[Any]) -> int:
    return sum(1 for _ in items)
