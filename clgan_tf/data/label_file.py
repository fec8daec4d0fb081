"""Labels of single sessions in a CSV file: which 5-tuple, when if the file says so, and of what class.

Columns are known by the names that `--mode=classify`, CICFlowMeter and UNB's data sets write. A line is of a session
whichever end point it names first. Times are UTC where they have no zone; from the first to the last is half-open.
"""

import csv
import hashlib
import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from clgan_tf.capture import PROTOCOLS, Sessions, undirected
from clgan_tf.capture.session_key import KEY_DTYPE
from clgan_tf.common.errors import DataError
from clgan_tf.data.examples import UNLABELLED
from clgan_tf.data.labelled_folder import UNLABELLED_SPELLINGS, plain_form

# What a column is, by its names in lower case, words joined by _.
NAMES = {
    "source": ("source", "src_ip", "source_ip", "srcip", "src"),
    "source_port": ("source_port", "src_port", "srcport", "sport"),
    "destination": ("destination", "dst_ip", "destination_ip", "dstip", "dst"),
    "destination_port": ("destination_port", "dst_port", "dstport", "dport"),
    "protocol": ("protocol", "proto"),
    "label": ("label", "class"),
    "start": ("first_time", "timestamp", "start_time", "start"),
    "end": ("last_time", "end_time", "end"),
    "microseconds": ("flow_duration",),
}
NEEDED = ("source", "source_port", "destination", "destination_port", "protocol", "label")
NO_LABEL = {"", "unknown", "no label", "needmanuallabel"}  # "unknown" is what classify rejects; CICFlowMeter's
NUMBERS = {written: number for number, name in PROTOCOLS.items() for written in (name.lower(), str(number))}
FORMATS = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %I:%M:%S %p", "%d/%m/%Y %H:%M", "%d/%m/%Y %I:%M %p")  # CICFlowMeter's
MAX_LINES = 10_000_000
MOST_NAMED = 5
WRITTEN_TO = 1e-6  # seconds to which classify writes times
OF_A_MOMENT = 1.0  # seconds around a time that stands alone: CICFlowMeter writes whole ones


class Line(NamedTuple):
    """A line of a file. start, end: Unix seconds, infinite where it has none; label: index of the class."""

    path: Path
    number: int
    start: float
    end: float
    label: int

    def holds(self, first: float, last: float) -> bool:
        """Whether a session, from its first to its last packet, has a packet in [start, end)."""
        return first < self.end and last >= self.start

    def holds_begin(self, first: float) -> bool:
        """Whether a session begins there."""
        return self.start <= first < self.end


@dataclass
class SessionLabels:
    """All lines of one file, or several, that have a label, by the undirected key of their session.

    fingerprint: see `fingerprint`; used: those that were of a session.
    """

    class_names: list[str]
    lines: dict[bytes, list[Line]]
    fingerprint: str
    used: set[Line] = field(default_factory=set)

    def of(self, sessions: Sessions) -> np.ndarray:
        """Labels int64 [n] of sessions, UNLABELLED where no line is of one.

        Raises:
          DataError: two lines give one session different labels.
        """
        labels = np.full(len(sessions), UNLABELLED, np.int64)
        for row, key in enumerate(sessions.key):
            first, last = float(sessions.first_time[row]), float(sessions.last_time[row])
            lines = [line for line in self.lines.get(undirected(key)[0], ()) if line.holds(first, last)]
            if len({line.label for line in lines}) > 1:
                lines = [line for line in lines if line.holds_begin(first)] or lines
            if not lines:
                continue
            other = next((line for line in lines if line.label != lines[0].label), None)
            if other:
                raise DataError(
                    f"{_named([lines[0], other])} call one session "
                    f"{self.class_names[lines[0].label]} and {self.class_names[other.label]}; correct one of them."
                )
            labels[row] = lines[0].label
            self.used |= set(lines)
        return labels

    def unused(self) -> str:
        """A sentence about the lines that were of no session, or an empty text.

        Raises:
          DataError: a class has no session.
        """
        every = {line for lines in self.lines.values() for line in lines}
        if not self.used:
            raise DataError(
                f"{', '.join(sorted({str(line.path) for line in every}))}: none of the {len(every):,} labels is of a "
                "session in the captures; are they of these captures, and their times in UTC?"
            )
        for label, name in enumerate(self.class_names):
            of_class = sorted(line for line in every if line.label == label)
            if not self.used & set(of_class):
                raise DataError(
                    f"{of_class[0].path}: none of the {len(of_class)} lines of class {name} is of a session in the "
                    "captures; correct addresses, ports or times (UTC), or leave the class out."
                )
        left = sorted(every - self.used)
        return f"{len(left):,} of {len(every):,} labels are of no session: {_named(left)}." if left else ""


def read(paths: Sequence[Path]) -> SessionLabels:
    """The labels of one file or several; lines without one are passed over.

    Raises:
      DataError: a file cannot be read, lacks a column, or a line says what is no address, port, protocol or time.
    """
    rows = [(path, *row) for path in paths for row in _of_file(path)]
    class_names = sorted({name for _, _, name, *_ in rows})
    files = ", ".join(map(str, paths))
    _refuse_odd_names(files, class_names)
    if len(class_names) < 2:
        raise DataError(f"{files}: labels of {len(class_names)} classes; two are needed at least.")
    lines: dict[bytes, list[Line]] = defaultdict(list)
    for path, number, name, key, start, end in rows:
        lines[key].append(Line(path, number, start, end, class_names.index(name)))
    return SessionLabels(class_names, dict(lines), fingerprint(paths))


def _named(lines: Sequence[Line]) -> str:
    """Files and numbers of at most MOST_NAMED lines."""
    files = dict.fromkeys(line.path for line in lines[:MOST_NAMED])
    of_file = {path: [str(line.number) for line in lines[:MOST_NAMED] if line.path == path] for path in files}
    texts = [f"{path}: line{'s' if len(found) > 1 else ''} {_listed(found)}" for path, found in of_file.items()]
    return "; ".join(texts) + (", ..." if len(lines) > MOST_NAMED else "")


def _listed(texts: Sequence[str]) -> str:
    return " and ".join(texts) if len(texts) == 2 else ", ".join(texts)


def _of_file(path: Path) -> list[tuple[int, str, bytes, float, float]]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            return list(_rows(path, csv.reader(file)))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; --session_labels takes a CSV file.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} of a block is not UTF-8; save it as CSV in UTF-8.") from error
    except csv.Error as error:
        raise DataError(f"{path}: is no CSV file ({error}); save it as one.") from error


def fingerprint(paths: Sequence[Path]) -> str:
    """SHA-256 of a file; of several, of their SHA-256 behind each other; of none, an empty text."""
    digests = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}; --session_labels takes a CSV file.") from error
    if len(digests) > 1:
        return hashlib.sha256("".join(digests).encode()).hexdigest()
    return "".join(digests)


def _rows(path: Path, reader: Iterator[list[str]]) -> Iterator[tuple[int, str, bytes, float, float]]:
    """Line number, class, key, start and end of each line that has a label."""
    columns = _columns(path, next(reader, []))
    for number, row in enumerate(reader, 2):
        if number > MAX_LINES:
            raise DataError(f"{path}: has more than {MAX_LINES:,} lines; split it.")
        value = {name: row[index].strip() if index < len(row) else "" for name, index in columns.items()}
        if value["label"].lower() in NO_LABEL:
            continue
        try:
            yield number, value["label"], _key(value), *_times(value)
        except ValueError as error:
            raise DataError(f"{path}: line {number}: {error}; correct it or empty its label.") from error


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    """Where each known column lies."""
    written = [re.sub(r"\W+", "_", name.strip().lower()) for name in header]
    places = {name: written.index(known) for name, names in NAMES.items() for known in names[::-1] if known in written}
    missing = [name for name in NEEDED if name not in places]
    if missing:
        raise DataError(
            f"{path}: line 1 has no column {', '.join(missing)}; it must name {', '.join(NEEDED)}, and may name "
            "first_time and last_time."
        )
    return places


def _key(value: dict[str, str]) -> bytes:
    protocol = NUMBERS.get(value["protocol"].lower())
    if protocol is None:
        raise ValueError(f"{value['protocol']!r} is neither TCP nor UDP")
    ends: list[int | bytes] = []
    versions = set()
    for end in ("source", "destination"):
        address = ipaddress.ip_address(value[end])
        versions.add(address.version)
        port = value[f"{end}_port"]
        if not port.isdecimal() or int(port) > 65535:
            raise ValueError(f"{port!r} is no port")
        ends += [address.packed.ljust(16, b"\0"), int(port)]
    if len(versions) > 1:
        raise ValueError("one address is IPv4 and the other IPv6")
    address_a, port_a, address_b, port_b = ends
    a, b = (np.frombuffer(bytes(address), np.uint8) for address in (address_a, address_b))  # type: ignore[arg-type]
    key = np.array([(versions.pop(), protocol, a, port_a, b, port_b)], KEY_DTYPE)
    return undirected(key[0])[0]


def _times(value: dict[str, str]) -> tuple[float, float]:
    start = _seconds(value.get("start", ""))
    if start is None:
        return -np.inf, np.inf
    end = _seconds(value.get("end", ""))
    if end is None and value.get("microseconds"):
        end = start + float(value["microseconds"]) / 1e6 + OF_A_MOMENT
    if end is None:
        return start - OF_A_MOMENT, start + OF_A_MOMENT
    if end < start:
        raise ValueError("it ends before it begins")
    return start - WRITTEN_TO, max(end, start + WRITTEN_TO)


def _seconds(text: str) -> float | None:
    """Unix seconds of a number of them, an ISO 8601 time, or one as CICFlowMeter writes it."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        moment = _moment(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not np.isfinite(seconds):
        raise ValueError(f"{text!r} is no time")
    return seconds


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in FORMATS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    raise ValueError(f"{text!r} is no time; write 2024-05-01T12:00:00Z or Unix seconds")


def _refuse_odd_names(files: str, names: Iterable[str]) -> None:
    """Raises DataError where names look alike to people, or are none."""
    alike: dict[str, str] = {}
    for name in names:
        if not name.isprintable():
            raise DataError(f"{files}: {name!r} is no name of a class; give it one without control characters.")
        plain = plain_form(name)
        if plain in UNLABELLED_SPELLINGS:
            raise DataError(f"{files}: {name!r} would be a class; leave a session without a label empty.")
        if plain in alike:
            raise DataError(
                f"{files}: {alike[plain]!r} and {name!r} differ in case or spaces alone; write one of them."
            )
        alike[plain] = name
