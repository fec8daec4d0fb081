"""Where labelled rows go: standard output, a file that is whole or absent, or one that grows with a stream."""

import csv
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import msgspec

from clgan_tf.common.files import keep_earlier, move_behind, naming, written_anew
from clgan_tf.common.output import reader_is_gone
from clgan_tf.common.rotation import Rotation

COLUMNS = (
    *("capture", "protocol", "source", "source_port", "destination", "destination_port", "first_time", "last_time"),
    *("packets", "bytes", "label", "probability", "familiarity", "top"),
)

Row = dict[str, Any]


def write_rows(rows: Iterable[Row], output: str) -> int:
    """Writes rows to FILE.jsonl, FILE.csv (whole or not at all) or, for "-", as JSON lines to standard output.

    A file that stands there is renamed, see `keep_earlier`: it may hold labels that a person has filled in.

    Returns the number of rows.

    Raises:
      BrokenPipeError: who reads standard output has gone.
    """
    if output == "-":
        return _print_rows(rows, flush=False)
    with written_anew(output) as aside, open(aside, "w", newline="", encoding="utf-8") as file:
        return _count(map(_writer(output, file), rows))


def write_stream(rows: Iterable[Row], output: str, rotate: str = "") -> int:
    """As `write_rows`, but each row is there to be read as soon as it is known: the file grows by whole lines.

    A file that stands at `output` is renamed after the present moment, as `Rotation` says for those that follow.
    """
    if output == "-":
        return _print_rows(rows, flush=True)
    path, rotation, count = Path(output), Rotation.of(rotate), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    keep_earlier(path)
    waiting = iter(rows)
    row = next(waiting, None)
    if row is None:
        path.touch()
    while row is not None:
        with open(path, "w", newline="", encoding="utf-8") as file:
            write, begun = _writer(output, file), time.monotonic()
            while row is not None and not rotation.is_due(file.tell(), time.monotonic() - begun):
                with naming(output):
                    write(row)
                    file.flush()
                count += 1
                row = next(waiting, None)
        if row is not None:
            move_behind(path)
    return count


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
        return lambda row: file.write(f"{as_json(row)}\n")
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()

    def write(row: Row) -> None:
        ranked = "; ".join(f"{item['label']} {item['probability']:.4f}" for item in row["top"])
        writer.writerow({**row, "top": ranked})

    return write


def as_json(row: Row) -> str:
    """A line of ASCII alone, so that any terminal's encoding will do."""
    text = msgspec.json.encode(row).decode()
    return text if text.isascii() else json.dumps(row, separators=(",", ":"))  # It takes ten times as long.


def _count(items: Iterable[Any]) -> int:
    return sum(1 for _ in items)
