"""Session examples in memory: what every source yields and every split is made of."""

import hashlib
from dataclasses import dataclass

import numpy as np

UNLABELLED = -1


@dataclass(frozen=True)
class Examples:
    """Columns of equal length, one row a session.

    images: uint8 [n, 28, 28, 1]; labels: int64 [n], UNLABELLED (-1) where there is none;
    captures: str [n], the capture or published file it came from; sessions: str [n], an identifier
    that no two rows share (the two flows of one session share the part before "#");
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
        return Examples(
            self.images[rows], self.labels[rows], self.captures[rows], self.sessions[rows], self.num_bytes[rows]
        )

    @staticmethod
    def concatenate(parts: list["Examples"]) -> "Examples":
        """All rows of all parts, in order."""
        return Examples(
            np.concatenate([part.images for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.captures for part in parts]),
            np.concatenate([part.sessions for part in parts]),
            np.concatenate([part.num_bytes for part in parts]),
        )

    def image_hashes(self) -> np.ndarray:
        """SHA-256 of every image, as 32-byte strings: bytes [n]."""
        flat = np.ascontiguousarray(self.images).reshape(len(self), 784)
        return np.array([hashlib.sha256(row.tobytes()).digest() for row in flat], dtype="V32")


def session_groups(sessions: np.ndarray) -> np.ndarray:
    """What must stay together in one split: the identifier up to "#"; behind it stands a flow's direction."""
    return np.array([session.partition("#")[0] for session in sessions], dtype=object)


def fingerprint(splits: dict[str, Examples]) -> str:
    """A hexadecimal SHA-256 of which session, label and image is in which split, whatever their order."""
    rows = []
    for name, examples in splits.items():
        for session, label, image in zip(examples.sessions, examples.labels, examples.image_hashes(), strict=True):
            rows.append(f"{name}\t{session}\t{label}\t{image.tobytes().hex()}")
    return hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()
