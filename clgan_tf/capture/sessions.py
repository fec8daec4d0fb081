"""Packets to sessions: grouping by 5-tuple, and the columns in which sessions leave this room."""

import hashlib
import ipaddress
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from clgan_tf.capture.compression import STANDARD_INPUT
from clgan_tf.capture.live import Live
from clgan_tf.capture.packet_block import Decoder
from clgan_tf.capture.parallel import Progress, in_order
from clgan_tf.capture.reader import Reader
from clgan_tf.capture.reasons import NO_PAYLOAD, TUNNEL
from clgan_tf.capture.representation import DEFAULT_REPRESENTATION, REPRESENTATIONS
from clgan_tf.capture.rules import SessionRules
from clgan_tf.capture.session_key import PROTOCOLS
from clgan_tf.capture.session_table import MOST_LIVE_SESSIONS, Batch, SessionTable
from clgan_tf.capture.sources import find
from clgan_tf.common.errors import CaptureError, ConfigError, NoSessionError

UNITS = ("session", "flow")
PUBLISHED_RULES = SessionRules()
COLUMNS = (
    *("images", "key", "initiator", "first_time", "last_time", "packets", "num_bytes", "first_packet", "last_packet"),
    "capture",
)


@dataclass(frozen=True)
class CaptureSummary:
    """What a capture held, known at its end.

    capture: index into Sessions.paths; packets: all that were read; drops: those that are in no session, by reason;
    early: sessions that had to leave before their end, for want of room; warnings: what is odd; is_damaged: it could
    not be read to its end, as the first warning says.
    """

    capture: int
    packets: int
    drops: dict[str, int]
    early: int
    warnings: list[str]
    is_damaged: bool


@dataclass
class Sessions:
    """Sessions as columns, in order of their first packet.

    images: uint8 [n, 28, 28]; key: structured session_key.KEY_DTYPE [n], for sessions with the lower (address, port)
    as endpoint a, for flows with the sender as a; initiator: uint8 [n], 0 if endpoint a sent the first
    packet and 1 if b did; first_time, last_time: float64 seconds since 1970 [n]; packets: int64 [n];
    num_bytes: int64 [n], length in its representation before trimming to 784 (of `packets`: its payload's on the wire);
    first_packet, last_packet: int64 [n], numbers in the capture, from 1, of the packets that opened it and that came
    latest; capture: int64 [n], index into `paths`, the capture files; ended: the summaries of the captures that end
    with these sessions, in order.
    """

    images: np.ndarray
    key: np.ndarray
    initiator: np.ndarray
    first_time: np.ndarray
    last_time: np.ndarray
    packets: np.ndarray
    num_bytes: np.ndarray
    first_packet: np.ndarray
    last_packet: np.ndarray
    capture: np.ndarray
    ended: list[CaptureSummary] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    unit: str = "session"

    @property
    def drops(self) -> dict[str, int]:
        """Packets that are in no session, by reason; with those in sessions they add up to `packets_read`."""
        return dict(sum((Counter(summary.drops) for summary in self.ended), Counter()))

    @property
    def packets_read(self) -> int:
        """All packets of the captures that ended."""
        return sum(summary.packets for summary in self.ended)

    @property
    def warnings(self) -> list[str]:
        """All warnings about the captures that ended."""
        return [warning for summary in self.ended for warning in summary.warnings]

    def __len__(self) -> int:
        return len(self.key)

    def split(self, most: int) -> Iterator["Sessions"]:
        """Yields its rows, at most so many at a time; `ended` comes with the last."""
        for begin in range(0, max(1, len(self)), most):
            columns = {name: getattr(self, name)[begin : begin + most] for name in COLUMNS}
            yield replace(self, **columns, ended=self.ended if begin + most >= len(self) else [])

    def endpoints(self, row: int) -> tuple[str, int, str, int]:
        """Source address and port, destination address and port; the source sent the first packet."""
        source, source_port, destination, destination_port = self.endpoint_columns(slice(row, row + 1)).values()
        return source[0], source_port[0], destination[0], destination_port[0]

    def endpoint_columns(self, rows: slice | np.ndarray = slice(None)) -> dict[str, list]:
        """`endpoints` of many rows, a list of each by its name; of single ones it takes ten times as long."""
        keys, is_turned = self.key[rows], self.initiator[rows].tolist()
        sizes = np.where(keys["version"] == 4, 4, 16).tolist()
        (a, port_a), (b, port_b) = (
            (
                [
                    _address(packed[:size])
                    for packed, size in zip(map(bytes, keys[f"address_{end}"]), sizes, strict=True)
                ],
                keys[f"port_{end}"].tolist(),
            )
            for end in "ab"
        )

        def chosen(straight: list, turned: list) -> list:
            return [pair[turn] for turn, *pair in zip(is_turned, straight, turned, strict=True)]

        return {
            "source": chosen(a, b),
            "source_port": chosen(port_a, port_b),
            "destination": chosen(b, a),
            "destination_port": chosen(port_b, port_a),
        }

    def to_pandas(self) -> Any:
        """A pandas.DataFrame, a line a session: capture, protocol, `endpoints`, first and last time (UTC), sizes."""
        import pandas as pd

        return pd.DataFrame(
            {
                "capture": [self.paths[index] for index in self.capture],
                "protocol": [PROTOCOLS[int(protocol)] for protocol in self.key["protocol"]],
                **self.endpoint_columns(),
                "first_time": pd.to_datetime(self.first_time, unit="s", utc=True),
                "last_time": pd.to_datetime(self.last_time, unit="s", utc=True),
                "packets": self.packets,
                "bytes": self.num_bytes,
            }
        )

    def identifiers(self) -> np.ndarray:
        """A name for each row, unique in its capture: str [n].

        A session's name is the SHA-256 (first 16 bytes, hexadecimal) of key and first time. A flow's names the session
        it belongs to, by the undirected key and the first time of its earliest flow, then "#" and its direction.
        Where rules end sessions, rows may have one name: the second gets "#2" behind it, and so on.
        """
        if self.unit == "session":
            names = [_digest(key, time) for key, time in zip(self.key, self.first_time, strict=True)]
        else:
            keys = [(int(row), *undirected(key)) for row, key in zip(self.capture, self.key, strict=True)]
            first: dict[tuple[int, bytes], float] = {}
            for (row, key, _), time in zip(keys, self.first_time, strict=True):
                first[row, key] = min(time, first.get((row, key), np.inf))
            names = [f"{_digest(key, first[row, key])}#{direction}" for row, key, direction in keys]
        seen: Counter[tuple[int, str]] = Counter()
        for index, (capture, name) in enumerate(zip(self.capture.tolist(), names, strict=True)):
            seen[capture, name] += 1
            if seen[capture, name] > 1:
                names[index] = f"{name}#{seen[capture, name]}"
        return np.array(names, dtype=object)


def _address(packed: bytes) -> str:
    """An address as people write it; IPv4-mapped IPv6 by RFC 5952, section 5, which Python does from 3.13 on alone."""
    if len(packed) == 4:
        return socket.inet_ntoa(packed)
    address = ipaddress.ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return f"::ffff:{mapped}" if mapped else str(address)


def _digest(key: np.void | bytes, time: float) -> str:
    data = key if isinstance(key, bytes) else key.tobytes()
    return hashlib.sha256(data + np.float64(time).tobytes()).hexdigest()[:32]


def undirected(key: np.void) -> tuple[bytes, int]:
    """A flow's key with the lower end point first, and 1 if that changed it."""
    a, b = (bytes(key[f"address_{end}"]) + int(key[f"port_{end}"]).to_bytes(2, "big") for end in "ab")
    low, high = sorted((a, b))
    return bytes([key["version"], key["protocol"]]) + low + high, int(low != a)


def load(
    paths: str | Path | Sequence[str | Path],
    representation: str = DEFAULT_REPRESENTATION,
    unit: str = "session",
    **options: Any,
) -> Sessions:
    """Reads captures into sessions, in order of capture and first packet: all that `stream` yields.

    `stream` documents the arguments, the options and the errors.
    """
    return concatenate(list(stream(paths, representation, unit, **options)))


def stream(
    paths: str | Path | Sequence[str | Path],
    representation: str = DEFAULT_REPRESENTATION,
    unit: str = "session",
    *,
    rules: SessionRules = PUBLISHED_RULES,
    strict: bool = False,
    progress: Progress | None = None,
    workers: int = 1,
    live: Live | None = None,
) -> Iterator[Sessions]:
    """Yields the sessions of one capture after another, a capture's in one part or more; memory is bounded.

    Of a session only its first 784 bytes are held, and of sessions at most session_table.MOST_LIVE_SESSIONS:
    those that have ended or are idle under `rules` come out in parts, and so do those longest without a packet
    where room runs out. A capture's last part carries its summary in `ended`. The parts and their order depend
    neither on `workers` nor on how much is read at once.

    Args:
      paths: capture files, folders of them, shell patterns or "-" for standard input; one or a list.
      representation: "packets", "masked", "l7" or "all_layers".
      unit: "session" (both directions of a 5-tuple) or "flow" (one direction).
      rules: tunnels, timeouts and TCP close.
      strict: raise at damage inside a capture, or where a capture has no TCP or UDP; otherwise keep what
        came before it, with a warning.
      progress: called with (packets, bytes) read since the last call.
      workers: processes that read captures at the same time. Where TensorFlow is loaded they are spawned: a script
        that passes more than 1 must guard its entry with `if __name__ == "__main__"`. Standard input needs 1.
      live: hand a session on as soon as its 784 bytes are there, or it is idle by the clock; its packets, bytes and
        last time are then those up to there. Needs 1 worker, and an idle timeout.

    Raises:
      CaptureError: a file is missing or is no capture; strict, see there.
      NoSessionError, a CaptureError: no capture has a TCP or UDP session, unless live.
      ConfigError: representation or unit is unknown.
    """
    if representation not in REPRESENTATIONS:
        names = ", ".join(REPRESENTATIONS)
        raise ConfigError(f"There is no representation {representation!r}; choose one of {names}.")
    if unit not in UNITS:
        raise ConfigError(f"There is no unit {unit!r}; choose one of {', '.join(UNITS)}.")
    files = find([paths] if isinstance(paths, str | Path) else list(paths))
    if STANDARD_INPUT in files or live:  # Another process would not have it.
        workers = 1
    jobs = [partial(_read, path, index, representation, unit, rules, strict, live) for index, path in enumerate(files)]
    sessions, warnings, is_damaged = 0, [], False
    for part in in_order(jobs, workers, progress or _ignore):
        part.paths = files
        sessions += len(part) + part.drops.get(NO_PAYLOAD, 0)
        warnings += part.warnings
        is_damaged |= any(summary.is_damaged for summary in part.ended)
        yield part
    if not sessions and warnings and not live:  # An hour without traffic is no error.
        raise CaptureError(warnings[0]) if is_damaged else NoSessionError(warnings[0])


def concatenate(parts: list[Sessions]) -> Sessions:
    """All sessions of all parts, by capture and first packet."""
    if not parts:
        raise ConfigError("No capture was given.")
    if len(parts) == 1:
        return parts[0]
    captures = np.concatenate([part.capture for part in parts])
    first_packets = np.concatenate([part.first_packet for part in parts])
    order = np.lexsort((first_packets, captures))
    is_sorted = bool(np.all(order[1:] > order[:-1]))
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        column = np.concatenate([getattr(part, name) for part in parts])
        columns[name] = column if is_sorted else column[order]
    return Sessions(
        **columns,
        ended=[summary for part in parts for summary in part.ended],
        paths=parts[0].paths,
        unit=parts[0].unit,
    )


def _read(
    path: str,
    index: int,
    representation: str,
    unit: str,
    rules: SessionRules,
    strict: bool,
    live: Live | None,
    progress: Progress,
) -> Iterator[Sessions]:
    """The parts of one capture, without `paths`; see `stream`."""
    table = SessionTable(REPRESENTATIONS[representation], unit, rules)
    decoder = Decoder(rules.tunnels == "inner")
    reader = Reader(path, strict, live)
    packets_read = reported_bytes = without_payload = early = 0

    def part(batch: Batch) -> Sessions:
        nonlocal without_payload, early
        without_payload += batch.packets_without_payload
        early += batch.early
        return Sessions(**batch.columns, capture=np.full(len(batch.columns["key"]), index, np.int64), unit=unit)

    for block in reader:
        if len(block):
            block, segments = decoder.decode(block)
            packets_read += len(block)
            for batch in table.add(block, segments):
                yield part(batch)
        if live and live.is_due():
            for batch in table.due():
                yield part(batch)
        progress(len(block), reader.position - reported_bytes)
        reported_bytes = reader.position
    decoder.finish()
    last = None
    for batch in table.finish():
        if last is not None:
            yield last
        last = part(batch)
    assert last is not None
    drops = dict(decoder.drops + Counter({NO_PAYLOAD: without_payload}))
    warnings = [*([reader.damage] if reader.damage else []), *reader.notices]
    if not packets_read:
        warnings = warnings or [f"{path}: holds no packet; capture again."]
    elif not table.opened:
        counts = ", ".join(f"{reason} {count}" for reason, count in Counter(drops).most_common())
        remedy = "prepare with --tunnels=inner, which looks into them" if drops.get(TUNNEL) else "leave it out"
        warnings.append(f"{path}: none of its {packets_read} packets is TCP or UDP over IP ({counts}); {remedy}.")
    if early:
        warnings.append(
            f"{path}: {early} sessions were cut in two at most, because more than {MOST_LIVE_SESSIONS:,} were alive "
            "at once; set an idle timeout, which ends them sooner."
        )
    if strict and not table.opened:
        raise CaptureError(warnings[0])
    last.ended = [CaptureSummary(index, packets_read, drops, early, warnings, bool(reader.damage))]
    yield last


def _ignore(_packets: int, _bytes: int) -> None:
    pass
