"""What a session's n-grams of one to three bytes, and each byte at its place, say of its class: a layer."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from clgan_tf.models import hiding
from clgan_tf.models.pixels import IMAGE_BYTES, IMAGE_SHAPE

COARSE = 65_521  # A prime: into so many buckets n-grams fall, which may share one.
TINY = 1e-9
MOST_CLASSES = 500  # The table is 130 MB then.
MOST_NUMBERS = 1 << 16  # that a byte's n-grams of one kind may have in all rows together: the memory for them is 0.8 GB


def numbers(ahead: Sequence[Any], place: Any, buckets: int) -> list[Any]:
    """Buckets of the n-grams of each kind that begin at a place; arrays or tensors of int32.

    ahead: the byte there and the two behind it. No number in between is above 2^31.
    """
    first, second, third = ahead
    return [
        (first * 8_191 + 131_071) % buckets,
        (first * 40_503 + second * 1_299_709 + 524_287) % buckets,
        (first * 611_953 + second * 1_000_003 + third * 15_485 + 7) % buckets,
        (first * 2_750_159 + place * 104_729 + 65_537) % buckets,
    ]


@keras.saving.register_keras_serializable("clgan_tf")
class NgramLogits(layers.Layer):
    """What a session's n-grams say of its class: bytes [batch, 28, 28, 1] uint8 -> [batch, K] float32.

    Each n-gram adds its K numbers; their sum is divided by the root of the sum of the n-grams' squared weights.

    Args:
      num_classes: K.
    """

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the table. Raises ValueError of what is no image, as only a damaged or hostile file has it."""
        if tuple(input_shape[1:]) != IMAGE_SHAPE:
            raise ValueError(f"n-grams are of an image, not of {input_shape[1:]}")
        shape = (COARSE + 1, self.num_classes + 1)  # A row behind for padding, a column for squared weights.
        self.table = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="table")

    def take(self, kernel: np.ndarray, weights: np.ndarray) -> None:
        """Says of `summed` sessions what a linear classifier does: kernel float [COARSE, K]; weights as of `summed`."""
        rows = np.column_stack([weights[:, np.newaxis] * kernel, np.square(weights)])
        self.table.assign(np.pad(rows, ((0, 1), (0, 0))))

    def call(self, image: Any) -> Any:
        """Gathers and adds."""
        total = tf.add_n([tf.reduce_sum(each, axis=1) for each in self._found(image)])
        return total[:, :-1] * tf.math.rsqrt(tf.maximum(total[:, -1:], TINY))

    def of_places(self, image: Any) -> tf.Tensor:
        """What each byte has of the sum, an n-gram's numbers in equal parts: [batch, 784, K] float32."""
        singles, pairs, triples, placed = self._found(image)
        shares = singles + placed
        for size, each in ((2, pairs), (3, triples)):
            for distance in range(size):  # What would lie behind the last byte is the last one's.
                moved = tf.pad(each / size, [[0, 0], [distance, 0], [0, 0]])
                kept, behind = moved[:, :IMAGE_BYTES], moved[:, IMAGE_BYTES:]
                last = tf.reduce_sum(behind, axis=1, keepdims=True)
                shares += kept + tf.pad(last, [[0, 0], [IMAGE_BYTES - 1, 0], [0, 0]])
        squares = tf.reduce_sum(shares[:, :, -1:], axis=1, keepdims=True)
        return shares[:, :, :-1] * tf.math.rsqrt(tf.maximum(squares, TINY))

    def _found(self, image: Any) -> list[tf.Tensor]:
        """Rows of the table for the n-grams of each kind that begin at each byte, [batch, 784, K + 1]."""
        values, places = hiding.to_rows(image), tf.range(IMAGE_BYTES)
        sizes = hiding.sizes_of(values)[:, tf.newaxis]
        padded = tf.pad(values, [[0, 0], [0, 2]])
        ahead = [padded[:, distance : IMAGE_BYTES + distance] for distance in range(3)]
        columns = numbers(ahead, places, COARSE)
        return [tf.gather(self.table, tf.where(places < sizes, column, COARSE)) for column in columns]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """A number a class."""
        return input_shape[0], self.num_classes

    def get_config(self) -> dict[str, Any]:
        """The argument."""
        return {**super().get_config(), "num_classes": self.num_classes}


def rows_at_once(network: keras.Model, most: int) -> int:
    """How many sessions a network may be given at once, at most `most`: n-grams of many classes would fill memory."""
    classes = [layer.num_classes for layer in network.layers if isinstance(layer, NgramLogits)]
    return min([most, *(max(1, MOST_NUMBERS // (1 + count)) for count in classes)])


@keras.saving.register_keras_serializable("clgan_tf")
class LogitsSum(layers.Layer):
    """Adds what several say of the classes: each [batch, K] float32 -> [batch, K] float32.

    In place of Keras's Add, which TensorFlow joins into one kernel with a last layer's bias or not, by whether it knows
    the batch's size: the same session's logits would differ in their last digit by what was asked before.
    """

    def call(self, logits: Sequence[Any]) -> Any:
        """Stacks and adds."""
        return tf.reduce_sum(tf.stack(logits), axis=0)
