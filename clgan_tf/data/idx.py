"""The idx format of MNIST, gzip or plain, in which ISCX and USTC images were published.

Header, all big-endian: 0x00000803 and three sizes for uint8 images [N, 28, 28]; 0x00000801 and one
size for uint8 labels [N] (http://yann.lecun.com/exdb/mnist, "file formats").
"""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from clgan_tf.common.errors import DataError

IMAGES_MAGIC = 0x00000803
LABELS_MAGIC = 0x00000801
PIECE_BYTES = 16 << 20
MAX_ITEMS = 20_000_000  # 20 million images are 16 GB: more is a damaged header, not a data set.


def read_images(path: Path) -> np.ndarray:
    """Returns uint8 [N, 28, 28, 1].

    Raises:
      DataError: the file is missing, is no idx image file, or its header does not fit its size.
    """
    body = _read(path, IMAGES_MAGIC, num_sizes=3, item_bytes=784)
    return np.frombuffer(body, np.uint8).reshape(-1, 28, 28, 1)


def read_labels(path: Path) -> np.ndarray:
    """Returns int64 [N]. Raises DataError as `read_images` does."""
    body = _read(path, LABELS_MAGIC, num_sizes=1, item_bytes=1)
    return np.frombuffer(body, np.uint8).astype(np.int64)


def _read(path: Path, magic: int, num_sizes: int, item_bytes: int) -> bytes:
    header_bytes = 4 + 4 * num_sizes
    try:
        with open(path, "rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if compressed else open(path, "rb") as file:
            header = file.read(header_bytes)
            if len(header) < header_bytes:
                raise DataError(f"{path}: ends at offset {len(header)}, inside the idx header; fetch it again.")
            found, *sizes = struct.unpack(f">{1 + num_sizes}I", header)
            if found != magic:
                raise DataError(f"{path}: magic 0x{found:08x} at offset 0, expected 0x{magic:08x}; not this idx file.")
            if sizes[0] > MAX_ITEMS:
                raise DataError(f"{path}: the header at offset 4 claims {sizes[0]} items; fetch the file again.")
            if num_sizes == 3 and tuple(sizes[1:]) != (28, 28):
                raise DataError(f"{path}: images are {sizes[1]} x {sizes[2]} at offset 8; clgan_tf reads 28 x 28.")
            expected = sizes[0] * item_bytes
            parts, found_bytes = [], 0
            # Piece by piece: memory grows with what the file holds, not with what its header claims.
            while found_bytes <= expected and (part := file.read(min(PIECE_BYTES, expected + 1 - found_bytes))):
                parts.append(part)
                found_bytes += len(part)
            body = b"".join(parts)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; fetch it again or correct --source.") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: the gzip stream is damaged ({error}); fetch it again.") from error
    if len(body) != expected:
        found_text = f"only {len(body)}" if len(body) < expected else "more"
        raise DataError(
            f"{path}: the header at offset 4 promises {sizes[0]} items ({expected} bytes), the file holds "
            f"{found_text}; fetch it again."
        )
    return body
