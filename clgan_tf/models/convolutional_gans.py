"""The networks of two earlier semi-supervised GANs, trained by the same class and objective as CLGAN.

Sizes that the papers' abstracts leave open are decided in BUILD_NOTES.md.
"""

import keras
from keras import KerasTensor, layers

from clgan_tf.models.discriminator import IMAGE_SHAPE, LEAK, with_head

IMAGE_BYTES = 784


def build_dcgan_discriminator(num_classes: int, dropout: float = 0.5) -> keras.Model:
    """DCGAN (Iliyasu & Deng 2020; Radford et al. 2016): a purely convolutional discriminator.

    [batch, 28, 28, 1] float in [-1, 1] -> logits [batch, K], features [batch, 2048].
    """
    image = keras.Input(IMAGE_SHAPE, name="image")
    x: KerasTensor = image
    for index, filters in enumerate((32, 64, 128), start=1):  # [batch, 14, 14, 32], [7, 7, 64], [4, 4, 128]
        x = layers.Conv2D(filters, 5, strides=2, padding="same", name=f"convolution_{index}")(x)
        x = layers.LeakyReLU(LEAK, name=f"activation_{index}")(x)
    features = layers.Flatten(name="features")(x)  # [batch, 2048]
    return with_head(image, features, num_classes, dropout, "dcgan_discriminator")


def build_bytesgan_discriminator(num_classes: int, dropout: float = 0.5) -> keras.Model:
    """ByteSGAN (Wang et al. 2021): the session as one row of 784 bytes, convolved along it.

    [batch, 28, 28, 1] float in [-1, 1] -> logits [batch, K], features [batch, 256].
    """
    image = keras.Input(IMAGE_SHAPE, name="image")
    x = layers.Reshape((IMAGE_BYTES, 1), name="bytes")(image)  # [batch, 784, 1]
    for index, filters in enumerate((32, 64), start=1):  # [batch, 196, 32], then [batch, 49, 64]
        x = layers.Conv1D(filters, 25, strides=4, padding="same", name=f"convolution_{index}")(x)
        x = layers.LeakyReLU(LEAK, name=f"activation_{index}")(x)
    x = layers.Flatten(name="flatten")(x)  # [batch, 3136]
    x = layers.Dense(256, name="dense")(x)
    features = layers.LeakyReLU(LEAK, name="features")(x)  # [batch, 256]
    return with_head(image, features, num_classes, dropout, "bytesgan_discriminator")


def build_bytesgan_generator(noise_size: int) -> keras.Model:
    """The mirror image of ByteSGAN's discriminator: noise [batch, n] -> image [batch, 28, 28, 1] in [-1, 1]."""
    noise = keras.Input((noise_size,), name="noise")
    x = layers.Dense(49 * 64, name="project")(noise)
    x = layers.Reshape((49, 64), name="reshape")(x)  # [batch, 49, 64]
    x = layers.Conv1DTranspose(32, 25, strides=4, padding="same", name="deconvolution_1")(x)  # [batch, 196, 32]
    x = layers.BatchNormalization(name="normalisation_1")(x)
    x = layers.LeakyReLU(LEAK, name="activation_1")(x)
    x = layers.Conv1DTranspose(1, 25, strides=4, padding="same", name="deconvolution_2")(x)  # [batch, 784, 1]
    x = layers.Reshape(IMAGE_SHAPE, name="rows")(x)
    image = layers.Activation("tanh", name="image", dtype="float32")(x)
    return keras.Model(noise, image, name="bytesgan_generator")
