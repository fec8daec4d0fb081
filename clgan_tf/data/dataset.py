"""A prepared data set: a directory of TFRecord shards and the dataset.json that describes them."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from clgan_tf.data import tfrecord
from clgan_tf.data.examples import Examples, fingerprint
from clgan_tf.errors import DataError
from clgan_tf.files import claim_directory, read_json, write_json, written_aside

FORMAT = "clgan_tf/dataset/1"
DESCRIPTION_FILE = "dataset.json"
SPLITS = ("train", "validation", "test", "unlabelled")


@dataclass(frozen=True)
class Description:
    """What dataset.json says. sizes: sessions by split; shards: file names by split; proof: what the split shares."""

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
        return tfrecord.read_split(self.paths(split), self.description.sizes[split])


def prove_no_leak(splits: dict[str, Examples]) -> dict[str, int]:
    """Counts images and sessions that more than one of `splits` holds.

    Raises:
      DataError: either count is not zero, which would be a fault of this program.
    """
    images: dict[bytes, str] = {}
    sessions: dict[str, str] = {}
    shared = {"shared_images": 0, "shared_sessions": 0}
    for name, examples in splits.items():
        for image, session in zip(examples.image_hashes(), examples.sessions, strict=True):
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
    with written_aside(directory) as aside:
        aside.mkdir()
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
        claim_directory(directory, overwrite, DESCRIPTION_FILE)
    return Dataset(directory, description)


def open_dataset(directory: Path) -> Dataset:
    """Opens a prepared data set.

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
        names = [name for split in SPLITS for name in description.shards[split]]
        sizes = [int(description.sizes[split]) for split in SPLITS]
    except (TypeError, KeyError, ValueError) as error:
        raise DataError(f"{path}: a field is missing or unknown ({error}); run --mode=prepare again.") from error
    if any(Path(name).name != name for name in names) or min(sizes) < 0:
        raise DataError(f"{path}: names a shard outside its directory or a negative size; run --mode=prepare again.")
    return Dataset(directory, description)
