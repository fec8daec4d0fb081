"""Data sets that TFDS has built, read as they are: their TFRecord shards have the schema of `tfrecord`."""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from clgan_tf.common import typed_json
from clgan_tf.common.errors import DataError
from clgan_tf.data.dataset import Dataset, open_dataset
from clgan_tf.data.description import CaptureRow, DataFacts
from clgan_tf.data.recipe import SPLITS

NAME = re.compile(r"\w+/[\w.+-]+")


@dataclass(frozen=True)
class Certificate:
    """What a builder says of the data set it made. source_fingerprint: a SHA-256 of the files it was made from."""

    facts: DataFacts
    captures: list[CaptureRow]
    source_fingerprint: str


def open_any(dataset: Path) -> Dataset:
    """A prepared directory or, where there is none and it looks like NAME/CONFIG, what TFDS has built of that name.

    Raises:
      DataError: see `open_dataset` and `open_registered`.
    """
    if not dataset.exists() and NAME.fullmatch(str(dataset)):
        return open_registered(str(dataset))
    return open_dataset(dataset)


def open_registered(name: str) -> Dataset:
    """Opens NAME/CONFIG, built before by `tfds build` or `tfds.load`, in TFDS's data directory (TFDS_DATA_DIR).

    Raises:
      DataError: it is not built, or not by a builder of this project, or TFDS is not installed.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DataError(f"{name} is no directory; what TFDS has built needs pip install 'clgan-tf[tfds]'.") from error
    try:
        builder = tfds.builder(name, data_dir=os.environ.get("TFDS_DATA_DIR"))
        is_built = builder.is_prepared()
    except Exception:  # TFDS raises whatever a damaged description makes it meet.
        is_built = False
    if not is_built:
        raise DataError(
            f"{name} is neither a directory with a prepared data set nor built by TFDS; run --mode=prepare, or "
            f"tfds build --imports=clgan_tf_datasets {name} (docs/data_sets.md)."
        )
    info = builder.info
    try:
        certificate = typed_json.convert((info.metadata or {})["certificate"], Certificate)
    except (KeyError, msgspec.ValidationError) as error:
        raise DataError(
            f"{name} has no certificate of this version of clgan_tf_datasets; build it again with tfds build."
        ) from error
    names = [*SPLITS, *(split for split in info.splits if split not in SPLITS)]
    splits = {split: info.splits[split] for split in names if split in info.splits}
    facts = replace(
        certificate.facts,
        source_kind=f"{builder.name}/{builder.builder_config.name} {builder.version}",
        sizes={split: splits[split].num_examples if split in splits else 0 for split in names},
    )
    shards = {split: sorted(splits[split].filenames) if split in splits else [] for split in names}
    return Dataset(Path(builder.data_path), facts, certificate.captures, shards)
