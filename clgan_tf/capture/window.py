"""A view that moves over a capture file: one buffer, used again and again."""

from typing import BinaryIO

from clgan_tf.capture.block import FRAME_FRONT, MARGIN

CHUNK_BYTES = 4 << 20  # what is read at once: small enough for a processor's cache, large enough for NumPy


class Window:
    """buffer[FRAME_FRONT:stop] is what is at hand of the file; it grows only for a record that does not fit.

    FRAME_FRONT bytes before it are spare (a Block promises room before every frame), and MARGIN bytes behind it may be
    looked at. offset: where in the file, decompressed, buffer[FRAME_FRONT] lies.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
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
        """Reads on behind what is left; False at the file's end."""
        if self.stop + MARGIN >= len(self.buffer):
            self.buffer = self.buffer + bytes(len(self.buffer))
        with memoryview(self.buffer) as view:
            count = self.file.readinto(view[self.stop : len(self.buffer) - MARGIN])  # type: ignore[attr-defined]
        self.stop += count
        return count > 0

    def consume_until(self, at: int) -> None:
        """Moves what begins at buffer[at] to the front."""
        self.offset += at - FRAME_FRONT
        rest = self.stop - at
        self.buffer[FRAME_FRONT : FRAME_FRONT + rest] = self.buffer[at : self.stop]
        self.stop = FRAME_FRONT + rest
