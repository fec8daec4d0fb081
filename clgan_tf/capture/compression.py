"""Compressed captures: gzip (RFC 1952), zstd (RFC 8878) and xz, found by their magic bytes and read as they come."""

import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, BinaryIO

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STANDARD_INPUT = "-"
COMPRESSED_CHUNK = 1 << 16
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


class _Rejoined(io.RawIOBase):
    """A file whose first bytes were read."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        super().__init__()
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._rest.fileno()

    def readinto(self, target: Any) -> int:
        found, self._head = self._head[: len(target)], self._head[len(target) :]
        found = found or self._rest.read1(len(target))  # type: ignore[attr-defined]
        target[: len(found)] = found
        return len(found)


COMPRESSIONS: dict[bytes, Callable[[BinaryIO], Any]] = {  # by magic bytes
    b"\x1f\x8b": gzip.open,
    b"\x28\xb5\x2f\xfd": zstd.open,
    b"\xfd7zXZ\x00": lambda raw: io.BufferedReader(_XzFile(raw)),
}
DAMAGED_STREAM = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zstd.ZstdError)


@contextmanager
def opened(path: str) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Yields the capture's bytes, decompressed, and the raw file, whose position tells the progress."""
    with nullcontext(sys.stdin.buffer) if path == STANDARD_INPUT else open(path, "rb") as raw:
        head = raw.peek(6)[:6]  # type: ignore[union-attr]
        if len(head) < 6:  # A pipe gives what it has.
            head = raw.read(6)
            raw = io.BufferedReader(_Rejoined(head, raw))  # type: ignore[arg-type]
        for magic, unpack in COMPRESSIONS.items():
            if head.startswith(magic):
                with unpack(raw) as file:
                    yield file, raw
                return
        yield raw, raw
