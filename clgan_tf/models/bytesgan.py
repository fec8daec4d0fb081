"""ByteSGAN (Wang et al. 2021): both networks see a session as one row of 784 bytes, convolved along it.

Sizes that the paper's abstract leaves open are decided in BUILD_NOTES.md.
"""

import keras
from keras import layers

from clgan_tf.models.discriminator import LEAK, with_head
from clgan_tf.models.gan import gan_of
from clgan_tf.models.generator import batch_normalisation
from clgan_tf.models.pixels import IMAGE_BYTES, IMAGE_SHAPE


def build_bytesgan_discriminator(num_classes: int, dropout: float = 0.5) -> keras.Model:
    """Two convolutions of 25 bytes and stride 4, and a Dense layer.

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
    x = batch_normalisation("normalisation_1")(x)
    x = layers.LeakyReLU(LEAK, name="activation_1")(x)
    x = layers.Conv1DTranspose(1, 25, strides=4, padding="same", name="deconvolution_2")(x)  # [batch, 784, 1]
    x = layers.Reshape(IMAGE_SHAPE, name="rows")(x)
    image = layers.Activation("tanh", name="image", dtype="float32")(x)
    return keras.Model(noise, image, name="bytesgan_generator")


bytesgan = gan_of("bytesgan", build_bytesgan_generator, build_bytesgan_discriminator)
