"""What all builders of session data sets share: configurations, features, splits and the certificate."""

import dataclasses
import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import apache_beam as beam
import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from clgan_tf_datasets import session_pipeline
from clgan_tf_datasets.session_pipeline import Plan, Source
from tensorflow_datasets.core import example_serializer

from clgan_tf.capture import REPRESENTATIONS, UNITS, SessionRules
from clgan_tf.data import labelled_folder
from clgan_tf.data.examples import UNLABELLED
from clgan_tf.data.labelled_folder import UNLABELLED_FOLDER
from clgan_tf.data.splits import LEAST_CAPTURES, split_captures
from clgan_tf.errors import ConfigError, DataError

SPLIT_BY = ("session", "capture")
OWN_SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(eq=False)
class SessionConfig(tfds.core.BuilderConfig):
    """One way to see the data.

    unit, representation: see clgan_tf.capture. classes: of ISCX, 12, 6 (application) or 2 (VPN or not); 0 = all.
    split_by: "session", or "capture": then no capture is in two splits, and classes with fewer than three captures
    cannot be served. cap_per_class: at most so many sessions of a class, a uniform sample; 0 = all.
    test_fraction, validation_fraction (of what test leaves) and seed decide the splits. rules: the fields of
    clgan_tf.capture.SessionRules.
    """

    unit: str = "session"
    representation: str = "masked"
    classes: int = 0
    split_by: str = "session"
    cap_per_class: int = 0
    test_fraction: float = 0.2
    validation_fraction: float = 0.1
    seed: int = 0
    rules: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, allowed in (("unit", UNITS), ("representation", tuple(REPRESENTATIONS)), ("split_by", SPLIT_BY)):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"There is no {name} {getattr(self, name)!r}; choose one of {', '.join(allowed)}.")
        for name in ("test_fraction", "validation_fraction"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(f"{name} must lie between 0 and 1, not {getattr(self, name)!r}.")
        if not self.cap_per_class >= 0:
            raise ConfigError(f"cap_per_class must be 0 or more, not {self.cap_per_class!r}.")
        try:
            SessionRules(**self.rules)
        except TypeError as error:
            raise ConfigError(f"rules must be fields of SessionRules: {error}.") from error


def configs(classes: Iterable[int] = (0,)) -> list[SessionConfig]:
    """Every unit, representation, number of classes and way to split, the default first."""
    found = []
    for split_by, count, unit, representation in itertools.product(
        SPLIT_BY, classes, UNITS, ("masked", "l7", "all_layers")
    ):
        name = f"{unit}_{representation}" + (f"_{count}_classes" if count else "")
        name += "_by_capture" if split_by == "capture" else ""
        kind = "both directions of a 5-tuple" if unit == "session" else "one direction of a 5-tuple"
        found.append(
            SessionConfig(
                name=name,
                description=f"{representation} images of {kind}, split by {split_by}.",
                unit=unit,
                representation=representation,
                classes=count,
                split_by=split_by,
            )
        )
    return found


class _SortedSerializer(example_serializer.ExampleSerializer):
    """Protocol buffers write a map in any order, so the same example could be other bytes in another process."""

    def serialize_example(self, example: Any) -> bytes:
        return self.get_tf_example(example).SerializeToString(deterministic=True)


class SessionDatasetBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Sources -> sessions -> de-duplicated splits, by Beam.

    A subclass says in `sources` where its sessions come from, and in `class_names` what is known before that.
    `info.metadata["certificate"]` states sizes before and after, duplicates, conflicts, what splits share (nothing),
    counts by class, the representation's version and the source's fingerprint.

    Raises (from download_and_prepare):
      DataError: sources are missing, or a class has no session. ConfigError: the configuration does not fit them.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
    BUILDER_CONFIGS: ClassVar[list[SessionConfig]] = configs()
    builder_config: SessionConfig

    def __init__(self, *, config: Any = None, file_format: Any = None, **kwargs: Any) -> None:
        if isinstance(config, SessionConfig):
            known = sorted({known.classes for known in self.BUILDER_CONFIGS})
            if config.classes not in known:
                raise ConfigError(f"{self.name}: classes must be one of {known}, not {config.classes!r}.")
        # TFRecord: the trainer reads the shards as they are, and so does any other program.
        super().__init__(config=config, file_format=file_format or tfds.core.FileFormat.TFRECORD, **kwargs)

    def _download_and_prepare(self, *arguments: Any, **options: Any) -> None:
        with mock.patch.object(example_serializer, "ExampleSerializer", _SortedSerializer):
            super()._download_and_prepare(*arguments, **options)

    def class_names(self) -> list[str]:
        """Class names in label order; empty where only the source tells."""
        return []

    def sources(self, dl_manager: tfds.download.DownloadManager) -> tuple[list[Source], list[str]]:
        """What to read, and the class names in label order. Raises DataError where something is missing."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        # By capture, classes with too few of them are left out: only the source tells which.
        names = self.class_names() if self.builder_config.split_by == "session" else []
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Tensor(
                        shape=(28, 28, 1), dtype=np.uint8, encoding=tfds.features.Encoding.BYTES
                    ),
                    "label": tfds.features.ClassLabel(names=names) if names else tfds.features.ClassLabel(),
                    "capture": tfds.features.Text(),
                    "session": tfds.features.Text(),
                    "num_bytes": tfds.features.Scalar(np.int64),
                }
            ),
            supervised_keys=("image", "label"),
            metadata=tfds.core.BeamMetadataDict(),
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager, pipeline: beam.Pipeline
    ) -> dict[str, beam.PCollection]:
        config = self.builder_config
        found, names = self.sources(dl_manager)
        capture_splits: dict[str, str] = {}
        not_served: list[str] = []
        if config.split_by == "capture":
            found, capture_splits, not_served = _by_capture(found, names, config)
            names = [name for name in names if name not in not_served]
        label = self.info.features["label"]
        if label.num_classes is None:
            label.names = names
        plan = Plan(config.seed, config.test_fraction, config.validation_fraction, config.cap_per_class, capture_splits)
        version = REPRESENTATIONS[config.representation].version
        placed, read, certificate = session_pipeline.build(
            pipeline,
            found,
            plan,
            config.unit,
            config.representation,
            SessionRules(**config.rules),
            {
                "class_names": names,
                "representation_version": version,
                "not_served": not_served,
            },
        )
        self.info.metadata["certificate"] = certificate | "check" >> beam.Map(check_certificate)
        own = [*OWN_SPLITS, *(["unlabelled"] if any(source.label == UNLABELLED for source in found) else [])]
        splits = {
            split: placed
            | f"of {split}" >> beam.Filter(lambda item, split: item[0] == split, split)
            | f"{split} as examples" >> beam.Map(lambda item: (item[1].session, item[1].features()))
            for split in own
        }
        for part in dict.fromkeys(source.published for source in found if source.published):
            splits[f"published_{part}"] = (
                read
                | f"of published {part}" >> beam.Filter(lambda record, part: record.published == part, part)
                | f"published {part} as examples" >> beam.Map(lambda record: (record.session, record.features()))
            )
        return splits

    def _generate_examples(self, *_arguments: Any) -> Any:
        raise NotImplementedError("_split_generators returns the examples themselves.")


def _by_capture(
    sources: list[Source], names: list[str], config: SessionConfig
) -> tuple[list[Source], dict[str, str], list[str]]:
    """Sources of the classes that can be split by capture, labelled anew; the captures' splits; the other classes."""
    if any(source.labels_path for source in sources):
        raise ConfigError("The published images do not say which capture they are from; split by session instead.")
    captures: dict[int, list[str]] = {label: [] for label in range(len(names))}
    for source in sources:
        if source.label != UNLABELLED:
            captures[source.label].append(source.name)
    splits, left_out = split_captures(captures, config.test_fraction, config.validation_fraction, config.seed)
    if left_out:
        classes = ", ".join(names[label] for label in left_out)
        logging.warning("Left out, with fewer than %d captures: %s", LEAST_CAPTURES, classes)
    labels = {label: place for place, label in enumerate(sorted(set(captures) - set(left_out)))}
    labels[UNLABELLED] = UNLABELLED
    kept = [dataclasses.replace(source, label=labels[source.label]) for source in sources if source.label in labels]
    return kept, splits, [names[label] for label in left_out]


def check_certificate(found: dict[str, Any]) -> dict[str, Any]:
    """The certificate, if the splits share nothing and no class is empty. Raises DataError."""
    if found["shared_images"] or found["shared_sessions"]:
        raise DataError(
            f"Splits share {found['shared_images']} images and {found['shared_sessions']} sessions: please report it."
        )
    for split in OWN_SPLITS:
        sizes = found.get("after", {}).get(split, {})
        for name in found["class_names"]:
            if not sizes.get(name):
                raise DataError(
                    f"Class {name} has no session in the {split} split after de-duplication; add captures of it, or "
                    "raise that split's fraction."
                )
    return found


def captures_below(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Files below `folder` by name, those in `names` alone, whatever sub-folder they lie in."""
    wanted = set(names)
    return {path.name: path for path in sorted(folder.rglob("*")) if path.name in wanted and path.is_file()}


def manual_dir(dl_manager: tfds.download.DownloadManager) -> Path | None:
    """The manual directory, or None where there is none or it is empty."""
    try:
        return Path(dl_manager.manual_dir)
    except AssertionError:
        return None


def manifest_sources(
    found: dict[str, Path], classes: dict[str, str], to_label: dict[str, int], what: str
) -> list[Source]:
    """Sources for the captures of a published data set that are there.

    Args:
      found: files by name; classes: class by file name, of all captures; to_label: label by class.
      what: the data set, for messages.

    Raises:
      DataError: captures are missing and leave a class empty.
    """
    missing = sorted(set(classes) - set(found))
    there = {classes[name] for name in found}
    empty = [name for name in dict.fromkeys(classes.values()) if name not in there]
    if empty:
        raise DataError(
            f"{len(missing)} of {len(classes)} captures of {what} are missing, which leaves no session of "
            f"{', '.join(empty)}: {', '.join(missing)}."
        )
    if missing:
        names = ", ".join(missing)
        logging.warning("%d of %d captures of %s are missing: %s", len(missing), len(classes), what, names)
    return [Source(str(path), name, to_label[classes[name]]) for name, path in sorted(found.items())]


def folder_sources(folder: Path) -> tuple[list[Source], list[str]]:
    """Sources and class names of a labelled folder. Raises DataError, see labelled_folder.find_captures."""
    captures, names = labelled_folder.find_captures(folder)
    labels = {name: label for label, name in enumerate(names)} | {UNLABELLED_FOLDER: UNLABELLED}
    sources = [
        Source(str(path), os.fsencode(path.relative_to(folder)).decode(errors="replace"), labels[name])
        for name, paths in captures.items()
        for path in paths
    ]
    return sources, names
