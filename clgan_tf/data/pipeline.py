"""tf.data pipelines over a prepared data set: labelled and unlabelled streams, zipped, with static shapes."""

from pathlib import Path

import tensorflow as tf

from clgan_tf.common.errors import DataError
from clgan_tf.data import tfrecord
from clgan_tf.data.examples import Examples
from clgan_tf.data.few_labels import FewLabels, Unlabelled

MAX_CACHED_EXAMPLES = 4_000_000  # 3.1 GB of images; above that, records are read from disk in every epoch
MAX_SHUFFLED_EXAMPLES = 500_000


def adversarial(few: FewLabels, batch_size: int, seed: int, skip_steps: int = 0) -> tuple[tf.data.Dataset, int]:
    """Endless batches for phase 1, and the number of steps in an epoch over the unlabelled sessions.

    Args:
      batch_size: unlabelled rows a step; labelled rows too, but never more than there are.
      seed: with the step number it determines every batch.
      skip_steps: begin where a run that was stopped after so many steps would go on.

    Returns:
      A dataset of {"labelled": [b, 28, 28, 1] uint8, "labels": [b] int64, "unlabelled": [batch_size, 28, 28, 1]
      uint8}, and steps per epoch.

    Raises:
      DataError: every training session shows its label.
    """
    count = few.unlabelled.count
    if not count:
        raise DataError(
            f"{few.unlabelled.dataset.directory}: no training session is left without its label; lower --labels, add "
            "captures to unlabelled/, or pass --pretraining_epochs=0."
        )
    labelled_stream = supervised(few.labelled, min(batch_size, len(few.labelled)), seed)
    unlabelled_stream = (
        images(few.unlabelled)
        .shuffle(min(count, MAX_SHUFFLED_EXAMPLES), seed=seed + 1, reshuffle_each_iteration=True)
        .repeat()
        .batch(batch_size, drop_remainder=True)
    )

    def join(pair: tuple[tf.Tensor, tf.Tensor], images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"labelled": pair[0], "labels": pair[1], "unlabelled": images}

    stream = tf.data.Dataset.zip(labelled_stream, unlabelled_stream).map(join).skip(skip_steps)
    return stream.prefetch(tf.data.AUTOTUNE), max(1, count // batch_size)


def supervised(labelled: Examples, batch_size: int, seed: int) -> tf.data.Dataset:
    """Endless shuffled batches of (images uint8 [batch_size, 28, 28, 1], labels int64 [batch_size])."""
    stream = tf.data.Dataset.from_tensor_slices((labelled.images, labelled.labels))
    return (
        stream.shuffle(len(labelled), seed=seed, reshuffle_each_iteration=True)
        .repeat()
        .batch(batch_size, drop_remainder=True)
    )


def in_order(examples: Examples, batch_size: int = 1024) -> tf.data.Dataset:
    """All examples once, as (images, labels) batches, for validation."""
    return tf.data.Dataset.from_tensor_slices((examples.images, examples.labels)).batch(batch_size).cache()


def images(unlabelled: Unlabelled) -> tf.data.Dataset:
    """Images [28, 28, 1] uint8 of all unlabelled sessions: the sample, or read from the shards, cached if they fit.

    Raises:
      DataError: a shard is missing or damaged.
    """
    if unlabelled.sample is not None:
        return tf.data.Dataset.from_tensor_slices(unlabelled.sample.images)
    shown = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            tf.constant(unlabelled.shown.tolist(), tf.string), tf.ones(len(unlabelled.shown), tf.int64)
        ),
        default_value=0,
    )

    def hidden(batch: dict[str, tf.Tensor]) -> tf.Tensor:
        return tf.boolean_mask(batch["image"], shown.lookup(batch["session"]) == 0)

    paths = shards(unlabelled)
    for path in paths:
        tfrecord.check_lengths(path)
    stream = (
        tf.data.TFRecordDataset([str(path) for path in paths]).batch(1024).map(tfrecord.parse).map(hidden).unbatch()
    )
    return stream.cache() if unlabelled.count <= MAX_CACHED_EXAMPLES else stream


def shards(unlabelled: Unlabelled) -> list[Path]:
    """The files that unlabelled sessions are read from."""
    return [path for split in ("train", "unlabelled") for path in unlabelled.dataset.paths(split)]
