"""The pcapng format, all its packet blocks and any number of sections and interfaces: draft-ietf-opsawg-pcapng.

Every length is bounded before anything is allocated.
"""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from clgan_tf.capture.block import FRAME_FRONT, MAX_PACKET_BYTES, MAX_TIME_NS, Block, gather
from clgan_tf.capture.damage import Damage, Unreadable
from clgan_tf.capture.walk import record_starts
from clgan_tf.capture.window import CHUNK_BYTES, Window

SECTION_HEADER = 0x0A0D0D0A
MAGIC = struct.pack(">I", SECTION_HEADER)  # the same in both byte orders
BYTE_ORDER_MAGIC = 0x1A2B3C4D
BYTE_ORDERS = {struct.pack(order + "I", BYTE_ORDER_MAGIC): order for order in "<>"}
INTERFACE_DESCRIPTION, PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 1, 2, 3, 6
OPTION_END, OPTION_TIME_RESOLUTION, OPTION_TIME_OFFSET = 0, 9, 14
LEAST_BLOCK = 12  # bytes: type, length, and the length again
MAX_BLOCK_BYTES = 16 << 20  # no block that Wireshark writes is larger
MOST_INTERFACES = 1 << 16
PACKET_FIELDS = 20  # bytes of an enhanced packet block between its length and the packet
FRAME_AT = 8 + PACKET_FIELDS
MANY, WORTH, MOST_PAUSED = 64, 512, 1 << 16  # blocks: fewer than WORTH are read faster one by one
LEAST_REACH = 16 << 10  # bytes that are looked at together, where few of them were of use the last time

NO_PACKETS = np.zeros((0, 5), np.int64)
_Columns = tuple[np.ndarray, ...]  # int64 [n] each: the fields of Block behind its buffer


class _Interface(NamedTuple):
    link_type: int
    snapshot_length: int
    units_per_second: int
    offset_seconds: int

    def time_ns(self, time: int) -> int:
        """Since 1970, cut to what Block can hold."""
        exact = time * 1_000_000_000 // self.units_per_second + self.offset_seconds * 1_000_000_000
        return max(-MAX_TIME_NS, min(exact, MAX_TIME_NS))

    def times_ns(self, times: np.ndarray) -> np.ndarray:
        """`time_ns` of uint64 [n]: int64 [n]."""
        factor, rest = divmod(1_000_000_000, self.units_per_second)
        if rest or self.offset_seconds:
            return np.array([self.time_ns(time) for time in times.tolist()], np.int64)
        is_far = times > np.uint64(MAX_TIME_NS // factor)
        return np.where(is_far, MAX_TIME_NS, (times * np.uint64(factor)).astype(np.int64))


class _Blocks:
    """The blocks of one byte order; see `walk`."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.word = struct.Struct(order + "I")

    def following(self, buffer: bytearray, at: np.ndarray, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """See walk.Records; a section header ends the walk, for byte order and interfaces change there.

        The length behind a block's body is left to the caller: all of them are compared at once.
        """
        kind, length = gather(buffer, at, "V8").view(self.order + "u4").reshape(-1, 2).astype(np.int64).T
        return at + length, _is_whole(kind, length, at, stop)

    def next(self, buffer: bytearray, at: int, stop: int) -> int:
        """See walk.Records."""
        if at + LEAST_BLOCK > stop:
            return 0
        kind, length = struct.unpack_from(self.order + "II", buffer, at)
        return at + length if _is_whole(kind, length, at, stop) else 0

    def mark(self, buffer: bytearray, begin: int) -> tuple[bytes, int]:
        """See walk.Records."""
        return self.word.pack(ENHANCED_PACKET), 0

    def is_plausible(self, buffer: bytearray, at: int, begin: int, stop: int) -> bool:
        """See walk.Records."""
        (length,) = self.word.unpack_from(buffer, at + 4)
        is_possible = (at - begin) % 4 == 0 and FRAME_AT + 4 <= length <= stop - at and length % 4 == 0
        return is_possible and self.word.unpack_from(buffer, at + length - 4) == (length,)


def _is_whole(kind: Any, length: Any, at: Any, stop: int) -> Any:
    """Of one block or many, as integers or int64 [n]: whether they can be, begin no section, and end before `stop`."""
    is_sound = (length >= LEAST_BLOCK) & (length <= MAX_BLOCK_BYTES) & (length % 4 == 0)
    return (kind != SECTION_HEADER) & is_sound & (at + length <= stop)


def blocks(window: Window) -> Iterator[Block]:
    """The packets of a pcapng file.

    Raises:
      Unreadable: the first section header is damaged. Damage: a later block is; packets before it were yielded.
    """
    section = _Section()
    while window.fill():
        damage, at = None, FRAME_FRONT
        try:
            while at + LEAST_BLOCK <= window.stop:
                following = section.read(window, at)
                if following == at:
                    break
                at = following
        except Damage as error:
            damage = error
        columns = section.packets()
        if len(columns[0]) or window.is_quiet:
            yield Block(window.buffer, *columns)
        window.consume_until(at)
        if damage:
            raise damage
    if window.size and not window.offset:
        raise Unreadable("the pcapng section header is truncated; capture again")
    if 0 < window.size < LEAST_BLOCK:
        raise Damage(f"the file ends inside a block header ({window.size} bytes)")
    if window.size:
        (length,) = struct.unpack_from(section.order + "I", window.buffer, FRAME_FRONT + 4)
        raise Damage(f"the file ends inside a block ({window.size} of {length} bytes)")


class _Section:
    """The section that is being read: its byte order, its interfaces so far, and packets that were not handed on."""

    def __init__(self) -> None:
        self.order = ""
        self.interfaces: list[_Interface] = []
        self._found: list[np.ndarray] = []  # int64 [n, 5]: the fields of Block behind its buffer
        self._few: list[tuple[int, ...]] = []  # the same of packets behind them
        self._reach = CHUNK_BYTES
        self._one_by_one = 0  # so many blocks are read so, before it is worth looking at many again
        self._pause = MANY  # so many the next time, twice as many each time that it was not

    def packets(self) -> _Columns:
        """The packets read since the last call."""
        self._join_few()
        parts, self._found = [NO_PACKETS, *self._found], []
        return tuple(np.concatenate(parts).T)

    def _join_few(self) -> None:
        if self._few:
            self._found.append(np.array(self._few, np.int64))
            self._few = []

    def read(self, window: Window, at: int) -> int:
        """Reads the block at buffer[at], or many from there on; returns where the next one begins, `at` for the end."""
        if self.order and not self._one_by_one:
            following = self._read_many(window, at)
            if following > at:
                return following
        self._one_by_one = max(0, self._one_by_one - 1)
        return at + self._read_one(window, at)

    def _read_many(self, window: Window, at: int) -> int:
        """Reads packets, and passes over what is none, up to a block that must be read on its own; returns its place.

        How far it looks depends on how far it came the last time: its cost is bounded by what it reads.
        """
        buffer, stop = window.buffer, min(window.stop, at + self._reach)
        starts, end = record_starts(buffer, at, stop, _Blocks(self.order))
        kind, length = (gather(buffer, starts + offset, self.order + "u4").astype(np.int64) for offset in (0, 4))
        is_packet = kind == ENHANCED_PACKET
        words = gather(buffer, starts + 8, f"V{PACKET_FIELDS}").view(self.order + "u4").reshape(-1, 5)
        index, captured = words[:, 0].astype(np.int64), words[:, 3].astype(np.int64)
        is_sound = (index < len(self.interfaces)) & (captured <= np.minimum(length - FRAME_AT - 4, MAX_PACKET_BYTES))
        is_other = np.where(is_packet, ~is_sound, np.isin(kind, (INTERFACE_DESCRIPTION, PACKET, SIMPLE_PACKET)))
        is_other |= gather(buffer, starts + length - 4, self.order + "u4") != length
        if is_other.any():
            end = int(starts[np.argmax(is_other)])
        chosen = np.flatnonzero(is_packet & (starts < end))
        if len(chosen):
            times = words[chosen, 1].astype(np.uint64) << np.uint64(32) | words[chosen, 2]
            time_ns, link_type = np.empty(len(chosen), np.int64), np.empty(len(chosen), np.int64)
            for number in np.unique(index[chosen]).tolist():
                rows = index[chosen] == number
                time_ns[rows] = self.interfaces[number].times_ns(times[rows])
                link_type[rows] = self.interfaces[number].link_type
            self._join_few()
            columns = (starts[chosen] + FRAME_AT, captured[chosen], words[chosen, 4], time_ns, link_type)
            self._found.append(np.stack([column.astype(np.int64) for column in columns], axis=1))
        (next_length,) = struct.unpack_from(self.order + "I", buffer, end + 4)
        is_cut = end + max(LEAST_BLOCK, next_length) > stop
        self._reach = min(CHUNK_BYTES, 2 * self._reach) if is_cut else max(LEAST_REACH, 2 * (end - at))
        if is_cut or np.searchsorted(starts, end) >= WORTH:
            self._pause = MANY
        else:
            self._one_by_one, self._pause = self._pause, min(2 * self._pause, MOST_PAUSED)
        return end

    def _read_one(self, window: Window, at: int) -> int:
        """Reads the block at buffer[at]; returns its length, 0 if it is not all at hand."""
        data = window.buffer
        if data[at : at + 4] == MAGIC:
            magic = bytes(data[at + 8 : at + 12])
            self.order, self.interfaces = BYTE_ORDERS.get(magic, ""), []
            if not self.order and window.offset + at == FRAME_FRONT:
                raise Unreadable("the pcapng section header has no byte-order magic; capture again")
            if not self.order:
                raise Damage(f"a section header has the byte-order magic {magic.hex()}")
        kind, length = struct.unpack_from(self.order + "II", data, at)
        if length < LEAST_BLOCK or length % 4 or length > MAX_BLOCK_BYTES:
            raise Damage(f"a block claims the length {length}")
        if at + length > window.stop:
            return 0
        body, body_end = at + 8, at + length - 4
        (again,) = struct.unpack_from(self.order + "I", data, body_end)
        if again != length:
            raise Damage(f"a block claims the length {length} before and {again} behind its body")
        if kind == INTERFACE_DESCRIPTION:
            if len(self.interfaces) == MOST_INTERFACES:
                raise Damage(f"a section describes more than {MOST_INTERFACES} interfaces")
            self.interfaces.append(_interface(self.order, bytes(data[body:body_end])))
        elif kind in (ENHANCED_PACKET, PACKET, SIMPLE_PACKET):
            self._few.append(self._packet(kind, data, body, body_end))
        return length

    def _packet(self, kind: int, data: bytearray, body: int, body_end: int) -> tuple[int, int, int, int, int]:
        fixed = {ENHANCED_PACKET: PACKET_FIELDS, PACKET: PACKET_FIELDS, SIMPLE_PACKET: 4}[kind]
        room = body_end - body - fixed
        if room < 0:
            raise Damage(f"a packet block has {room + fixed} of at least {fixed} bytes")
        if kind == SIMPLE_PACKET:
            index, high, low = 0, 0, 0
            (wire_length,) = struct.unpack_from(self.order + "I", data, body)
            captured = min(wire_length, room)
        elif kind == PACKET:
            index, _, high, low, captured, wire_length = struct.unpack_from(self.order + "HHIIII", data, body)
        else:
            index, high, low, captured, wire_length = struct.unpack_from(self.order + "IIIII", data, body)
        if index >= len(self.interfaces):
            raise Damage(f"a packet block names interface {index}, and {len(self.interfaces)} are described")
        interface = self.interfaces[index]
        if kind == SIMPLE_PACKET and interface.snapshot_length:
            captured = min(captured, interface.snapshot_length)
        if captured > min(room, MAX_PACKET_BYTES):
            raise Damage(f"a packet block of {room + fixed} bytes claims a packet of {captured}")
        return body + fixed, captured, wire_length, interface.time_ns(high << 32 | low), interface.link_type


def _interface(order: str, body: bytes) -> _Interface:
    if len(body) < 8:
        raise Damage(f"an interface description has {len(body)} of at least 8 bytes")
    link_type, _, snapshot_length = struct.unpack_from(order + "HHI", body)
    units, offset_seconds, at = 1_000_000, 0, 8
    while at + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, at)
        value = body[at + 4 : at + 4 + length]
        if code == OPTION_END:
            break
        if code == OPTION_TIME_RESOLUTION and len(value) == 1:
            power = value[0] & 0x7F
            # 2**-64 and 10**-19 are finer than any clock; a larger exponent is damage.
            if power > 64:
                raise Damage(f"an interface claims the time resolution 0x{value[0]:02x}")
            units = 2**power if value[0] & 0x80 else 10**power
        elif code == OPTION_TIME_OFFSET and len(value) == 8:
            (offset_seconds,) = struct.unpack(order + "q", value)
        at += 4 + (length + 3) // 4 * 4
    return _Interface(link_type, snapshot_length, units, offset_seconds)
