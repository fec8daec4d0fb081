"""What a session looks like, in 148 numbers that nothing has to learn."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from clgan_tf.models.pixels import IMAGE_BYTES, IMAGE_SHAPE

ROWS, FIRST_BYTES = 28, 64  # headers lie in the first bytes


@keras.saving.register_keras_serializable("clgan_tf")
class ByteSummary(layers.Layer):
    """Bytes [batch, 28, 28, 1] -> [batch, 148] float32: the first 64, and each 28's mean, spread and share of zeros.

    What a session looks like, whatever its class: what a network has learned to tell classes by need not be what is
    strange in a session, and trees have learned no such numbers at all.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Nothing to learn. Raises ValueError of what is no image, as only a damaged or hostile file has it."""
        if tuple(input_shape[1:]) != IMAGE_SHAPE:
            raise ValueError(f"a summary is of an image, not of {input_shape[1:]}")

    def call(self, image: Any) -> Any:
        """Bytes as numbers from 0 to 1."""
        values = tf.reshape(tf.cast(image, tf.float32) / 255.0, (-1, IMAGE_BYTES))
        rows = tf.reshape(values, (-1, ROWS, IMAGE_BYTES // ROWS))
        zeros = tf.reduce_mean(tf.cast(rows == 0, tf.float32), axis=2)
        spread = tf.math.reduce_std(rows, axis=2)
        return tf.concat([values[:, :FIRST_BYTES], tf.reduce_mean(rows, axis=2), spread, zeros], axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """One row each."""
        return input_shape[0], FIRST_BYTES + 3 * ROWS
