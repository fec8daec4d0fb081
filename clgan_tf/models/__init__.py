"""Networks by name. No file access here: a model takes bytes and gives logits."""

from typing import Any

import keras

from clgan_tf.models.clgan import CLGAN
from clgan_tf.models.discriminator import build_cross_attention_discriminator, build_discriminator
from clgan_tf.models.generator import NOISE_SIZE, build_generator

DISCRIMINATORS = {
    "clgan": build_discriminator,
    "clgan_cross_attention": build_cross_attention_discriminator,
}
NAMES = tuple(DISCRIMINATORS)

__all__ = ["CLGAN", "DISCRIMINATORS", "NAMES", "build"]


def build(name: str, num_classes: int, **config: Any) -> keras.Model:
    """Builds a model by its registered name; not compiled.

    Args:
      name: "clgan" (the paper's section 2.2) or "clgan_cross_attention" (its section 2.1).
      num_classes: K, at least 2.
      **config: dropout (0.5), noise_size (100), generator_loss ("feature_matching"), seed (0).

    Raises:
      ValueError: the name is unknown or num_classes is below 2.
    """
    if name not in DISCRIMINATORS:
        raise ValueError(f"There is no model {name!r}; the names are {', '.join(NAMES)}.")
    if num_classes < 2:
        raise ValueError(f"A classifier needs at least 2 classes, not {num_classes}.")
    generator = build_generator(config.pop("noise_size", NOISE_SIZE))
    discriminator = DISCRIMINATORS[name](num_classes, config.pop("dropout", 0.5))
    return CLGAN(generator, discriminator, name=name, **config)
