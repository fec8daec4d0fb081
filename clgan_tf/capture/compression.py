"""Compressed captures: gzip (RFC 1952), zstd (RFC 8878) and xz, found by their magic bytes and read as they come."""

import gzip
import io
import lzma
import os
import select
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, BinaryIO

from clgan_tf.capture.live import TICK_SECONDS, Live

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STANDARD_INPUT = "-"
COMPRESSED_CHUNK = 1 << 16
MAGIC_BYTES = 6  # the longest of COMPRESSIONS
MOST_XZ_MEMORY = 128 << 20  # bytes; `xz -9` needs half of it, a forged header may ask for 4 GB


class _XzFile(io.RawIOBase):
    """What lzma.open gives, with a bound on the memory that the file may ask for."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__()
        self._raw = raw
        self._rest = b""
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, MOST_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while True:
            if self._decompressor.eof:
                self._rest = self._decompressor.unused_data.lstrip(b"\0")  # padding between streams
                while not self._rest:
                    data = self._raw.read(COMPRESSED_CHUNK)
                    if not data:
                        return 0
                    self._rest = data.lstrip(b"\0")
                self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, MOST_XZ_MEMORY)
            data, self._rest = self._rest, b""
            if not data and self._decompressor.needs_input:
                data = self._raw.read(COMPRESSED_CHUNK)
                if not data:
                    raise EOFError("it ends before its end marker")
            found = self._decompressor.decompress(data, len(target))
            if found:
                target[: len(found)] = found
                return len(found)


class Pipe(io.RawIOBase):
    """Bytes that come when they come: standard input, or a named pipe."""

    def __init__(self, source: BinaryIO, live: Live | None = None) -> None:
        super().__init__()
        self._source, self._live = source, live
        try:
            self._descriptor: int | None = source.fileno()
        except io.UnsupportedOperation:
            self._descriptor = None
        self._ahead = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end, which `read1` gives again."""
        while len(self._ahead) < size and (piece := self._read(size - len(self._ahead))):
            self._ahead += piece
        return self._ahead

    def read1(self, size: int) -> bytes:
        """At least one byte, unless this is the end or a live stream was stopped, and no more than are there."""
        found, self._ahead = self._ahead[:size], self._ahead[size:]
        return found or self._read(size)

    def readinto(self, target: Any) -> int:
        """As io.RawIOBase has it."""
        found = self.read1(len(target))
        target[: len(found)] = found
        return len(found)

    def is_ready(self, seconds: float) -> bool:
        """Whether `read1` would not wait, now or within so many seconds."""
        return bool(self._ahead or self._descriptor is None or select.select([self._descriptor], [], [], seconds)[0])

    def _read(self, size: int) -> bytes:
        if self._descriptor is None:
            return self._source.read1(size)  # type: ignore[attr-defined]
        is_ready = False
        while self._live and not is_ready:
            is_ready = self.is_ready(TICK_SECONDS)
            if not self._live.goes_on(is_ready):
                return b""
        return os.read(self._descriptor, size)


COMPRESSIONS: dict[bytes, Callable[[BinaryIO], Any]] = {  # by magic bytes
    b"\x1f\x8b": gzip.open,
    b"\x28\xb5\x2f\xfd": zstd.open,
    b"\xfd7zXZ\x00": lambda raw: io.BufferedReader(_XzFile(raw)),
}
DAMAGED_STREAM = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zstd.ZstdError)


@contextmanager
def opened(path: str, live: Live | None = None) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Yields the capture's bytes, decompressed, and the raw file, whose position tells the progress."""
    with nullcontext(sys.stdin.buffer) if path == STANDARD_INPUT else open(path, "rb") as source:
        raw: Any = source if source.seekable() else Pipe(source, live)
        head = raw.peek(MAGIC_BYTES)
        for magic, unpack in COMPRESSIONS.items():
            if head.startswith(magic):
                with unpack(io.BufferedReader(raw) if isinstance(raw, Pipe) else raw) as file:
                    yield file, raw
                return
        yield raw, raw
