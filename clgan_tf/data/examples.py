"""Session examples in memory: what every source yields and every split is made of."""

import hashlib
from dataclasses import dataclass, fields

import numpy as np

UNLABELLED = -1
UNLABELLED_NAME = "unlabelled"  # of the folder, the split, and the class in tables
IMAGE_BYTES = 784


@dataclass(frozen=True)
class Examples:
    """Columns of equal length, one row a session.

    images: uint8 [n, 28, 28, 1]; labels: int64 [n], UNLABELLED (-1) where there is none;
    captures: str [n], the capture or published file it came from; sessions: str [n], an identifier that no two rows
    share (the two flows of one session share the part before "#");
    num_bytes: int64 [n], the session's length before trimming.
    """

    images: np.ndarray
    labels: np.ndarray
    captures: np.ndarray
    sessions: np.ndarray
    num_bytes: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: np.ndarray) -> "Examples":
        return Examples(*(getattr(self, column.name)[rows] for column in fields(self)))

    @staticmethod
    def concatenate(parts: list["Examples"]) -> "Examples":
        """All rows of all parts, in order."""
        columns = ([getattr(part, column.name) for part in parts] for column in fields(Examples))
        return Examples(*map(np.concatenate, columns))

    @staticmethod
    def of_images(images: np.ndarray, labels: np.ndarray | None = None) -> "Examples":
        """Rows of which nothing but the image, and perhaps the label, is known."""
        count = len(images)
        unknown = np.full(count, "")
        labels = np.full(count, UNLABELLED) if labels is None else labels
        return Examples(images, labels, unknown, unknown, np.full(count, IMAGE_BYTES))

    def image_hashes(self) -> np.ndarray:
        """SHA-256 of every image, as 32-byte strings: bytes [n]."""
        flat = np.ascontiguousarray(self.images).reshape(len(self), IMAGE_BYTES)
        return np.array([hashlib.sha256(row.tobytes()).digest() for row in flat], dtype="V32")
