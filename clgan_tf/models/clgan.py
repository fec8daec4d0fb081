"""CLGAN: the paper's generator (section 2.3) against its CNN -> LSTM discriminator (section 2.2, or 2.1)."""

from clgan_tf.models.discriminator import build_cross_attention_discriminator, build_discriminator
from clgan_tf.models.gan import gan_of
from clgan_tf.models.generator import build_generator

clgan = gan_of("clgan", build_generator, build_discriminator)
clgan_cross_attention = gan_of("clgan_cross_attention", build_generator, build_cross_attention_discriminator)
