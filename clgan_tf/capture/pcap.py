"""The pcap format, both byte orders, micro- and nanoseconds: draft-ietf-opsawg-pcap.

Every length is bounded before anything is allocated.
"""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from clgan_tf.capture.block import FRAME_FRONT, MAX_PACKET_BYTES, Block, gather
from clgan_tf.capture.damage import Damage, Unreadable
from clgan_tf.capture.walk import record_starts
from clgan_tf.capture.window import Window

MAGICS = {  # first four bytes -> (byte order, nanoseconds per unit of the fraction)
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
FILE_HEADER = 24
RECORD_HEADER = 16


class Records:
    """The records of one byte order; see `walk`."""

    def __init__(self, order: str) -> None:
        self.order = order
        self._word = struct.Struct(order + "I").unpack_from
        self.high = 2 if order == "<" else 0  # the upper half of a time in seconds changes every 18 hours

    def following(self, buffer: bytearray, at: np.ndarray, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """See walk.Records."""
        captured = gather(buffer, at + 8, self.order + "u4").astype(np.int64)
        following = at + RECORD_HEADER + captured
        return following, _is_whole(captured, following, stop)

    def next(self, buffer: bytearray, at: int, stop: int) -> int:
        """See walk.Records."""
        if at + RECORD_HEADER > stop:
            return 0
        captured = self.captured_at(buffer, at)
        following = at + RECORD_HEADER + captured
        return following if _is_whole(captured, following, stop) else 0

    def captured_at(self, buffer: bytearray, at: int) -> int:
        """How many bytes of a packet the record at `at` claims to hold."""
        return int(self._word(buffer, at + 8)[0])

    def mark(self, buffer: bytearray, begin: int) -> tuple[bytes, int]:
        """See walk.Records."""
        return bytes(buffer[begin + self.high : begin + self.high + 2]), self.high

    def is_plausible(self, buffer: bytearray, at: int, begin: int, stop: int) -> bool:
        """See walk.Records."""
        captured, wire_length = struct.unpack_from(self.order + "II", buffer, at + 8)
        following = at + RECORD_HEADER + captured
        mark, offset = self.mark(buffer, begin)
        return (
            captured <= min(wire_length, MAX_PACKET_BYTES)
            and following + RECORD_HEADER < stop
            and buffer[following + offset : following + offset + 2] == mark
        )


def _is_whole(captured: Any, following: Any, stop: int) -> Any:
    """Of one record or of many, as integers or int64 [n]: whether they can be and end before `stop`."""
    return (captured <= MAX_PACKET_BYTES) & (following <= stop)


def blocks(window: Window) -> Iterator[Block]:
    """The packets of a pcap file.

    Raises:
      Unreadable: the file header is truncated. Damage: a record is corrupt or truncated; those before it were yielded.
    """
    header = window.peek(FILE_HEADER)
    if len(header) < FILE_HEADER:
        raise Unreadable(f"the pcap file header is truncated ({len(header)} of {FILE_HEADER} bytes); capture again")
    order, nanoseconds = MAGICS[header[:4]]
    # The upper bits of the link-type word carry frame-check-sequence flags.
    link_type = struct.unpack(order + "I", header[20:])[0] & 0xFFFF
    window.consume_until(FRAME_FRONT + FILE_HEADER)
    records = Records(order)
    while window.fill():
        buffer, stop = window.buffer, window.stop
        found, at = record_starts(buffer, FRAME_FRONT, stop, records)
        captured = records.captured_at(buffer, at) if at + RECORD_HEADER <= stop else 0
        if len(found) or window.is_quiet:
            yield _block(buffer, found, order, nanoseconds, link_type)
        window.consume_until(at)
        if captured > MAX_PACKET_BYTES:
            raise Damage(f"a record claims {captured} bytes, more than the {MAX_PACKET_BYTES} a packet can have")
    if 0 < window.size < RECORD_HEADER:
        raise Damage(f"the file ends inside a record header ({window.size} of {RECORD_HEADER} bytes)")
    if window.size:
        captured = records.captured_at(window.buffer, FRAME_FRONT)
        raise Damage(f"the file ends inside a packet ({window.size - RECORD_HEADER} of {captured} bytes)")


def _block(buffer: bytearray, found: np.ndarray, order: str, nanoseconds: int, link_type: int) -> Block:
    words = gather(buffer, found, f"V{RECORD_HEADER}").view(order + "u4").reshape(-1, 4).astype(np.int64)
    return Block(
        buffer,
        start=found + RECORD_HEADER,
        length=words[:, 2],
        wire_length=words[:, 3],
        time_ns=words[:, 0] * 1_000_000_000 + words[:, 1] * nanoseconds,
        link_type=np.full(len(found), link_type, np.int64),
    )
