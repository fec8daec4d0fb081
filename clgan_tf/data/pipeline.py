"""tf.data pipelines over a prepared data set: labelled and unlabelled streams, zipped, with static shapes."""

import numpy as np
import tensorflow as tf

from clgan_tf.data import tfrecord
from clgan_tf.data.dataset import Dataset
from clgan_tf.data.examples import Examples
from clgan_tf.errors import DataError

MAX_CACHED_EXAMPLES = 4_000_000  # 3.1 GB of images; above that, records are read from disk in every epoch
MAX_SHUFFLED_EXAMPLES = 500_000


def adversarial(
    dataset: Dataset, labelled: Examples, batch_size: int, seed: int, pool: Examples | None = None, skip_steps: int = 0
) -> tuple[tf.data.Dataset, int]:
    """Endless batches for phase 1, and the number of steps in an epoch over the unlabelled sessions.

    Args:
      labelled: the sessions that show their label; all other training sessions are unlabelled.
      pool: the unlabelled sessions, where not all are to be used.
      batch_size: unlabelled rows a step; labelled rows too, but never more than there are.
      seed: with the step number it determines every batch.
      skip_steps: begin where a run that was stopped after so many steps would go on.

    Returns:
      A dataset of {"labelled": [b, 28, 28, 1] uint8, "labels": [b] int64, "unlabelled": [batch_size, 28, 28, 1]
      uint8}, and steps per epoch.

    Raises:
      DataError: every training session shows its label.
    """
    sizes = dataset.description.sizes
    num_unlabelled = len(pool) if pool is not None else sizes["train"] - len(labelled) + sizes["unlabelled"]
    if not num_unlabelled:
        raise DataError(
            f"{dataset.directory}: no training session is left without its label; lower --labels, add captures to "
            "unlabelled/, or pass --pretraining_epochs=0."
        )
    rows = min(batch_size, len(labelled))
    labelled_stream = supervised(labelled, rows, seed)
    images = unlabelled(dataset, labelled.sessions) if pool is None else _images(pool)
    unlabelled_stream = _shuffled(images, num_unlabelled, seed + 1).repeat().batch(batch_size, drop_remainder=True)

    def join(pair: tuple[tf.Tensor, tf.Tensor], images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"labelled": pair[0], "labels": pair[1], "unlabelled": images}

    stream = tf.data.Dataset.zip(labelled_stream, unlabelled_stream).map(join).skip(skip_steps)
    return stream.prefetch(tf.data.AUTOTUNE), max(1, num_unlabelled // batch_size)


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


def unlabelled(dataset: Dataset, labelled_sessions: np.ndarray) -> tf.data.Dataset:
    """Images [28, 28, 1] uint8 of all training sessions that do not show their label.

    Read from the shards; cached when they fit.
    """
    shown = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            tf.constant(labelled_sessions.tolist(), tf.string), tf.ones(len(labelled_sessions), tf.int64)
        ),
        default_value=0,
    )

    def hidden(batch: dict[str, tf.Tensor]) -> tf.Tensor:
        return tf.boolean_mask(batch["image"], shown.lookup(batch["session"]) == 0)

    paths = [path for split in ("train", "unlabelled") for path in dataset.paths(split)]
    for path in paths:
        tfrecord.check_lengths(path)
    stream = (
        tf.data.TFRecordDataset([str(path) for path in paths]).batch(1024).map(tfrecord.parse).map(hidden).unbatch()
    )
    sizes = dataset.description.sizes
    return stream.cache() if sizes["train"] + sizes["unlabelled"] <= MAX_CACHED_EXAMPLES else stream


def _images(examples: Examples) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(examples.images)


def _shuffled(stream: tf.data.Dataset, count: int, seed: int) -> tf.data.Dataset:
    return stream.shuffle(max(1, min(count, MAX_SHUFFLED_EXAMPLES)), seed=seed, reshuffle_each_iteration=True)
