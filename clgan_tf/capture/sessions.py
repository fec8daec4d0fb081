"""Packets to sessions: grouping by 5-tuple, and the columns in which sessions leave this room."""

import hashlib
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clgan_tf.capture.headers import segments
from clgan_tf.capture.readers import Reader
from clgan_tf.capture.representation import REPRESENTATIONS, Representation
from clgan_tf.capture.session_table import SessionTable
from clgan_tf.capture.sources import find
from clgan_tf.errors import CaptureError, ConfigError

UNITS = ("session", "flow")
NO_PAYLOAD = "session_without_payload"


@dataclass
class Sessions:
    """Sessions as columns, in order of their first packet.

    images: uint8 [n, 28, 28]; key: structured session_table.KEY_DTYPE [n], for sessions with the lower (address, port)
    as endpoint a, for flows with the sender as a; initiator: uint8 [n], 0 if endpoint a sent the first
    packet and 1 if b did; first_time, last_time: float64 seconds since 1970 [n]; packets: int64 [n];
    num_bytes: int64 [n], length in its representation before trimming to 784; capture: int64 [n], index
    into `paths`, the capture files; drops: packets that are in no session, by reason; packets_read: all
    packets. Dropped and kept packets add up to packets_read. warnings: why a capture was not read to its end.
    """

    images: np.ndarray
    key: np.ndarray
    initiator: np.ndarray
    first_time: np.ndarray
    last_time: np.ndarray
    packets: np.ndarray
    num_bytes: np.ndarray
    capture: np.ndarray
    drops: dict[str, int] = field(default_factory=dict)
    packets_read: int = 0
    paths: list[str] = field(default_factory=list)
    unit: str = "session"
    warnings: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.key)

    def endpoints(self, row: int) -> tuple[str, int, str, int]:
        """Source address and port, destination address and port; the source sent the first packet."""
        key = self.key[row]
        size = 4 if key["version"] == 4 else 16
        a = str(ipaddress.ip_address(key["address_a"][:size].tobytes())), int(key["port_a"])
        b = str(ipaddress.ip_address(key["address_b"][:size].tobytes())), int(key["port_b"])
        return (*b, *a) if self.initiator[row] else (*a, *b)

    def identifiers(self) -> np.ndarray:
        """Who no two rows are: str [n].

        A session's is the SHA-256 (first 16 bytes, hexadecimal) of key and first time. A flow's names the session
        it belongs to, by the undirected key and the first time of its earlier flow, then "#" and its direction.
        """
        if self.unit == "session":
            return np.array(
                [_digest(key, time) for key, time in zip(self.key, self.first_time, strict=True)], dtype=object
            )
        undirected = [(int(row), *_undirected(key)) for row, key in zip(self.capture, self.key, strict=True)]
        first: dict[tuple[int, bytes], float] = {}
        for (row, key, _), time in zip(undirected, self.first_time, strict=True):
            first[row, key] = min(time, first.get((row, key), np.inf))
        return np.array(
            [f"{_digest(key, first[row, key])}#{direction}" for row, key, direction in undirected], dtype=object
        )


def _digest(key: np.void | bytes, time: float) -> str:
    data = key if isinstance(key, bytes) else key.tobytes()
    return hashlib.sha256(data + np.float64(time).tobytes()).hexdigest()[:32]


def _undirected(key: np.void) -> tuple[bytes, int]:
    """A flow's key with the lower end point first, and 1 if that changed it."""
    a, b = (bytes(key[f"address_{end}"]) + int(key[f"port_{end}"]).to_bytes(2, "big") for end in "ab")
    low, high = sorted((a, b))
    return bytes([key["version"], key["protocol"]]) + low + high, int(low != a)


def load(
    paths: str | Path | Sequence[str | Path],
    representation: str = "masked",
    unit: str = "session",
    strict: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Sessions:
    """Reads captures into sessions: the concatenation of `stream`, which documents the arguments."""
    return concatenate(list(stream(paths, representation, unit, strict, progress)))


def stream(
    paths: str | Path | Sequence[str | Path],
    representation: str = "masked",
    unit: str = "session",
    strict: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Sessions]:
    """Yields the sessions of one capture after another; of a session only its first 784 bytes are held.

    Args:
      paths: capture files, folders of them, shell patterns or "-" for standard input; one or a list.
      representation: "masked", "l7" or "all_layers".
      unit: "session" (both directions of a 5-tuple) or "flow" (one direction).
      strict: raise at damage inside a capture; otherwise keep what came before it, with a warning.
      progress: called with (packets, bytes) read since the last call.

    Raises:
      CaptureError: a file is missing, is no capture, is damaged (if strict), or has no TCP or UDP session.
      ConfigError: representation or unit is unknown.
    """
    if representation not in REPRESENTATIONS:
        names = ", ".join(REPRESENTATIONS)
        raise ConfigError(f"There is no representation {representation!r}; choose one of {names}.")
    if unit not in UNITS:
        raise ConfigError(f"There is no unit {unit!r}; choose one of {', '.join(UNITS)}.")
    found = find([paths] if isinstance(paths, str | Path) else list(paths))
    for index in range(len(found)):
        yield _read_capture(found, index, REPRESENTATIONS[representation], unit, strict, progress)


def concatenate(parts: list[Sessions]) -> Sessions:
    """All sessions of all parts, in order; drops and packets added up."""
    if not parts:
        raise ConfigError("No capture was given.")
    if len(parts) == 1:
        return parts[0]
    columns = ("images", "key", "initiator", "first_time", "last_time", "packets", "num_bytes", "capture")
    return Sessions(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in columns},
        drops=dict(sum((Counter(part.drops) for part in parts), Counter())),
        packets_read=sum(part.packets_read for part in parts),
        paths=parts[0].paths,
        unit=parts[0].unit,
        warnings=[warning for part in parts for warning in part.warnings],
    )


def _read_capture(
    paths: list[str],
    index: int,
    representation: Representation,
    unit: str,
    strict: bool,
    progress: Callable[[int, int], None] | None,
) -> Sessions:
    path = paths[index]
    table = SessionTable(representation, unit, _most_sessions(path))
    drops: Counter[str] = Counter()
    reader = Reader(path, strict)
    packets_read = reported_bytes = 0
    for block in reader:
        packets_read += len(block)
        found, unused = segments(block)
        drops.update(unused)
        table.add(block, found)
        if progress:
            progress(len(block), reader.position - reported_bytes)
            reported_bytes = reader.position
    if not packets_read:
        reason = reader.warning or f"{path}: holds no packet; capture again."
        if strict:
            raise CaptureError(reason)
        reader.warning = reason
    elif not len(table):
        counts = ", ".join(f"{reason} {count}" for reason, count in drops.most_common())
        reason = f"{path}: none of its {packets_read} packets is TCP or UDP over IP ({counts}); leave it out."
        if strict:
            raise CaptureError(reason)
        reader.warning = reader.warning or reason
    columns, without_payload = table.columns()
    if without_payload:
        drops[NO_PAYLOAD] += without_payload
    return Sessions(
        **columns,
        capture=np.full(len(columns["key"]), index, np.int64),
        drops=dict(drops),
        packets_read=packets_read,
        paths=paths,
        unit=unit,
        warnings=[reader.warning] if reader.warning else [],
    )


def _most_sessions(path: str) -> int:
    """No capture of this size has more sessions, if it is not compressed: a packet takes at least 44 bytes."""
    return Path(path).stat().st_size // 44 if Path(path).is_file() else 0
