"""The pcapng format, all its packet blocks and any number of sections and interfaces: draft-ietf-opsawg-pcapng.

Every length is bounded before anything is allocated.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from clgan_tf.capture.block import FRAME_FRONT, MAX_PACKET_BYTES, Block
from clgan_tf.capture.damage import Damage, Unreadable
from clgan_tf.capture.window import Window

SECTION_HEADER = 0x0A0D0D0A
MAGIC = struct.pack(">I", SECTION_HEADER)  # the same in both byte orders
BYTE_ORDER_MAGIC = 0x1A2B3C4D
BYTE_ORDERS = {struct.pack(order + "I", BYTE_ORDER_MAGIC): order for order in "<>"}
INTERFACE_DESCRIPTION, PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 1, 2, 3, 6
OPTION_END, OPTION_TIME_RESOLUTION, OPTION_TIME_OFFSET = 0, 9, 14
LEAST_BLOCK = 12  # bytes: type, length, and the length again
MAX_BLOCK_BYTES = 16 << 20  # no block that Wireshark writes is larger
MOST_INTERFACES = 1 << 16
MAX_TIME_NS = 1 << 62  # the year 2116; beyond it a time stamp is damage

_Packet = tuple[int, int, int, int, int]  # the fields of Block behind its buffer


class _Interface(NamedTuple):
    link_type: int
    snapshot_length: int
    units_per_second: int
    offset_seconds: int


def blocks(window: Window) -> Iterator[Block]:
    """The packets of a pcapng file.

    Raises:
      Unreadable: the first section header is damaged. Damage: a later block is; packets before it were yielded.
    """
    section = _Section()
    while window.fill():
        packets: list[_Packet] = []
        damage, at = None, FRAME_FRONT
        try:
            while at + LEAST_BLOCK <= window.stop:
                length = section.read(window, at, packets)
                if not length:
                    break
                at += length
        except Damage as error:
            damage = error
        if packets:
            yield Block(window.buffer, *np.array(packets, np.int64).T)
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
    """The section that is being read: its byte order, and its interfaces as far as they were described."""

    def __init__(self) -> None:
        self.order = ""
        self.interfaces: list[_Interface] = []

    def read(self, window: Window, at: int, packets: list[_Packet]) -> int:
        """Reads the block at buffer[at], a packet into `packets`; returns its length, 0 if it is not all at hand."""
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
            packets.append(self._packet(kind, data, body, body_end))
        return length

    def _packet(self, kind: int, data: bytearray, body: int, body_end: int) -> _Packet:
        fixed = {ENHANCED_PACKET: 20, PACKET: 20, SIMPLE_PACKET: 4}[kind]
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
        time_ns = (high << 32 | low) * 1_000_000_000 // interface.units_per_second
        time_ns += interface.offset_seconds * 1_000_000_000
        if abs(time_ns) >= MAX_TIME_NS:
            raise Damage(f"a packet block claims a time {time_ns // 1_000_000_000} s after 1970")
        return body + fixed, captured, wire_length, time_ns, interface.link_type


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
