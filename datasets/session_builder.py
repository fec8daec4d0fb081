"""What all builders of session data sets share: configurations, features, splits and the certificate."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import apache_beam as beam
import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from clgan_tf_datasets import session_pipeline
from clgan_tf_datasets.session_pipeline import Build
from tensorflow_datasets.core import writer
from tensorflow_datasets.proto import tf_example_pb2

from clgan_tf.capture import DEFAULT_REPRESENTATION, REPRESENTATIONS, UNITS, SessionRules
from clgan_tf.capture.sources import files_below
from clgan_tf.common import progress
from clgan_tf.common.errors import ConfigError, DataError, UserError
from clgan_tf.data.examples import UNLABELLED
from clgan_tf.data.recipe import OWN_SPLITS, Plan
from clgan_tf.data.sources import Source, Sources, split_by_capture
from clgan_tf.settings import SPLIT_BY

EMPTY_UNLABELLED = "is 0 for split unlabelled"  # of TFDS's own error


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
    representation: str = DEFAULT_REPRESENTATION
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
        except (TypeError, ConfigError) as error:
            raise ConfigError(f"rules must be fields of SessionRules: {error}.") from error


def configs(classes: Iterable[int] = (0,)) -> list[SessionConfig]:
    """Every unit, representation, number of classes and way to split, the default first."""
    made = []
    for split_by, count, unit, representation in itertools.product(SPLIT_BY, classes, UNITS, REPRESENTATIONS):
        name = f"{unit}_{representation}" + (f"_{count}_classes" if count else "")
        name += "_by_capture" if split_by == "capture" else ""
        kind = "both directions of a 5-tuple" if unit == "session" else "one direction of a 5-tuple"
        made.append(
            SessionConfig(
                name=name,
                description=f"{representation} images of {kind}, split by {split_by}.",
                unit=unit,
                representation=representation,
                classes=count,
                split_by=split_by,
            )
        )
    return made


def is_registered(module: str) -> bool:
    """Whether a module's builder is to be registered: one imported from its own folder, by `tfds build`, is not."""
    return module.startswith("clgan_tf_datasets.")


class _SortedWriter(writer.ExampleWriter):
    """Protocol buffers write a map in any order, so the same example could be other bytes in another process."""

    def write(self, path: Any, examples: Iterable[tuple[Any, bytes]]) -> Any:
        """Writes examples with their features in order."""
        return super().write(path, map(_sorted, examples))


def _sorted(example: tuple[Any, bytes]) -> tuple[Any, bytes]:
    key, serialized = example
    return key, tf_example_pb2.Example.FromString(serialized).SerializeToString(deterministic=True)


class SessionDatasetBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Sources -> sessions -> de-duplicated splits, by Beam.

    A subclass says in `sources` where its sessions come from, and in `class_names` what is known before that.
    `info.metadata["certificate"]` is a clgan_tf.data.registered.Certificate: the facts of the data set, what became of
    each capture's sessions, and the source's fingerprint.

    Raises (from download_and_prepare):
      DataError: sources are missing, have changed since they were built, or a class has no session. ConfigError: the
        configuration does not fit them.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
    BUILDER_CONFIGS: ClassVar[list[SessionConfig]] = configs()
    OWN_CAPTURES: ClassVar[bool] = False  # they may change; what is published does not
    builder_config: SessionConfig

    def __init__(self, *, config: Any = None, file_format: Any = None, **kwargs: Any) -> None:
        if isinstance(config, SessionConfig):
            known = sorted({known.classes for known in self.BUILDER_CONFIGS})
            if config.classes not in known:
                raise ConfigError(f"{self.name}: classes must be one of {known}, not {config.classes!r}.")
        # TFRecord: the trainer reads the shards as they are, and so does any other program.
        super().__init__(config=config, file_format=file_format or tfds.core.FileFormat.TFRECORD, **kwargs)
        self._has_unlabelled = True  # TFDS takes no empty split, and whether it is empty is known at the end.

    def _example_writer(self) -> writer.ExampleWriter:
        return _SortedWriter(self.info.file_format)

    def class_names(self) -> list[str]:
        """Class names in label order; empty where only the source tells."""
        return []

    def sources(self, dl_manager: tfds.download.DownloadManager) -> Sources:
        """What to read. Raises DataError where something is missing."""
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

    def download_and_prepare(
        self, *, download_dir: Any = None, download_config: tfds.download.DownloadConfig | None = None, **kwargs: Any
    ) -> None:
        """As TFDS has it. A data set that stands already is first held against its sources, where they are at hand."""
        wanted = download_config or tfds.download.DownloadConfig()
        if self.OWN_CAPTURES and self.is_prepared() and not wanted.download_mode.overwrite_dataset:
            self._refuse_changed_sources(self._make_download_manager(download_dir, wanted))
        given = {"download_dir": download_dir, "download_config": download_config, **kwargs}
        try:
            super().download_and_prepare(**given)
        except Exception as error:
            if EMPTY_UNLABELLED not in str(error):
                raise
            logging.warning("unlabelled/ adds no session to those of the classes: built without it.")
            self._has_unlabelled = False
            self.info.metadata.clear()
            super().download_and_prepare(**given)

    def _refuse_changed_sources(self, dl_manager: tfds.download.DownloadManager) -> None:
        try:
            sources = self._served_sources(dl_manager).sources
        except UserError:  # Who only uses what was built need not have them.
            return
        digests: list[tuple[str, str]] = []
        with progress.bar("Comparing with the sources", len(sources), " files") as bar:
            for source in sources:
                digests += session_pipeline.digests_of(source)
                bar.update()
        built = (self.info.metadata or {}).get("certificate", {}).get("source_fingerprint")
        if session_pipeline.source_fingerprint(digests) != built:
            raise DataError(
                f"{self.data_path} was built from other files than there are now; build it again with --overwrite, "
                "or move the files away to use it as it is."
            )

    def _served_sources(self, dl_manager: tfds.download.DownloadManager) -> Sources:
        sources = self.sources(dl_manager)
        return _by_capture(sources, self.builder_config) if self.builder_config.split_by == "capture" else sources

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager, pipeline: beam.Pipeline
    ) -> dict[str, beam.PCollection]:
        config = self.builder_config
        all_sources = self._served_sources(dl_manager)
        label = self.info.features["label"]
        if label.num_classes is None:
            label.names = all_sources.class_names
        plan = Plan(
            config.seed,
            config.test_fraction,
            config.validation_fraction,
            config.cap_per_class,
            all_sources.has_published_test,
            all_sources.capture_splits,
        )
        what = Build(all_sources, plan, config.unit, config.representation, SessionRules(**config.rules))
        placed, read, self.info.metadata["certificate"] = session_pipeline.build(pipeline, what)
        has_unlabelled = self._has_unlabelled and any(source.label == UNLABELLED for source in all_sources.sources)
        own = [*OWN_SPLITS, *(["unlabelled"] if has_unlabelled else [])]
        splits = {
            split: placed
            | f"of {split}" >> beam.Filter(lambda item, split: item[0] == split, split)
            | f"{split} as examples" >> beam.Map(lambda item: (item[1].member.session, item[1].features()))
            for split in own
        }
        for part in dict.fromkeys(source.part for source in all_sources.sources if source.part):
            splits[f"published_{part}"] = (
                read
                | f"of published {part}" >> beam.Filter(lambda record, part: record.part == part, part)
                | f"published {part} as examples" >> beam.Map(lambda record: (record.member.session, record.features()))
            )
        return splits

    def _generate_examples(self, *_arguments: Any) -> Any:
        raise NotImplementedError("_split_generators returns the examples themselves.")


def _by_capture(sources: Sources, config: SessionConfig) -> Sources:
    """The sources of the classes that can be split by capture, see split_by_capture; the log names the others."""
    if any(source.labels_path for source in sources.sources):
        raise ConfigError("The published images do not say which capture they are from; split by session instead.")
    served = split_by_capture(sources, config.test_fraction, config.validation_fraction, config.seed)
    if served.not_served:
        logging.warning("Left out, with fewer than three captures: %s", ", ".join(served.not_served))
    return served


def files_by_name(folder: Path | None, is_wanted: Callable[[str], Any]) -> dict[str, Path]:
    """Files below `folder` by name, those alone whose name is wanted, whatever sub-folder they lie in."""
    return {path.name: path for path in files_below(folder) if is_wanted(path.name)} if folder else {}


def manual_dir(dl_manager: tfds.download.DownloadManager) -> Path | None:
    """The manual directory, or None where there is none or it is empty."""
    try:
        return Path(dl_manager.manual_dir)
    except AssertionError:
        return None


def manifest_sources(
    files: dict[str, Path], classes: dict[str, str], to_label: dict[str, int], class_names: list[str], what: str
) -> Sources:
    """Sources for the captures of a published data set that are there.

    Args:
      files: files by name; classes: class by file name, of all captures; to_label: label by class.
      what: the data set, for messages.

    Raises:
      DataError: captures are missing and leave a class empty.
    """
    missing = sorted(set(classes) - set(files))
    there = {classes[name] for name in files}
    empty = [name for name in dict.fromkeys(classes.values()) if name not in there]
    if empty:
        raise DataError(
            f"{len(missing)} of {len(classes)} captures of {what} are missing, which leaves no session of "
            f"{', '.join(empty)}: {', '.join(missing)}."
        )
    if missing:
        names = ", ".join(missing)
        logging.warning("%d of %d captures of %s are missing: %s", len(missing), len(classes), what, names)
    sources = [Source(str(path), name, to_label[classes[name]]) for name, path in sorted(files.items())]
    return Sources(sources, class_names, {}, [])
