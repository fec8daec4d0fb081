"""A prepared data set: a directory of TFRecord shards and the dataset.json that describes them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clgan_tf.common import typed_json
from clgan_tf.common.errors import DataError
from clgan_tf.common.files import Marker, written_directory
from clgan_tf.data import recipe, tfrecord
from clgan_tf.data.description import CaptureRow, DataFacts
from clgan_tf.data.examples import UNLABELLED, UNLABELLED_NAME, Examples
from clgan_tf.data.recipe import SPLITS

FORMAT = "clgan_tf/dataset/2"
DESCRIPTION_FILE = "dataset.json"
MARKER = Marker(DESCRIPTION_FILE, '"format": "clgan_tf/dataset/')
SHARD_NAME = re.compile(r"[a-z]+-\d{5}-of-\d{5}\.tfrecord")
REMEDY = "run --mode=prepare again"


@dataclass(frozen=True)
class Description:
    """What dataset.json holds. shards: file names by split."""

    format: str
    source: str
    facts: DataFacts
    captures: list[CaptureRow]
    shards: dict[str, list[str]]

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"format {self.format!r}, expected {FORMAT!r}")
        for split in SPLITS:
            if self.facts.sizes.get(split, -1) < 0 or not all(map(SHARD_NAME.fullmatch, self.shards.get(split, [""]))):
                raise ValueError(f"the {split} split is not described as clgan_tf does")


@dataclass(frozen=True)
class Dataset:
    """A data set on disk. shards: file names by split."""

    directory: Path
    facts: DataFacts
    captures: list[CaptureRow]
    shards: Mapping[str, list[str]]

    def paths(self, split: str) -> list[Path]:
        """The shards of one split."""
        return [self.directory / name for name in self.shards[split]]

    def require_classes(self) -> None:
        """Raises DataError where no session has a label, which serves --mode=pretrain alone."""
        if not self.facts.class_names:
            raise DataError(
                f"{self.directory} has no class, which serves --mode=pretrain alone; "
                "add a folder of captures per class."
            )

    def read(self, split: str) -> Examples:
        """One split in memory. Raises DataError where a shard is missing or damaged."""
        examples = tfrecord.read_split(self.paths(split), self.facts.sizes[split])
        lowest = UNLABELLED if split == "unlabelled" else 0
        classes = len(self.facts.class_names)
        if len(examples) and not lowest <= examples.labels.min() <= examples.labels.max() < classes:
            raise DataError(f"{self.directory}: the {split} split has labels of no class; {REMEDY}.")
        return examples


def proof(splits: Mapping[str, Examples]) -> dict[str, int]:
    """Counts images and sessions that more than one of `splits` holds."""
    images: dict[bytes, str] = {}
    sessions: dict[str, str] = {}  # both flows of a session count as that session
    shared = {"shared_images": 0, "shared_sessions": 0}
    for name, examples in splits.items():
        for image, session in zip(examples.image_hashes(), examples.sessions, strict=True):
            shared["shared_images"] += images.setdefault(image.tobytes(), name) != name
            shared["shared_sessions"] += sessions.setdefault(recipe.group_of(session), name) != name
    return shared


def fingerprint(splits: Mapping[str, Examples]) -> str:
    """The fingerprint (recipe.fingerprint) of all splits."""
    return recipe.fingerprint(
        recipe.digest(name, session, label, image.tobytes())
        for name, examples in splits.items()
        for session, label, image in zip(
            examples.sessions.tolist(), examples.labels.tolist(), examples.images, strict=True
        )
    )


def class_sizes(splits: Mapping[str, Examples], class_names: list[str]) -> dict[str, dict[str, int]]:
    """Sessions by split and class; those without a label count as `unlabelled`."""
    names = [*class_names, UNLABELLED_NAME]  # -1 is the last
    return {
        split: {
            names[label]: int(count)
            for label, count in zip(*np.unique(examples.labels, return_counts=True), strict=True)
        }
        for split, examples in splits.items()
    }


def write(
    directory: Path, splits: Mapping[str, Examples], overwrite: bool, *, source: str, captures: list, **facts: Any
) -> Dataset:
    """Writes shards and dataset.json aside and renames the whole directory.

    Args:
      directory: where it will stand; nothing may be there unless `overwrite`.
      splits: by name, each of SPLITS.
      facts: the fields of DataFacts that do not follow from `splits`.

    Raises:
      DataError: a class has no session in a split, or splits share one.
    """
    shared, sizes = proof(splits), class_sizes(splits, facts["class_names"])
    recipe.check_classes(sizes, facts["class_names"])
    recipe.check_proof(**shared)
    known = DataFacts(
        recipe=recipe.VERSION,
        fingerprint=fingerprint(splits),
        sizes={name: len(examples) for name, examples in splits.items()},
        class_sizes=sizes,
        **{**facts, **shared},
    )
    with written_directory(directory, overwrite, MARKER) as aside:
        shards = {name: tfrecord.write_split(aside, name, examples) for name, examples in splits.items()}
        typed_json.write(aside / DESCRIPTION_FILE, Description(FORMAT, source, known, captures, shards))
    return Dataset(directory, known, captures, shards)


def open_dataset(directory: Path) -> Dataset:
    """Opens a prepared data set directory.

    Raises:
      DataError: it is missing, not ours, or its description is damaged.
    """
    path = directory / DESCRIPTION_FILE
    if not path.exists():
        raise DataError(f"{directory} holds no {DESCRIPTION_FILE}; make the data set with --mode=prepare.")
    description = typed_json.read(path, Description, REMEDY)
    dataset = Dataset(directory, description.facts, description.captures, description.shards)
    for split in SPLITS:  # A damaged test shard is told now, not after hours of training.
        for shard in dataset.paths(split):
            tfrecord.check_lengths(shard)
    return dataset
