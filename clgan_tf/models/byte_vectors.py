"""Bytes as learned vectors: a byte is a symbol, and in a length or a flag a number too."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from clgan_tf.models.pixels import IMAGE_BYTES

HIDDEN = 256  # the token in place of a byte that is not shown
TOKENS = 257
SYMBOL_SIZE = 24
# Soft thresholds of a byte's value, and how soft: fine below 32, where lengths, flags and versions lie.
THRESHOLDS = np.array([1, 4, 16, 32, 64, 96, 128, 192])
WIDTHS = np.array([1, 3, 8, 12, 16, 16, 24, 24])
MAGNITUDE_SIZE = 1 + 8 + len(THRESHOLDS)
VECTOR_SIZE = SYMBOL_SIZE + MAGNITUDE_SIZE
MAGNITUDE_SCALE = 0.25  # of magnitudes beside symbols, whose standard deviation is SYMBOL_DEVIATION
SYMBOL_DEVIATION = 0.3
POSITION_DEVIATION = 0.1


@keras.saving.register_keras_serializable("clgan_tf")
class ByteVectors(layers.Layer):
    """The vector of a byte's value plus the vector of its position: tokens [batch, 784] -> [batch, 784, 41].

    Tokens are bytes 0..255 and HIDDEN. All vectors are learned. A value's vector begins as random numbers, by which it
    is a symbol, and its magnitude: see `magnitudes`.

    Args:
      magnitude: without it, all of a vector begins as random numbers.
    """

    def __init__(self, magnitude: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.magnitude = magnitude

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes both tables."""
        self.values = self.add_weight(shape=(TOKENS, VECTOR_SIZE), initializer=self._first_values, name="values")
        self.positions = self.add_weight(
            shape=(IMAGE_BYTES, VECTOR_SIZE),
            initializer=keras.initializers.RandomNormal(stddev=POSITION_DEVIATION),
            name="positions",
        )

    def _first_values(self, shape: tuple[int, int], dtype: str | None = None) -> tf.Tensor:
        symbols = keras.random.normal(shape, stddev=SYMBOL_DEVIATION, dtype=dtype)
        if not self.magnitude:
            return symbols
        return tf.concat([symbols[:, :SYMBOL_SIZE], tf.cast(MAGNITUDE_SCALE * magnitudes(), symbols.dtype)], axis=1)

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        """Looks them up."""
        return tf.gather(self.values, tf.cast(tokens, tf.int32)) + self.positions

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """One vector a token."""
        return (*input_shape, VECTOR_SIZE)

    def get_config(self) -> dict[str, Any]:
        """The argument."""
        return {**super().get_config(), "magnitude": self.magnitude}


def magnitudes() -> np.ndarray:
    """What is numeric in a token: float64 [257, 17] in [-1, 1]; of HIDDEN, nothing.

    Its value, its 8 bits (the highest last), and 8 soft thresholds, so that lengths which are close have close vectors.
    """
    value = np.arange(256)[:, np.newaxis]
    bits = ((value >> np.arange(8)) & 1) * 2.0 - 1
    thresholds = np.tanh((value - THRESHOLDS) / WIDTHS)
    shown = np.concatenate([value / 127.5 - 1, bits, thresholds], axis=1)
    return np.concatenate([shown, np.zeros((1, MAGNITUDE_SIZE))])


@keras.saving.register_keras_serializable("clgan_tf")
class AtPositions(layers.Layer):
    """Takes places of a sequence: ([batch, n, units], positions int [batch, p], ...) -> [[batch, p, units], ...].

    All are taken at once: the gradient fills a whole sequence with zeros, however few it adds.
    """

    def call(self, inputs: list[tf.Tensor]) -> list[tf.Tensor]:
        """Gathers them."""
        sequence, *positions = inputs
        counts = [tf.shape(each)[1] for each in positions]
        taken = tf.gather(sequence, tf.concat(positions, axis=1), batch_dims=1)
        return [
            tf.ensure_shape(part, (None, each.shape[1], sequence.shape[-1]))
            for part, each in zip(tf.split(taken, counts, axis=1, num=len(positions)), positions, strict=True)
        ]

    def compute_output_shape(self, input_shape: Any) -> list[tuple[int | None, ...]]:
        """Of the sequence's units."""
        sequence, *positions = input_shape
        return [(*each, sequence[-1]) for each in positions]
