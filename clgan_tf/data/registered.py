"""Data sets that TFDS has built, read as they are: their TFRecord shards have the schema of `tfrecord`."""

import hashlib
import json
import os
import re
from pathlib import Path

from clgan_tf.data.dataset import SPLITS, Dataset, Description, open_dataset
from clgan_tf.errors import DataError

NAME = re.compile(r"\w+/[\w.+-]+")


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
      DataError: it is not built, or not by a builder of this project.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=os.environ.get("TFDS_DATA_DIR"))
        is_built = builder.is_prepared()
    except Exception:  # TFDS raises whatever a damaged description makes it meet.
        is_built = False
    if not is_built:
        raise DataError(
            f"{name} is neither a directory with a prepared data set nor built by TFDS; run --mode=prepare, or "
            f"tfds build --imports=clgan_tf_datasets {name} (README.md, Data sets for TFDS)."
        )
    info = builder.info
    certificate = (info.metadata or {}).get("certificate")
    if certificate is None:
        raise DataError(f"{name} has no certificate: it was not made by a builder of clgan_tf_datasets.")
    names = [*SPLITS, *(split for split in info.splits if split not in SPLITS)]
    splits = {split: info.splits[split] for split in names if split in info.splits}
    plan = certificate["plan"]
    text = json.dumps({**certificate, "name": name, "version": str(builder.version)}, sort_keys=True)
    description = Description(
        source=str(builder.data_path),
        source_kind=f"{builder.name}/{builder.builder_config.name} {builder.version}",
        class_names=certificate["class_names"],
        representation=certificate["representation"],
        representation_version=certificate["representation_version"],
        unit=certificate["unit"],
        fingerprint=hashlib.sha256(text.encode()).hexdigest(),
        sizes={split: splits[split].num_examples if split in splits else 0 for split in names},
        class_sizes={split: certificate["after"].get(split, {}) for split in SPLITS},
        shards={split: sorted(splits[split].filenames) if split in splits else [] for split in names},
        split={
            "rule": "whole captures" if plan["capture_splits"] else "hash of session",
            "seed": plan["seed"],
            "test_fraction": plan["test_fraction"],
            "validation_fraction": plan["validation_fraction"],
        },
        proof={name: certificate[name] for name in ("shared_images", "shared_sessions")},
        rules=certificate["rules"],
        captures=certificate["captures"],
    )
    return Dataset(Path(builder.data_path), description)
