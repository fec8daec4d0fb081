"""Capture files to blocks of packets: pcap (both byte orders, micro- and nanoseconds) and pcapng.

The format is read from the magic bytes, never from the file's name. Sources: the pcap and pcapng
Internet drafts, draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. Every length is bounded before
anything is allocated.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

import numpy as np

from clgan_tf.capture.blocks import MARGIN, Block, gather
from clgan_tf.capture.sources import DAMAGED_STREAM, opened
from clgan_tf.capture.walk import record_starts
from clgan_tf.errors import CaptureError

CHUNK_BYTES = 4 << 20  # what is read at once: small enough for a processor's cache, large enough for NumPy
FRONT = 16  # spare bytes before the first frame
MAX_TIME_NS = 1 << 62  # the year 2116; beyond it a time stamp is damage
MAX_PACKET_BYTES = 262_144  # tcpdump's largest snapshot length
MOST_INTERFACES = 1 << 16
MAX_BLOCK_BYTES = 16 << 20  # pcapng: no block that Wireshark writes is larger

PCAP_MAGICS = {  # first four bytes -> (byte order, nanoseconds per unit of the fraction)
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
SECTION_HEADER = 0x0A0D0D0A
SECTION_MAGIC = struct.pack(">I", SECTION_HEADER)
BYTE_ORDER_MAGIC = 0x1A2B3C4D
INTERFACE_DESCRIPTION, PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 1, 2, 3, 6
OPTION_END, OPTION_TIME_RESOLUTION, OPTION_TIME_OFFSET = 0, 9, 14


@dataclass
class Reader:
    """Iterates over the packets of one capture file, a Block at a time.

    Args:
      path: the capture file, plain or in gzip, zstd or xz; "-" is standard input.
      strict: raise CaptureError at a truncated tail or a corrupt record. Otherwise iteration ends
        there and `warning` holds the sentence; what came before is kept.
    """

    path: str
    strict: bool = False
    warning: str = field(default="", init=False)
    offset: int = field(default=0, init=False)  # bytes of the capture, decompressed, that were read, for messages
    position: int = field(default=0, init=False)  # bytes of the file that were read, for progress

    def __iter__(self) -> Iterator[Block]:
        try:
            with opened(self.path) as (file, raw):
                for block in self._blocks(file):
                    self.position = raw.tell() if raw.seekable() else self.offset
                    yield block
        except _Damage as damage:
            if not self.offset:
                raise self._error(f"{damage}; get the file again") from damage
            sentence = f"{damage}; the {self.offset} bytes before it are sound"
            if self.strict:
                raise self._error(f"{sentence}: leave --strict out to use those alone") from damage
            self.warning = str(self._error(f"{sentence} and were used"))
        except OSError as error:
            raise self._error(f"{error.strerror or error}; check the path and its permissions") from error

    def _blocks(self, file: BinaryIO) -> Iterator[Block]:
        try:
            magic = self._magic(file)
            if magic in PCAP_MAGICS:
                yield from self._pcap(file, *PCAP_MAGICS[magic])
            elif magic == SECTION_MAGIC:
                yield from self._pcapng(file)
            else:
                raise self._error(f"starts with {magic.hex()}, which is neither pcap nor pcapng; convert it first")
        except DAMAGED_STREAM as error:
            raise _Damage(f"the compressed stream is damaged ({error})") from error

    def _magic(self, file: BinaryIO) -> bytes:
        magic = file.read(4)
        if not magic:
            raise self._error("the file is empty; capture again")
        if len(magic) < 4:
            raise self._error(f"holds {len(magic)} bytes, too few for any capture; capture again")
        return magic

    def _error(self, what: str) -> CaptureError:
        return CaptureError(f"{self.path}: at offset {self.offset}: {what}.")

    def _pcap(self, file: BinaryIO, order: str, nanoseconds: int) -> Iterator[Block]:
        header = file.read(20)
        if len(header) < 20:
            raise self._error(f"the pcap file header is truncated ({4 + len(header)} of 24 bytes); capture again")
        # The upper bits of the link-type word carry frame-check-sequence flags.
        link_type = struct.unpack(order + "HHiIII", header)[5] & 0xFFFF
        self.offset = 24
        captured_at = struct.Struct(order + "I").unpack_from
        window = _Window(file)
        while window.fill():
            data, stop = window.buffer, window.stop
            many, at = record_starts(data, FRONT, stop, order, MAX_PACKET_BYTES)
            starts, damage = [], ""
            while at + 16 <= stop:
                (captured,) = captured_at(data, at + 8)
                if captured > MAX_PACKET_BYTES:
                    damage = f"a record claims {captured} bytes, more than the {MAX_PACKET_BYTES} a packet can have"
                    break
                following = at + 16 + captured
                if following > stop:
                    break
                starts.append(at)
                at = following
            records = np.concatenate([many, np.array(starts, np.int64)])
            if len(records):
                yield _pcap_block(data, records, order, nanoseconds, link_type)
            self.offset += at - FRONT
            window.consume_until(at)
            if damage:
                raise _Damage(damage)
        if 0 < window.size < 16:
            raise _Damage(f"the file ends inside a record header ({window.size} of 16 bytes)")
        if window.size:
            (captured,) = captured_at(window.buffer, FRONT + 8)
            raise _Damage(f"the file ends inside a packet ({window.size - 16} of {captured} bytes)")

    def _pcapng(self, file: BinaryIO) -> Iterator[Block]:
        order, interfaces = "", []  # type: tuple[str, list[_Interface]]
        window = _Window(file, SECTION_MAGIC)
        while window.fill():
            data, stop = window.buffer, window.stop
            packets: list[tuple[int, int, int, int, int]] = []
            damage, at = None, FRONT
            try:
                while at + 12 <= stop:
                    if data[at : at + 4] == SECTION_MAGIC:  # The same in both byte orders.
                        order, interfaces = _byte_order(bytes(data[at + 8 : at + 12])), []
                        if not order and self.offset + at == FRONT:
                            raise self._error("the pcapng section header has no byte-order magic; capture again")
                        if not order:
                            raise _Damage(f"a section header has the byte-order magic {data[at + 8 : at + 12].hex()}")
                    kind, length = struct.unpack_from(order + "II", data, at)
                    if length < 12 or length % 4 or length > MAX_BLOCK_BYTES:
                        raise _Damage(f"a block claims the length {length}")
                    if at + length > stop:
                        break
                    (again,) = struct.unpack_from(order + "I", data, at + length - 4)
                    if again != length:
                        raise _Damage(f"a block claims the length {length} before and {again} behind its body")
                    if kind == INTERFACE_DESCRIPTION:
                        if len(interfaces) == MOST_INTERFACES:
                            raise _Damage(f"a section describes more than {MOST_INTERFACES} interfaces")
                        interfaces.append(_interface(order, bytes(data[at + 8 : at + length - 4])))
                    elif kind in (ENHANCED_PACKET, PACKET, SIMPLE_PACKET):
                        packets.append(_packet(order, kind, data, at + 8, at + length - 4, interfaces))
                    at += length
            except _Damage as found:
                damage = found
            if packets:
                yield Block(data, *np.array(packets, np.int64).T)
            self.offset += at - FRONT
            window.consume_until(at)
            if damage:
                raise damage
        if window.size and not self.offset:
            raise self._error("the pcapng section header is truncated; capture again")
        if 0 < window.size < 12:
            raise _Damage(f"the file ends inside a block header ({window.size} bytes)")
        if window.size:
            (length,) = struct.unpack_from(order + "I", window.buffer, FRONT + 4)
            raise _Damage(f"the file ends inside a block ({window.size} of {length} bytes)")


class _Damage(Exception):
    """What is wrong from here on; what came before is sound."""


class _Interface(NamedTuple):
    link_type: int
    snapshot_length: int
    units_per_second: int
    offset_seconds: int


def _byte_order(magic: bytes) -> str:
    return {struct.pack("<I", BYTE_ORDER_MAGIC): "<", struct.pack(">I", BYTE_ORDER_MAGIC): ">"}.get(magic, "")


def _interface(order: str, body: bytes) -> _Interface:
    if len(body) < 8:
        raise _Damage(f"an interface description has {len(body)} of at least 8 bytes")
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
                raise _Damage(f"an interface claims the time resolution 0x{value[0]:02x}")
            units = 2**power if value[0] & 0x80 else 10**power
        elif code == OPTION_TIME_OFFSET and len(value) == 8:
            (offset_seconds,) = struct.unpack(order + "q", value)
        at += 4 + (length + 3) // 4 * 4
    return _Interface(link_type, snapshot_length, units, offset_seconds)


def _packet(
    order: str, kind: int, data: bytearray, body: int, body_end: int, interfaces: list[_Interface]
) -> tuple[int, int, int, int, int]:
    """Start, captured and wire length, time in ns and link type of a packet block; its body is data[body:body_end]."""
    fixed = {ENHANCED_PACKET: 20, PACKET: 20, SIMPLE_PACKET: 4}[kind]
    room = body_end - body - fixed
    if room < 0:
        raise _Damage(f"a packet block has {room + fixed} of at least {fixed} bytes")
    if kind == SIMPLE_PACKET:
        index, high, low = 0, 0, 0
        (wire_length,) = struct.unpack_from(order + "I", data, body)
        captured = min(wire_length, room)
    elif kind == PACKET:
        index, _, high, low, captured, wire_length = struct.unpack_from(order + "HHIIII", data, body)
    else:
        index, high, low, captured, wire_length = struct.unpack_from(order + "IIIII", data, body)
    if index >= len(interfaces):
        raise _Damage(f"a packet block names interface {index}, and {len(interfaces)} are described")
    interface = interfaces[index]
    if kind == SIMPLE_PACKET and interface.snapshot_length:
        captured = min(captured, interface.snapshot_length)
    if captured > min(room, MAX_PACKET_BYTES):
        raise _Damage(f"a packet block of {room + fixed} bytes claims a packet of {captured}")
    time_ns = (high << 32 | low) * 1_000_000_000 // interface.units_per_second
    time_ns += interface.offset_seconds * 1_000_000_000
    if abs(time_ns) >= MAX_TIME_NS:
        raise _Damage(f"a packet block claims a time {time_ns // 1_000_000_000} s after 1970")
    return body + fixed, captured, wire_length, time_ns, interface.link_type


def _pcap_block(buffer: bytearray, records: np.ndarray, order: str, nanoseconds: int, link_type: int) -> Block:
    words = gather(buffer, records, "V16").view(order + "u4").reshape(-1, 4).astype(np.int64)
    time_ns = words[:, 0] * 1_000_000_000 + words[:, 1] * nanoseconds
    return Block(buffer, records + 16, words[:, 2], words[:, 3], time_ns, np.full(len(records), link_type, np.int64))


class _Window:
    """A view that moves over a file: one buffer, used again and again, grown only for a block that does not fit.

    buffer[FRONT:stop] is what is at hand; FRONT bytes before it are spare (a Block promises room before every
    frame) and MARGIN bytes behind it may be looked at.
    """

    def __init__(self, file: BinaryIO, already_read: bytes = b"") -> None:
        self.file = file
        self.buffer = bytearray(FRONT + CHUNK_BYTES + MARGIN)
        self.stop = FRONT + len(already_read)
        self.buffer[FRONT : self.stop] = already_read

    @property
    def size(self) -> int:
        """Bytes at hand."""
        return self.stop - FRONT

    def fill(self) -> bool:
        """Reads on behind what is left; False at the file's end."""
        if self.stop + MARGIN >= len(self.buffer):
            self.buffer = self.buffer + bytes(len(self.buffer))
        with memoryview(self.buffer) as view:
            count = self.file.readinto(view[self.stop : len(self.buffer) - MARGIN])  # type: ignore[attr-defined]
        self.stop += count
        return count > 0

    def consume_until(self, at: int) -> None:
        """Moves what begins at `at` to the front."""
        rest = self.stop - at
        self.buffer[FRONT : FRONT + rest] = self.buffer[at : self.stop]
        self.stop = FRONT + rest
