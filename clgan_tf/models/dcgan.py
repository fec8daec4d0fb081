"""DCGAN (Iliyasu & Deng 2020): CLGAN with a purely convolutional discriminator.

Sizes that the paper's abstract leaves open are decided in BUILD_NOTES.md.
"""

import keras
from keras import KerasTensor, layers

from clgan_tf.models.discriminator import LEAK, with_head
from clgan_tf.models.gan import gan_of
from clgan_tf.models.generator import build_generator
from clgan_tf.models.pixels import IMAGE_SHAPE


def build_dcgan_discriminator(num_classes: int, dropout: float = 0.5) -> keras.Model:
    """Three convolutions of stride 2, no batch normalisation (Radford et al. 2016).

    [batch, 28, 28, 1] float in [-1, 1] -> logits [batch, K], features [batch, 2048].
    """
    image = keras.Input(IMAGE_SHAPE, name="image")
    x: KerasTensor = image
    for index, filters in enumerate((32, 64, 128), start=1):  # [batch, 14, 14, 32], [7, 7, 64], [4, 4, 128]
        x = layers.Conv2D(filters, 5, strides=2, padding="same", name=f"convolution_{index}")(x)
        x = layers.LeakyReLU(LEAK, name=f"activation_{index}")(x)
    features = layers.Flatten(name="features")(x)  # [batch, 2048]
    return with_head(image, features, num_classes, dropout, "dcgan_discriminator")


dcgan = gan_of("dcgan", build_generator, build_dcgan_discriminator)
