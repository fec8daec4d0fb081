"""A view that moves over a capture file: one buffer, used again and again."""

from typing import BinaryIO

import numpy as np

from clgan_tf.capture.block import FRAME_FRONT, MARGIN
from clgan_tf.capture.compression import DAMAGED_STREAM, Pipe
from clgan_tf.capture.live import TICK_SECONDS, Live

CHUNK_BYTES = 8 << 20  # what is read at once: small enough for a processor's cache, large enough for NumPy
KEPT_BELOW = 31 << 20  # bytes; glibc raises its threshold to 32 MB at most
PIECE = 64 << 10  # bytes; so many are lost at most where a compressed file is damaged, none where it is cut


def _keep_freed_memory() -> None:
    """Lets glibc keep the memory of columns for the next block's, which it would give back and fault in page by page.

    What is freed raises the size from which it gives memory back (mallopt(3), M_MMAP_THRESHOLD): a fifth of the time.
    """
    np.empty(KEPT_BELOW, np.uint8)


class Window:
    """buffer[FRAME_FRONT:stop] is what is at hand of the file; it grows only for a record that does not fit.

    FRAME_FRONT bytes before it are spare (a Block promises room before every frame), and MARGIN bytes behind it may be
    looked at. offset: where in the file, decompressed, buffer[FRAME_FRONT] lies.

    Args:
      file: the capture's bytes, decompressed.
      live: `fill` then waits for a tick at most; `is_quiet` says that nothing came.
    """

    def __init__(self, file: BinaryIO, live: Live | None = None) -> None:
        self.file = file
        self.is_quiet = False
        self._pipe = file if isinstance(file, Pipe) else None
        self._live = live
        self._damage: Exception | None = None
        self.buffer = bytearray(FRAME_FRONT + CHUNK_BYTES + MARGIN)
        self.stop = FRAME_FRONT
        self.offset = 0
        _keep_freed_memory()

    @property
    def size(self) -> int:
        """Bytes at hand."""
        return self.stop - FRAME_FRONT

    def peek(self, size: int) -> bytes:
        """The file's first `size` bytes, fewer if it is shorter; to be called before `fill`."""
        while self.size < size and (piece := self._read(size - self.size)):
            self._take(piece)
        return bytes(self.buffer[FRAME_FRONT : self.stop])

    def fill(self) -> bool:
        """Reads on behind what is left; False at the file's end.

        What comes before damage to a compressed file is read first, the damage is raised by the next call. Of a pipe,
        no more is read than is there.
        """
        if self._damage:
            raise self._damage
        if self._pipe and self._live:
            self.is_quiet = not self._pipe.is_ready(TICK_SECONDS)
            if self.is_quiet and not self._live.is_stopped:
                return True
        if self.stop + MARGIN >= len(self.buffer):
            self.buffer = self.buffer + bytes(len(self.buffer))
        begin, end = self.stop, len(self.buffer) - MARGIN
        try:
            while piece := self._read(min(end - self.stop, PIECE)):
                self._take(piece)
                if self.stop == end or self._would_wait():
                    break
        except DAMAGED_STREAM as error:
            is_cut_here = self._live is not None and self._live.is_stopped
            if self.stop == begin and not is_cut_here:
                raise
            self._damage = None if is_cut_here else error
        if self.stop == begin and self._live and self._live.is_stopped:
            self.stop = FRAME_FRONT  # A part of a packet is no damage here.
            return False
        return self.stop > begin

    def _read(self, size: int) -> bytes:
        return self.file.read1(size)  # type: ignore[attr-defined]

    def _take(self, piece: bytes) -> None:
        self.buffer[self.stop : self.stop + len(piece)] = piece
        self.stop += len(piece)

    def _would_wait(self) -> bool:
        return self._pipe is not None and not self._pipe.is_ready(0)

    def consume_until(self, at: int) -> None:
        """Moves what begins at buffer[at] to the front."""
        self.offset += at - FRAME_FRONT
        rest = self.stop - at
        self.buffer[FRAME_FRONT : FRAME_FRONT + rest] = self.buffer[at : self.stop]
        self.stop = FRAME_FRONT + rest
