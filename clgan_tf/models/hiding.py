"""Which bytes of a session are hidden: spans of it, drawn anew in every step and repeatable by their seed."""

import math

import tensorflow as tf

from clgan_tf.models.byte_vectors import HIDDEN
from clgan_tf.models.pixels import IMAGE_BYTES

LONGEST_SPAN = 11


def to_rows(images: tf.Tensor) -> tf.Tensor:
    """Bytes [batch, 28, 28, 1] -> int32 [batch, 784]."""
    return tf.cast(tf.reshape(images, (-1, IMAGE_BYTES)), tf.int32)


def sizes_of(rows: tf.Tensor) -> tf.Tensor:
    """How many bytes lie before a session's padding, int32 [batch]: up to the last that is not zero."""
    return tf.reduce_max(tf.where(rows != 0, tf.range(1, IMAGE_BYTES + 1), 0), axis=1)


def spans(rows: tf.Tensor, share: float, seed: tf.Tensor) -> tf.Tensor:
    """Marks spans of 1 to LONGEST_SPAN bytes that cover about `share` of a session, never of its padding.

    Args:
      rows: int32 [batch, 784], their number known; share: in [0, 1); seed: int [2].

    Returns:
      bool [batch, 784]. Spans begin at every place alike and may lie over each other, which the share allows for.
    """
    shape = (rows.shape[0], IMAGE_BYTES)
    length_seed, start_seed = tf.unstack(tf.random.split(seed))
    begins = -math.log(1 - share) / ((1 + LONGEST_SPAN) / 2)
    starts = tf.random.stateless_uniform(shape, start_seed) < begins
    lengths = tf.random.stateless_uniform(shape, length_seed, 1, LONGEST_SPAN + 1, tf.int32)
    lengths = tf.where(starts, lengths, 0)
    covered = starts
    for distance in range(1, LONGEST_SPAN):
        covered |= tf.pad(lengths[:, :-distance] > distance, [[0, 0], [distance, 0]])
    return covered & (tf.range(IMAGE_BYTES) < sizes_of(rows)[:, tf.newaxis])


def hide(rows: tf.Tensor, marked: tf.Tensor) -> tf.Tensor:
    """The rows with HIDDEN where they are marked: int32 [batch, 784]."""
    return tf.where(marked, HIDDEN, rows)


def some_of(marked: tf.Tensor, count: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A sample of the marked places: positions int32 [batch, count], and which of them are marked, bool alike.

    Shapes are fixed, as an accelerator needs them: where fewer than `count` are marked, the rest is not.
    """
    order = tf.where(marked, tf.random.stateless_uniform(marked.shape, seed), -1.0)
    values, positions = tf.math.top_k(order, count)
    return positions, values >= 0


def without_tails(rows: tf.Tensor, share: float, seed: tf.Tensor) -> tf.Tensor:
    """Cuts a `share` of the sessions, each to between 30 % and all of its bytes: what a shorter capture has of it."""
    choice_seed, size_seed = tf.unstack(tf.random.split(seed))
    count = rows.shape[0]
    sizes = tf.cast(sizes_of(rows), tf.float32) * tf.random.stateless_uniform((count,), size_seed, 0.3, 1.0)
    cut = tf.random.stateless_uniform((count,), choice_seed) < share
    sizes = tf.where(cut, tf.cast(sizes, tf.int32), IMAGE_BYTES)
    return tf.where(tf.range(IMAGE_BYTES) < sizes[:, tf.newaxis], rows, 0)
