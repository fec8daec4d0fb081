"""Packets to sessions: grouping by 5-tuple, and the columns in which sessions leave this room."""

import hashlib
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clgan_tf.capture.decode import Segment, decode
from clgan_tf.capture.readers import Packet, Reader
from clgan_tf.capture.representation import IMAGE_BYTES, REPRESENTATIONS, Representation
from clgan_tf.errors import CaptureError, ConfigError

UNITS = ("session", "flow")
NO_PAYLOAD = "session_without_payload"

KEY_DTYPE = np.dtype(
    [
        ("version", np.uint8),  # 4 or 6
        ("protocol", np.uint8),  # 6 = TCP, 17 = UDP
        ("address_a", np.uint8, 16),  # network order; IPv4 fills the first four bytes
        ("port_a", np.uint16),
        ("address_b", np.uint8, 16),
        ("port_b", np.uint16),
    ]
)


@dataclass
class Sessions:
    """Sessions as columns, in order of their first packet.

    images: uint8 [n, 28, 28]; key: structured KEY_DTYPE [n], for sessions with the lower (address, port)
    as endpoint a, for flows with the sender as a; initiator: uint8 [n], 0 if endpoint a sent the first
    packet and 1 if b did; first_time, last_time: float64 seconds since 1970 [n]; packets: int64 [n];
    num_bytes: int64 [n], length in its representation before trimming to 784; capture: int64 [n], index
    into the paths; drops: packets that are in no session, by reason; packets_read: all packets. Dropped
    and kept packets add up to packets_read. warnings: why a capture was not read to its end.
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
        """SHA-256 (first 16 bytes, hexadecimal) of key and first time: str [n]."""
        return np.array(
            [
                hashlib.sha256(key.tobytes() + time.tobytes()).hexdigest()[:32]
                for key, time in zip(self.key, self.first_time, strict=True)
            ],
            dtype=object,
        )


class _Session:
    __slots__ = ("buffer", "first_time_ns", "has_payload", "initiator", "last_time_ns", "num_bytes", "packets")

    def __init__(self, initiator: int, time_ns: int, header: bytes) -> None:
        self.initiator = initiator
        self.first_time_ns = self.last_time_ns = time_ns
        self.packets = 0
        self.buffer = bytearray(header)  # at most 784 bytes and one packet
        self.num_bytes = len(header)
        self.has_payload = False


def load(
    paths: str | Path | list[str] | list[Path],
    representation: str = "masked",
    unit: str = "session",
    strict: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Sessions:
    """Reads captures into sessions: the concatenation of `stream`, which documents the arguments."""
    return concatenate(list(stream(paths, representation, unit, strict, progress)))


def stream(
    paths: str | Path | list[str] | list[Path],
    representation: str = "masked",
    unit: str = "session",
    strict: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Sessions]:
    """Yields the sessions of one capture after another; of a session only its first 784 bytes are held.

    Args:
      paths: one capture file or a list of them.
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
    for index, path in enumerate([paths] if isinstance(paths, str | Path) else paths):
        yield _read_capture(Path(path), index, REPRESENTATIONS[representation], unit, strict, progress)


def concatenate(parts: list[Sessions]) -> Sessions:
    """All sessions of all parts, in order; drops and packets added up."""
    if not parts:
        raise ConfigError("No capture was given.")
    columns = ("images", "key", "initiator", "first_time", "last_time", "packets", "num_bytes", "capture")
    return Sessions(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in columns},
        drops=dict(sum((Counter(part.drops) for part in parts), Counter())),
        packets_read=sum(part.packets_read for part in parts),
        warnings=[warning for part in parts for warning in part.warnings],
    )


def _read_capture(
    path: Path,
    index: int,
    representation: Representation,
    unit: str,
    strict: bool,
    progress: Callable[[int, int], None] | None,
) -> Sessions:
    sessions: dict[tuple, _Session] = {}
    drops: Counter[str] = Counter()
    reader = Reader(path, strict)
    packets_read = reported_packets = reported_bytes = 0
    for packet in reader:
        packets_read += 1
        if progress and packets_read % 4096 == 0:
            progress(packets_read - reported_packets, reader.offset - reported_bytes)
            reported_packets, reported_bytes = packets_read, reader.offset
        segment = decode(packet.link_type, packet.frame)
        if isinstance(segment, str):
            drops[segment] += 1
        else:
            _add(sessions, packet, segment, representation, unit)
    if progress:
        progress(packets_read - reported_packets, reader.offset - reported_bytes)
    if not packets_read:
        reason = reader.warning or f"{path}: holds no packet; capture again."
        if strict:
            raise CaptureError(reason)
        reader.warning = reason
    elif not sessions:
        counts = ", ".join(f"{reason} {count}" for reason, count in drops.most_common())
        reason = f"{path}: none of its {packets_read} packets is TCP or UDP over IP ({counts}); leave it out."
        if strict:
            raise CaptureError(reason)
        reader.warning = reader.warning or reason
    if representation.name == "l7":
        for key in [key for key, session in sessions.items() if not session.has_payload]:
            drops[NO_PAYLOAD] += sessions.pop(key).packets
    return _columns(sessions, index, drops, packets_read, [reader.warning] if reader.warning else [])


def _add(
    sessions: dict[tuple, _Session], packet: Packet, segment: Segment, representation: Representation, unit: str
) -> None:
    source, destination = (segment.source, segment.source_port), (segment.destination, segment.destination_port)
    swapped = unit == "session" and destination < source
    ends = (destination, source) if swapped else (source, destination)
    key = (segment.protocol, *ends)
    session = sessions.get(key)
    if session is None:
        session = sessions[key] = _Session(int(swapped), packet.time_ns, representation.header(packet.link_type))
    session.packets += 1
    session.last_time_ns = max(session.last_time_ns, packet.time_ns)
    session.has_payload = session.has_payload or segment.end > segment.payload
    data = representation.packet_bytes(packet, segment)
    session.num_bytes += len(data)
    if len(session.buffer) < IMAGE_BYTES:
        session.buffer += data


def _columns(
    sessions: dict[tuple, _Session], index: int, drops: Counter[str], packets_read: int, warnings: list[str]
) -> Sessions:
    count = len(sessions)
    images = np.zeros((count, IMAGE_BYTES), np.uint8)
    key = np.zeros(count, KEY_DTYPE)
    for row, ((protocol, a, b), session) in enumerate(sessions.items()):
        data = bytes(session.buffer[:IMAGE_BYTES])
        images[row, : len(data)] = np.frombuffer(data, np.uint8)
        padded = [np.frombuffer(address.ljust(16, b"\0"), np.uint8) for address, _ in (a, b)]
        key[row] = (4 if len(a[0]) == 4 else 6, protocol, padded[0], a[1], padded[1], b[1])
    values = list(sessions.values())
    return Sessions(
        images=images.reshape(-1, 28, 28),
        key=key,
        initiator=np.array([session.initiator for session in values], np.uint8),
        first_time=np.array([session.first_time_ns / 1e9 for session in values], np.float64),
        last_time=np.array([session.last_time_ns / 1e9 for session in values], np.float64),
        packets=np.array([session.packets for session in values], np.int64),
        num_bytes=np.array([session.num_bytes for session in values], np.int64),
        capture=np.full(count, index, np.int64),
        drops=dict(drops),
        packets_read=packets_read,
        warnings=warnings,
    )
