"""Capture files to packets: pcap (both byte orders, micro- and nanoseconds) and pcapng.

The format is read from the magic bytes, never from the file's name. Sources: the pcap and pcapng
Internet drafts, draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. Every length is bounded before
anything is allocated.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from clgan_tf.errors import CaptureError

MAX_PACKET_BYTES = 262_144  # tcpdump's largest snapshot length
MAX_BLOCK_BYTES = 16 << 20  # pcapng: no block that Wireshark writes is larger

PCAP_MAGICS = {  # first four bytes -> (byte order, nanoseconds per unit of the fraction)
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
SECTION_HEADER = 0x0A0D0D0A
BYTE_ORDER_MAGIC = 0x1A2B3C4D
INTERFACE_DESCRIPTION, PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 1, 2, 3, 6
OPTION_END, OPTION_TIME_RESOLUTION, OPTION_TIME_OFFSET = 0, 9, 14


class Packet(NamedTuple):
    """One packet as captured: link-layer type (LINKTYPE_ value), time, bytes, and length on the wire."""

    link_type: int
    time_ns: int
    frame: bytes
    wire_length: int


@dataclass
class Reader:
    """Iterates over the packets of one capture file.

    Args:
      path: the capture file.
      strict: raise CaptureError at a truncated tail or a corrupt record. Otherwise iteration ends
        there and `warning` holds the sentence; what came before is kept.
    """

    path: Path
    strict: bool = True
    warning: str = field(default="", init=False)
    offset: int = field(default=0, init=False)  # bytes consumed so far, for progress and for messages

    def __iter__(self) -> Iterator[Packet]:
        try:
            with open(self.path, "rb") as file:
                magic = self._magic(file)
                if magic in PCAP_MAGICS:
                    yield from self._pcap(file, *PCAP_MAGICS[magic])
                elif magic == struct.pack(">I", SECTION_HEADER):
                    yield from self._pcapng(file)
                else:
                    raise self._error(f"starts with {magic.hex()}, which is neither pcap nor pcapng; convert it first")
        except _Damage as damage:
            sentence = f"{damage}; the {self.offset} bytes before it are sound"
            if self.strict:
                raise self._error(f"{sentence}: pass --nostrict to use those alone") from damage
            self.warning = str(self._error(f"{sentence} and were used"))
        except OSError as error:
            raise self._error(f"{error.strerror}; check the path and its permissions") from error

    def _magic(self, file: BinaryIO) -> bytes:
        magic = file.read(4)
        if not magic:
            raise self._error("the file is empty; capture again")
        if len(magic) < 4:
            raise self._error(f"holds {len(magic)} bytes, too few for any capture; capture again")
        return magic

    def _error(self, what: str) -> CaptureError:
        return CaptureError(f"{self.path}: at offset {self.offset}: {what}.")

    def _read(self, file: BinaryIO, size: int, what: str, start: int = 0) -> bytes:
        data = file.read(size)
        if len(data) < size:
            raise _Damage(f"the file ends inside {what} ({start + len(data)} of {start + size} bytes)")
        return data

    def _pcap(self, file: BinaryIO, order: str, nanoseconds: int) -> Iterator[Packet]:
        header = file.read(20)
        if len(header) < 20:
            raise self._error(f"the pcap file header is truncated ({4 + len(header)} of 24 bytes); capture again")
        # The upper bits of the link-type word carry frame-check-sequence flags.
        link_type = struct.unpack(order + "HHiIII", header)[5] & 0xFFFF
        self.offset = 24
        record = struct.Struct(order + "IIII")
        while head := file.read(16):
            if len(head) < 16:
                raise _Damage(f"the file ends inside a record header ({len(head)} of 16 bytes)")
            seconds, fraction, captured, wire_length = record.unpack(head)
            if captured > MAX_PACKET_BYTES:
                raise _Damage(f"a record claims {captured} bytes, more than the {MAX_PACKET_BYTES} a packet can have")
            frame = self._read(file, captured, "a packet")
            yield Packet(link_type, seconds * 1_000_000_000 + fraction * nanoseconds, frame, wire_length)
            self.offset += 16 + captured

    def _pcapng(self, file: BinaryIO) -> Iterator[Packet]:
        head = file.read(8)
        if len(head) < 8:
            raise self._error("the pcapng section header is truncated; capture again")
        order = _byte_order(head[4:8])
        if not order:
            raise self._error("the pcapng section header has no byte-order magic; capture again")
        file.seek(0)
        interfaces: list[_Interface] = []
        while head := file.read(8):
            if len(head) < 8:
                raise _Damage(f"the file ends inside a block header ({len(head)} of 8 bytes)")
            if head[:4] == struct.pack(">I", SECTION_HEADER):  # The same in both byte orders.
                magic = self._read(file, 4, "a section header")
                order = _byte_order(magic)
                if not order:
                    raise _Damage(f"a section header has the byte-order magic {magic.hex()}")
                file.seek(-4, 1)
                interfaces = []
            kind, length = struct.unpack(order + "II", head)
            if length < 12 or length % 4 or length > MAX_BLOCK_BYTES:
                raise _Damage(f"a block claims the length {length}")
            body = self._read(file, length - 8, "a block", start=8)[:-4]
            if kind == INTERFACE_DESCRIPTION:
                interfaces.append(_interface(order, body))
            elif kind in (ENHANCED_PACKET, PACKET, SIMPLE_PACKET):
                yield _block_packet(order, kind, body, interfaces)
            self.offset += length


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


def _block_packet(order: str, kind: int, body: bytes, interfaces: list[_Interface]) -> Packet:
    fixed = {ENHANCED_PACKET: 20, PACKET: 20, SIMPLE_PACKET: 4}[kind]
    if len(body) < fixed:
        raise _Damage(f"a packet block has {len(body)} of at least {fixed} bytes")
    if kind == SIMPLE_PACKET:
        index, high, low = 0, 0, 0
        (wire_length,) = struct.unpack_from(order + "I", body)
        captured = min(wire_length, len(body) - fixed)
    elif kind == PACKET:
        index, _, high, low, captured, wire_length = struct.unpack_from(order + "HHIIII", body)
    else:
        index, high, low, captured, wire_length = struct.unpack_from(order + "IIIII", body)
    if index >= len(interfaces):
        raise _Damage(f"a packet block names interface {index}, and {len(interfaces)} are described")
    interface = interfaces[index]
    if kind == SIMPLE_PACKET and interface.snapshot_length:
        captured = min(captured, interface.snapshot_length)
    if captured > min(len(body) - fixed, MAX_PACKET_BYTES):
        raise _Damage(f"a packet block of {len(body)} bytes claims a packet of {captured}")
    time_ns = (high << 32 | low) * 1_000_000_000 // interface.units_per_second
    time_ns += interface.offset_seconds * 1_000_000_000
    return Packet(interface.link_type, time_ns, body[fixed : fixed + captured], wire_length)
