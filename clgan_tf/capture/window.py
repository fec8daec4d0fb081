"""A view that moves over a capture file: one buffer, used again and again."""

import io
import select
from typing import BinaryIO

from clgan_tf.capture.block import FRAME_FRONT, MARGIN
from clgan_tf.capture.compression import DAMAGED_STREAM

CHUNK_BYTES = 4 << 20  # what is read at once: small enough for a processor's cache, large enough for NumPy
PIECE = 64 << 10  # bytes; so many are lost at most where a compressed file is damaged, none where it is cut


class Window:
    """buffer[FRAME_FRONT:stop] is what is at hand of the file; it grows only for a record that does not fit.

    FRAME_FRONT bytes before it are spare (a Block promises room before every frame), and MARGIN bytes behind it may be
    looked at. offset: where in the file, decompressed, buffer[FRAME_FRONT] lies.

    Args:
      file: the capture's bytes, decompressed; raw: as they lie on disk or come through a pipe.
    """

    def __init__(self, file: BinaryIO, raw: BinaryIO) -> None:
        self.file = file
        self._pipe = _descriptor(raw)
        self._damage: Exception | None = None
        self.buffer = bytearray(FRAME_FRONT + CHUNK_BYTES + MARGIN)
        self.stop = FRAME_FRONT
        self.offset = 0

    @property
    def size(self) -> int:
        """Bytes at hand."""
        return self.stop - FRAME_FRONT

    def peek(self, size: int) -> bytes:
        """The file's first `size` bytes, fewer if it is shorter; to be called before `fill`."""
        more = self.file.read(size - self.size)
        self.buffer[self.stop : self.stop + len(more)] = more
        self.stop += len(more)
        return bytes(self.buffer[FRAME_FRONT : self.stop])

    def fill(self) -> bool:
        """Reads on behind what is left; False at the file's end.

        What comes before damage to a compressed file is read first, the damage is raised by the next call. Of a pipe,
        no more is read than is there.
        """
        if self._damage:
            raise self._damage
        if self.stop + MARGIN >= len(self.buffer):
            self.buffer = self.buffer + bytes(len(self.buffer))
        begin, end = self.stop, len(self.buffer) - MARGIN
        try:
            while piece := self.file.read1(min(end - self.stop, PIECE)):  # type: ignore[attr-defined]
                self.buffer[self.stop : self.stop + len(piece)] = piece
                self.stop += len(piece)
                if self.stop == end or self._would_wait():
                    break
        except DAMAGED_STREAM as error:
            if self.stop == begin:
                raise
            self._damage = error
        return self.stop > begin

    def _would_wait(self) -> bool:
        return self._pipe is not None and not select.select([self._pipe], [], [], 0)[0]

    def consume_until(self, at: int) -> None:
        """Moves what begins at buffer[at] to the front."""
        self.offset += at - FRAME_FRONT
        rest = self.stop - at
        self.buffer[FRAME_FRONT : FRAME_FRONT + rest] = self.buffer[at : self.stop]
        self.stop = FRAME_FRONT + rest


def _descriptor(raw: BinaryIO) -> int | None:
    """Of a pipe; None for a file, which has all its bytes at once."""
    try:
        return None if raw.seekable() else raw.fileno()
    except io.UnsupportedOperation:
        return None
