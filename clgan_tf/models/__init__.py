"""Networks by name. No file access here: a model takes bytes and gives logits."""

from typing import Any

import keras

from clgan_tf.models.autoencoder import Autoencoder, build_decoder, build_encoder
from clgan_tf.models.clgan import CLGAN
from clgan_tf.models.cnn_lstm import build_cnn_lstm
from clgan_tf.models.convolutional_gans import (
    build_bytesgan_discriminator,
    build_bytesgan_generator,
    build_dcgan_discriminator,
)
from clgan_tf.models.discriminator import build_cross_attention_discriminator, build_discriminator
from clgan_tf.models.generator import NOISE_SIZE, build_generator

GANS = {  # name -> generator, discriminator
    "clgan": (build_generator, build_discriminator),
    "clgan_cross_attention": (build_generator, build_cross_attention_discriminator),
    "dcgan": (build_generator, build_dcgan_discriminator),
    "bytesgan": (build_bytesgan_generator, build_bytesgan_discriminator),
}
SUPERVISED = ("cnn_lstm",)  # without phase 1
NAMES = (*GANS, "autoencoder", *SUPERVISED)

__all__ = ["CLGAN", "GANS", "NAMES", "SUPERVISED", "Autoencoder", "build"]


def build(name: str, num_classes: int, **config: Any) -> keras.Model:
    """Builds a model by its registered name; not compiled.

    Args:
      name: one of NAMES: "clgan" (the paper's section 2.2), "clgan_cross_attention" (its section 2.1), "dcgan",
        "bytesgan", "autoencoder", "cnn_lstm".
      num_classes: K, at least 2.
      **config: dropout (0.5; cnn_lstm: 0); for the GANs also noise_size (100) and generator_loss
        ("feature_matching"); for all but cnn_lstm seed (0).

    Returns:
      A model that maps bytes [batch, 28, 28, 1] to logits [batch, K]; cnn_lstm is the bare network, from pixels in
      [-1, 1] to {"logits", "features"}.

    Raises:
      ValueError: the name is unknown or num_classes is below 2.
    """
    if name not in NAMES:
        raise ValueError(f"There is no model {name!r}; the names are {', '.join(NAMES)}.")
    if num_classes < 2:
        raise ValueError(f"A classifier needs at least 2 classes, not {num_classes}.")
    if name in SUPERVISED:
        return build_cnn_lstm(num_classes, config.pop("dropout", 0.0))
    dropout = config.pop("dropout", 0.5)
    if name == "autoencoder":
        return Autoencoder(build_decoder(), build_encoder(num_classes, dropout), name=name, **config)
    generator, discriminator = GANS[name]
    return CLGAN(
        generator(config.pop("noise_size", NOISE_SIZE)), discriminator(num_classes, dropout), name=name, **config
    )
