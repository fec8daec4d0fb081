"""Packets as columns over one buffer: the form in which readers hand them on, thousands at a time."""

from dataclasses import dataclass

import numpy as np

FRAME_FRONT = 16  # spare bytes before the first frame of a buffer
MARGIN = 64  # readable bytes behind the last packet, so that headers can be looked at before lengths are checked
MAX_PACKET_BYTES = 262_144  # tcpdump's largest snapshot length
MAX_TIME_NS = 1 << 62  # the year 2116; a time beyond it is wrong, and cut to it


def gather(buffer: bytearray, at: np.ndarray, kind: str) -> np.ndarray:
    """The number or bytes of dtype `kind` at each offset, aligned or not: [n]."""
    return _every_offset(buffer, np.dtype(kind))[at]


def scatter(buffer: bytearray, at: np.ndarray, values: np.ndarray) -> None:
    """Writes the numbers or bytes [n] at the offsets [n], aligned or not, that do not overlap."""
    _every_offset(buffer, values.dtype)[at] = values


def _every_offset(buffer: bytearray, dtype: np.dtype) -> np.ndarray:
    return np.ndarray((len(buffer) - dtype.itemsize + 1,), dtype, buffer, strides=(1,))


@dataclass
class Block:
    """Packets in capture order, valid until the reader's next block: the buffer is used again.

    buffer: bytes of the file, with at least MARGIN readable ones behind the last frame; it may be
    overwritten. Every frame has at least 16 bytes before it that belong to no frame (a record header).
    start, length: where each frame lies, int64 [n]; wire_length: int64 [n]; time_ns: int64 [n], since 1970;
    link_type: int64 [n], LINKTYPE_ values.
    """

    buffer: bytearray
    start: np.ndarray
    length: np.ndarray
    wire_length: np.ndarray
    time_ns: np.ndarray
    link_type: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def frame(self, row: int) -> bytes:
        """One packet's bytes."""
        at = int(self.start[row])
        return bytes(self.buffer[at : at + int(self.length[row])])
