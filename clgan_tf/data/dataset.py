"""A prepared data set: a directory of TFRecord shards and the dataset.json that describes them."""

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from clgan_tf.capture import SessionRules
from clgan_tf.data import tfrecord
from clgan_tf.data.examples import UNLABELLED, Examples, fingerprint, session_groups
from clgan_tf.errors import DataError
from clgan_tf.files import Marker, read_json, write_json, written_directory

FORMAT = "clgan_tf/dataset/1"
DESCRIPTION_FILE = "dataset.json"
MARKER = Marker(DESCRIPTION_FILE, FORMAT)
SHARD_NAME = re.compile(r"[a-z]+-\d{5}-of-\d{5}\.tfrecord")
SPLITS = ("train", "validation", "test", "unlabelled")


@dataclass(frozen=True)
class Description:
    """What dataset.json says.

    sizes: sessions by split; shards: file names by split; proof: what the splits share; rules: the fields of
    SessionRules.
    """

    source: str
    source_kind: str
    class_names: list[str]
    representation: str
    representation_version: int
    unit: str
    fingerprint: str
    sizes: dict[str, int]
    class_sizes: dict[str, dict[str, int]]
    shards: dict[str, list[str]]
    split: dict[str, Any]
    proof: dict[str, int]
    rules: dict[str, Any] = field(default_factory=lambda: asdict(SessionRules()))
    captures: list[dict[str, Any]] = field(default_factory=list)
    format: str = FORMAT

    def facts(self) -> dict[str, Any]:
        """What stands beside every figure measured on this data set."""
        facts = asdict(self)
        for name in ("captures", "shards", "source", "format"):
            del facts[name]
        return facts


@dataclass(frozen=True)
class Dataset:
    """A prepared data set on disk."""

    directory: Path
    description: Description

    def paths(self, split: str) -> list[Path]:
        """The shards of one split."""
        return [self.directory / name for name in self.description.shards[split]]

    def read(self, split: str) -> Examples:
        """One split in memory. Raises DataError where a shard is missing or damaged."""
        examples = tfrecord.read_split(self.paths(split), self.description.sizes[split])
        lowest = UNLABELLED if split == "unlabelled" else 0
        if len(examples) and not lowest <= examples.labels.min() <= examples.labels.max() < len(
            self.description.class_names
        ):
            raise DataError(f"{self.directory}: the {split} split has labels of no class; run --mode=prepare again.")
        return examples


def prove_no_leak(splits: dict[str, Examples]) -> dict[str, int]:
    """Counts images and sessions that more than one of `splits` holds.

    Raises:
      DataError: either count is not zero, which would be a fault of this program.
    """
    images: dict[bytes, str] = {}
    sessions: dict[str, str] = {}  # both flows of a session count as that session
    shared = {"shared_images": 0, "shared_sessions": 0}
    for name, examples in splits.items():
        for image, session in zip(examples.image_hashes(), session_groups(examples.sessions), strict=True):
            shared["shared_images"] += images.setdefault(image.tobytes(), name) != name
            shared["shared_sessions"] += sessions.setdefault(session, name) != name
    if any(shared.values()):
        raise DataError(f"The splits share {shared}: nothing was written; please report this.")
    return shared


def write(directory: Path, splits: dict[str, Examples], overwrite: bool, **facts: Any) -> Dataset:
    """Writes shards and dataset.json aside and renames the whole directory.

    Args:
      directory: where it will stand; nothing may be there unless `overwrite`.
      splits: by name, each of SPLITS.
      facts: the fields of Description that are not derived from `splits`.
    """
    class_names = facts["class_names"]
    proof = prove_no_leak(splits)
    with written_directory(directory, overwrite, MARKER) as aside:
        description = Description(
            **facts,
            fingerprint=fingerprint(splits),
            sizes={name: len(examples) for name, examples in splits.items()},
            class_sizes={
                name: dict(
                    zip(
                        class_names,
                        np.bincount(examples.labels[examples.labels >= 0], minlength=len(class_names)).tolist(),
                        strict=True,
                    )
                )
                for name, examples in splits.items()
            },
            shards={name: tfrecord.write_split(aside, name, examples) for name, examples in splits.items()},
            proof=proof,
        )
        write_json(aside / DESCRIPTION_FILE, asdict(description))
    return Dataset(directory, description)


def open_dataset(directory: Path) -> Dataset:
    """Opens a prepared data set directory.

    Raises:
      DataError: it is missing, not ours, or its description is damaged.
    """
    path = directory / DESCRIPTION_FILE
    if not path.exists():
        raise DataError(f"{directory} holds no {DESCRIPTION_FILE}; make the data set with --mode=prepare.")
    values = read_json(path)
    if values.get("format") != FORMAT:
        raise DataError(f"{path}: format {values.get('format')!r}, expected {FORMAT!r}; run --mode=prepare again.")
    try:
        description = Description(**values)
        sound = _is_sound(description)
    except (TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path}: a field is missing or unknown ({error}); run --mode=prepare again.") from error
    if not sound:
        raise DataError(f"{path}: a field has a value that clgan_tf never writes; run --mode=prepare again.")
    dataset = Dataset(directory, description)
    for split in SPLITS:  # A damaged test shard is told now, not after hours of training.
        for shard in dataset.paths(split):
            tfrecord.check_lengths(shard)
    return dataset


def _is_sound(description: Description) -> bool:
    names = description.class_names
    texts = (description.source_kind, description.representation, description.unit, description.fingerprint)
    return (
        isinstance(names, list)
        and len(names) >= 2
        and all(isinstance(text, str) for text in (*names, *texts))
        and all(type(description.sizes[split]) is int and description.sizes[split] >= 0 for split in SPLITS)
        and all(SHARD_NAME.fullmatch(name) for split in SPLITS for name in description.shards[split])
        and {"rule", "seed"} <= set(description.split)
        and isinstance(description.captures, list)
    )
