"""Labels of single sessions in a CSV file: which 5-tuple, when if the file says so, and of what class.

Columns are known by the names that `--mode=classify`, CICFlowMeter and UNB's data sets write. A line is of a session
whichever end point it names first. Times are UTC where they have no zone; from the first to the last is half-open.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from clgan_tf.capture import PROTOCOLS, Sessions, undirected
from clgan_tf.capture.session_key import KEY_DTYPE
from clgan_tf.common.errors import DataError
from clgan_tf.data import class_names, csv_file
from clgan_tf.data.class_names import NO_LABEL
from clgan_tf.data.examples import UNLABELLED

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
NUMBERS = {written: number for number, name in PROTOCOLS.items() for written in (name.lower(), str(number))}
FORMATS = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %I:%M:%S %p", "%d/%m/%Y %H:%M", "%d/%m/%Y %I:%M %p")  # CICFlowMeter's
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

    fingerprint: see csv_file; used: those that were of a session.
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

    def unused(self, may_lack_classes: bool = False) -> str:
        """Sentences about the lines that were of no session, or an empty text.

        may_lack_classes: whether a class may be without a session; it is told then.

        Raises:
          DataError: a class has no session and may not; no line is of a session.
        """
        every = {line for lines in self.lines.values() for line in lines}
        if not self.used:
            raise DataError(
                f"{', '.join(sorted({str(line.path) for line in every}))}: none of the {len(every):,} labels is of a "
                "session in the captures; are they of these captures, and their times in UTC?"
            )
        told = []
        for label, name in enumerate(self.class_names):
            of_class = sorted(line for line in every if line.label == label)
            if not self.used & set(of_class):
                told.append(
                    f"{of_class[0].path}: none of the {len(of_class)} lines of class {name} is of a session in the "
                    "captures; correct addresses, ports or times (UTC), or leave the class out."
                )
        if told and not may_lack_classes:
            raise DataError(told[0])
        if left := sorted(every - self.used):
            told.append(f"{len(left):,} of {len(every):,} labels are of no session: {_named(left)}.")
        return " ".join(told)


def read(paths: Sequence[Path], least_classes: int = 2) -> SessionLabels:
    """The labels of one file or several; lines without one are passed over.

    Raises:
      DataError: a file cannot be read, lacks a column, or a line says what is no address, port, protocol or time.
    """
    rows = [(path, *row) for path in paths for row in _of_file(path)]
    names = class_names.of_labels(", ".join(map(str, paths)), (name for _, _, name, *_ in rows), least_classes)
    lines: dict[bytes, list[Line]] = defaultdict(list)
    for path, number, name, key, start, end in rows:
        lines[key].append(Line(path, number, start, end, names.index(name)))
    return SessionLabels(names, dict(lines), csv_file.fingerprint(paths))


def _named(lines: Sequence[Line]) -> str:
    """Files and numbers of at most MOST_NAMED lines."""
    files = dict.fromkeys(line.path for line in lines[:MOST_NAMED])
    of_file = {path: [str(line.number) for line in lines[:MOST_NAMED] if line.path == path] for path in files}
    texts = [f"{path}: line{'s' if len(found) > 1 else ''} {_listed(found)}" for path, found in of_file.items()]
    return "; ".join(texts) + (", ..." if len(lines) > MOST_NAMED else "")


def _listed(texts: Sequence[str]) -> str:
    return " and ".join(texts) if len(texts) == 2 else ", ".join(texts)


def _of_file(path: Path) -> Iterator[tuple[int, str, bytes, float, float]]:
    """Line number, class, key, start and end of each line that has a label."""
    for number, value in csv_file.lines(path, NAMES, NEEDED, "first_time and last_time"):
        if value["label"].lower() in NO_LABEL:
            continue
        try:
            yield number, value["label"], _key(value), *_times(value)
        except ValueError as error:
            raise DataError(f"{path}: line {number}: {error}; correct it or empty its label.") from error


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
        end = start + _finite(value["microseconds"]) / 1e6 + OF_A_MOMENT
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
        return _finite(text)
    except ValueError:
        moment = _moment(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _finite(text: str) -> float:
    number = float(text)
    if not np.isfinite(number):
        raise ValueError(f"{text!r} is no time")
    return number


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
