"""The paper's deconvolutional generator: 100 uniform numbers in, a 28 x 28 image in [-1, 1] out."""

import keras
import tensorflow as tf
from keras import KerasTensor, layers

NOISE_SIZE = 100
LEAK = 0.2


def build_generator(noise_size: int = NOISE_SIZE) -> keras.Model:
    """Noise [batch, noise_size] float in [-1, 1] -> image [batch, 28, 28, 1] float in [-1, 1].

    The text's padding of 1 would give 9, 19 and 39; "same" padding gives the stated 8 and 16, and
    32, of which the outer two rows and columns are cropped to reach 28. Batch normalisation follows
    every deconvolution but the last, whose tanh would otherwise be held near zero.
    """
    noise = keras.Input((noise_size,), name="noise")
    x = layers.Dense(4 * 4 * 128, name="project")(noise)  # [batch, 2048]
    x = layers.Reshape((4, 4, 128), name="reshape")(x)  # [batch, 4, 4, 128]
    return keras.Model(noise, deconvolutions(x), name="generator")


def batch_normalisation(name: str) -> layers.BatchNormalization:
    """By the statistics of the whole batch, of which each replica of a strategy has a part only."""
    several = tf.distribute.get_strategy().num_replicas_in_sync > 1
    return layers.BatchNormalization(synchronized=several, name=name)


def deconvolutions(x: KerasTensor) -> KerasTensor:
    """[batch, 4, 4, 128] -> image [batch, 28, 28, 1] in [-1, 1]."""
    for index, filters in enumerate((64, 32), start=1):  # [batch, 8, 8, 64], then [batch, 16, 16, 32]
        x = layers.Conv2DTranspose(filters, 5, strides=2, padding="same", name=f"deconvolution_{index}")(x)
        x = batch_normalisation(f"normalisation_{index}")(x)
        x = layers.LeakyReLU(LEAK, name=f"activation_{index}")(x)
    x = layers.Conv2DTranspose(1, 5, strides=2, padding="same", name="deconvolution_3")(x)  # [batch, 32, 32, 1]
    x = layers.Cropping2D(2, name="crop")(x)  # [batch, 28, 28, 1]
    return layers.Activation("tanh", name="image", dtype="float32")(x)
