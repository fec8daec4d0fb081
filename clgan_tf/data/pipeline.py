"""tf.data pipelines over a prepared data set: labelled and unlabelled streams, zipped, with static shapes."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from clgan_tf.common.errors import DataError
from clgan_tf.data import tfrecord
from clgan_tf.data.examples import Examples
from clgan_tf.data.few_labels import FewLabels, Unlabelled

MAX_CACHED_EXAMPLES = 4_000_000  # 3.1 GB of images; above that, records are read from disk in every epoch
MAX_SHUFFLED_EXAMPLES = 500_000


def adversarial(
    few: FewLabels, batch_size: int, seed: int, skip_steps: int = 0, replicas: int = 1
) -> tuple[tf.data.Dataset, int]:
    """Endless batches for phase 1, and the number of steps in an epoch over the unlabelled sessions.

    Args:
      batch_size: unlabelled rows a step; labelled rows too, but never more than there are.
      seed: with the step number it determines every batch.
      skip_steps: begin where a run that was stopped after so many steps would go on.
      replicas: both parts can be cut into so many equal ones; of few labelled rows some come twice for it.

    Returns:
      A dataset of {"labelled": [b, 28, 28, 1] uint8, "labels": [b] int64, "unlabelled": [batch_size, 28, 28, 1]
      uint8}, and steps per epoch.

    Raises:
      DataError: every training session shows its label.
    """
    require_unlabelled(few)
    labelled_rows = -(-min(batch_size, len(few.labelled)) // replicas) * replicas
    labelled_stream = supervised(few.labelled, labelled_rows, seed)
    stream = two_streams(labelled_stream, _shuffled_images(few.unlabelled, batch_size, seed + 1)).skip(skip_steps)
    return stream.prefetch(tf.data.AUTOTUNE), max(1, few.unlabelled.count // batch_size)


def require_unlabelled(few: FewLabels) -> None:
    """Raises DataError where every training session shows its label: phase 1 of a GAN needs others."""
    if not few.unlabelled.count:
        raise DataError(
            f"{few.unlabelled.shards[0].parent}: no training session is left without its label; lower --labels, add "
            "captures to unlabelled/, or pass --pretraining_epochs=0."
        )


def supervised(labelled: Examples, batch_size: int, seed: int) -> tf.data.Dataset:
    """Endless shuffled batches of (images uint8 [batch_size, 28, 28, 1], labels int64 [batch_size])."""
    stream = tf.data.Dataset.from_tensor_slices((labelled.images, labelled.labels))
    return (
        stream.shuffle(len(labelled), seed=seed, reshuffle_each_iteration=True)
        .repeat()
        .batch(batch_size, drop_remainder=True)
    )


def unlabelled_batches(unlabelled: Unlabelled, batch_size: int, seed: int, skip_steps: int = 0) -> tf.data.Dataset:
    """Endless shuffled batches of images uint8 [batch_size, 28, 28, 1]; skip_steps: see `adversarial`."""
    return _shuffled_images(unlabelled, batch_size, seed).skip(skip_steps).prefetch(tf.data.AUTOTUNE)


def _shuffled_images(unlabelled: Unlabelled, batch_size: int, seed: int) -> tf.data.Dataset:
    return (
        images(unlabelled)
        .shuffle(min(unlabelled.count, MAX_SHUFFLED_EXAMPLES), seed=seed, reshuffle_each_iteration=True)
        .repeat()
        .batch(batch_size, drop_remainder=True)
    )


def balanced(labelled: Examples, batch_size: int, balance: float, seed: int) -> tf.data.Dataset:
    """Endless batches as of `supervised`, in which small classes come more often than their share.

    Args:
      balance: a class is drawn with its size to the power of 1 - balance: 0 draws sessions alike, 1 classes alike.
    """
    numbers, sizes = np.unique(labelled.labels, return_counts=True)
    weights = sizes ** (1.0 - balance)
    streams = []
    for number, size in zip(numbers, sizes, strict=True):
        rows = labelled.labels == number
        stream = tf.data.Dataset.from_tensor_slices((labelled.images[rows], labelled.labels[rows]))
        streams.append(stream.shuffle(size, seed=seed + int(number), reshuffle_each_iteration=True).repeat())
    drawn = tf.data.Dataset.sample_from_datasets(streams, weights / weights.sum(), seed=seed)
    return drawn.batch(batch_size, drop_remainder=True)


def two_streams(labelled: tf.data.Dataset, unlabelled: tf.data.Dataset | None) -> tf.data.Dataset:
    """Joins (images, labels) and images to {"labelled": ..., "labels": ..., "unlabelled": ...}."""
    if unlabelled is None:
        return labelled.map(lambda images, labels: {"labelled": images, "labels": labels})
    return tf.data.Dataset.zip(labelled, unlabelled).map(
        lambda pair, images: {"labelled": pair[0], "labels": pair[1], "unlabelled": images}
    )


def distributed(
    stream: tf.data.Dataset, strategy: tf.distribute.Strategy
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Batches cut into equal parts, a part for each replica, in order: together they see what one would see.

    Every worker reads the whole stream, so that no part depends on how many there are.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return stream

    def parts(context: tf.distribute.InputContext) -> tf.data.Dataset:
        here = replicas // context.num_input_pipelines
        first = here * context.input_pipeline_id

        def cut(rows: tf.Tensor) -> tf.Tensor:
            return tf.reshape(rows, (replicas, rows.shape[0] // replicas, *rows.shape[1:]))[first : first + here]

        return stream.map(lambda batch: tf.nest.map_structure(cut, batch)).unbatch()

    return strategy.distribute_datasets_from_function(parts)


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
    for path in unlabelled.shards:
        tfrecord.check_lengths(path)
    batches = tf.data.TFRecordDataset([str(path) for path in unlabelled.shards]).batch(1024).map(tfrecord.parse)
    stream = batches.map(_without(unlabelled.shown)).unbatch()
    return stream.cache() if unlabelled.count <= MAX_CACHED_EXAMPLES else stream


def sample(unlabelled: Unlabelled, most: int, seed: int) -> np.ndarray:
    """A uniform sample of at most so many of the images, uint8 [n, 28, 28, 1], in their order."""
    count = min(most, unlabelled.count)
    chosen = np.zeros(unlabelled.count, bool)
    chosen[np.random.default_rng(seed).permutation(unlabelled.count)[:count]] = True
    parts, at = [], 0
    for batch in images(unlabelled).batch(1024).as_numpy_iterator():
        parts.append(batch[chosen[at : at + len(batch)]])
        at += len(batch)
    return np.concatenate(parts)


def _without(sessions: np.ndarray) -> Callable[[dict[str, tf.Tensor]], tf.Tensor]:
    """The images of a batch that are of none of these sessions."""
    if not len(sessions):  # TensorFlow has no empty table.
        return lambda batch: batch["image"]
    names = tf.constant(sessions.tolist(), tf.string)
    initializer = tf.lookup.KeyValueTensorInitializer(names, tf.ones(len(sessions), tf.int64))
    shown = tf.lookup.StaticHashTable(initializer, default_value=0)
    return lambda batch: tf.boolean_mask(batch["image"], shown.lookup(batch["session"]) == 0)
