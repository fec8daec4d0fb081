"""CLGAN: the paper's generator (section 2.3) against its CNN -> LSTM discriminator (section 2.2, or 2.1)."""

from clgan_tf.models.discriminator import build_cross_attention_discriminator, build_discriminator
from clgan_tf.models.gan import GAN
from clgan_tf.models.generator import NOISE_SIZE, build_generator


def clgan(
    num_classes: int,
    dropout: float = 0.5,
    seed: int = 0,
    noise_size: int = NOISE_SIZE,
    generator_loss: str = "feature_matching",
) -> GAN:
    """The discriminator of section 2.2."""
    generator, discriminator = build_generator(noise_size), build_discriminator(num_classes, dropout)
    return GAN(discriminator, generator, generator_loss, seed=seed, name="clgan")


def clgan_cross_attention(
    num_classes: int,
    dropout: float = 0.5,
    seed: int = 0,
    noise_size: int = NOISE_SIZE,
    generator_loss: str = "feature_matching",
) -> GAN:
    """The discriminator of section 2.1."""
    generator, discriminator = build_generator(noise_size), build_cross_attention_discriminator(num_classes, dropout)
    return GAN(discriminator, generator, generator_loss, seed=seed, name="clgan_cross_attention")
