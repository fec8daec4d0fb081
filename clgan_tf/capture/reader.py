"""Capture files to blocks of packets; the format is read from the magic bytes, never from the file's name."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from clgan_tf.capture import pcap, pcapng
from clgan_tf.capture.block import MAX_TIME_NS, Block
from clgan_tf.capture.compression import DAMAGED_STREAM, opened
from clgan_tf.capture.damage import Damage, Empty, Unreadable
from clgan_tf.capture.live import Live
from clgan_tf.capture.window import Window
from clgan_tf.common.errors import CaptureError


@dataclass
class Reader:
    """Iterates over the packets of one capture file, a Block at a time.

    Args:
      path: the capture file, plain or in gzip, zstd or xz; "-" is standard input.
      live: for a pipe; while nothing comes, a block of no packets does at every tick.
      strict: raise CaptureError at a truncated tail, a corrupt record or an empty file. Otherwise iteration ends there
        and a sentence says so; what came before is kept.

    damage: the sentence about what could not be read. notices: about what is odd, but lost nothing. position: bytes of
    the file, as it lies on disk, that were read, for progress.
    """

    path: str
    strict: bool = False
    live: Live | None = None
    damage: str = field(default="", init=False)
    notices: list[str] = field(default_factory=list, init=False)
    position: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[Block]:
        window = None
        far = 0
        try:
            with opened(self.path, self.live) as (file, raw):
                window = Window(file, self.live)
                for block in _blocks(window):
                    self.position = raw.tell() if raw.seekable() else window.offset
                    far += int(np.count_nonzero(np.abs(block.time_ns) == MAX_TIME_NS))
                    yield block
        except Empty as error:
            if self.strict:
                raise self._error(window, str(error)) from error
            self.notices.append(str(self._error(window, str(error))))
        except Unreadable as error:
            raise self._error(window, str(error)) from error
        except Damage as damage:
            if not window or not window.offset:
                raise self._error(window, f"{damage}; get the file again") from damage
            sentence = f"{damage}; the {window.offset} bytes before it are sound"
            if self.strict:
                raise self._error(window, f"{sentence}: leave --strict out to use those alone") from damage
            self.damage = str(self._error(window, f"{sentence} and were used"))
        except OSError as error:
            where = f"at offset {window.offset}: " if window else ""
            what = f"{where}{error.strerror or error}; check the path and its permissions"
            raise CaptureError(f"{self.path}: {what}.") from error
        if far:
            self.notices.append(
                f"{self.path}: {far} packets have times beyond the year 2116, which were cut to it; if times matter, "
                "correct the resolution of time stamps (if_tsresol)."
            )

    def _error(self, window: Window | None, what: str) -> CaptureError:
        return CaptureError(f"{self.path}: at offset {window.offset if window else 0}: {what}.")


def is_capture(file: BinaryIO) -> bool:
    """Whether a file's first bytes are those of a capture."""
    magic = file.read(4)
    return magic in pcap.MAGICS or magic == pcapng.MAGIC


def _blocks(window: Window) -> Iterator[Block]:
    try:
        magic = window.peek(4)
        if magic in pcap.MAGICS:
            yield from pcap.blocks(window)
        elif magic == pcapng.MAGIC:
            yield from pcapng.blocks(window)
        elif not magic:
            raise Empty("the file is empty; capture again")
        elif len(magic) < 4:
            raise Unreadable(f"holds {len(magic)} bytes, too few for any capture; capture again")
        else:
            raise Unreadable(f"starts with {magic.hex()}, which is neither pcap nor pcapng; convert it first")
    except DAMAGED_STREAM as error:
        raise Damage(f"the compressed stream is damaged ({error})") from error
