"""Bytes as networks take them."""

import keras
import tensorflow as tf
from keras import layers

IMAGE_SHAPE = (28, 28, 1)
IMAGE_BYTES = 784


def to_pixels(images: tf.Tensor) -> tf.Tensor:
    """Bytes [batch, 28, 28, 1] in 0..255 -> float32 in [-1, 1], the range of a generator's tanh."""
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def to_bytes(pixels: tf.Tensor) -> tf.Tensor:
    """The inverse of `to_pixels`: uint8."""
    return tf.cast(tf.round((pixels + 1.0) * 127.5), tf.uint8)


def bytes_to_logits(network: keras.Model, name: str) -> keras.Model:
    """Bytes [batch, 28, 28, 1] uint8 -> logits [batch, K] of a network that takes pixels; shares its weights."""
    image = keras.Input(IMAGE_SHAPE, dtype="uint8", name="bytes")
    pixels = layers.Rescaling(1 / 127.5, offset=-1.0, name="scaling")(image)
    return keras.Model(image, network(pixels)["logits"], name=name)
