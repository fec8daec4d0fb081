"""Where captures come from: files, folders, shell patterns and standard input, plain or compressed."""

import glob
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from clgan_tf.errors import CaptureError

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

    def readinto(self, target: Any) -> int:
        if not self._head:
            return self._rest.readinto(target)  # type: ignore[attr-defined]
        found, self._head = self._head[: len(target)], self._head[len(target) :]
        target[: len(found)] = found
        return len(found)


COMPRESSIONS: dict[bytes, Callable[[BinaryIO], Any]] = {  # by magic bytes: RFC 1952, RFC 8878, the xz file format
    b"\x1f\x8b": gzip.open,
    b"\x28\xb5\x2f\xfd": zstd.open,
    b"\xfd7zXZ\x00": lambda raw: io.BufferedReader(_XzFile(raw)),
}
DAMAGED_STREAM = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zstd.ZstdError)
CAPTURE_MAGICS = (
    *(b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d"),  # pcap
    b"\x0a\x0d\x0d\x0a",  # pcapng
)
CAPTURE_SUFFIXES = (".pcap", ".pcapng", ".cap")


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


def find(paths: Sequence[str | Path]) -> list[str]:
    """Files behind the given files, folders (all captures below them, sorted) and shell patterns.

    In a folder a file is a capture if its first bytes or its name say so: what is only named like one is
    read, and refused, rather than left out without a word.

    Raises:
      CaptureError: a folder holds no capture, or a pattern matches nothing.
    """
    found: list[str] = []
    for path in map(str, paths):
        if path != STANDARD_INPUT and Path(path).is_dir():
            inside = sorted(str(file) for file in Path(path).rglob("*") if file.is_file() and is_capture(file))
            if not inside:
                raise CaptureError(f"{path}: no capture in this folder or below it; name another.")
            found += inside
        elif glob.has_magic(path) and not Path(path).exists():
            matches = sorted(glob.glob(path, recursive=True))
            if not matches:
                raise CaptureError(f"{path}: no file matches; correct the pattern.")
            found += dict.fromkeys(find(matches))  # ** matches a folder and what is in it
        else:
            found.append(path)
    return found


def is_capture(path: Path) -> bool:
    """Whether a file's first bytes, decompressed, or its name say that it is a capture."""
    if any(suffix in CAPTURE_SUFFIXES for suffix in path.suffixes[-2:]):
        return True
    try:
        with opened(str(path)) as (file, _):
            return file.read(4) in CAPTURE_MAGICS
    except (OSError, *DAMAGED_STREAM):
        return False
