"""The K+1 semi-supervised GAN (Salimans et al. 2016), which CLGAN, DCGAN and ByteSGAN are with other networks."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from clgan_tf.models import losses
from clgan_tf.models.generator import NOISE_SIZE
from clgan_tf.models.pixels import to_bytes, to_pixels
from clgan_tf.models.registry import GENERATOR_LOSSES
from clgan_tf.models.two_networks import TwoNetworks, seed_of


@keras.saving.register_keras_serializable("clgan_tf")
class GAN(TwoNetworks):
    """A discriminator and a generator that train each other.

    Args:
      network: the discriminator, image in [-1, 1] -> {"logits": [batch, K], "features": [batch, units]}.
      partner: the generator, noise [batch, n] -> image [batch, 28, 28, 1] in [-1, 1].
      generator_loss: "feature_matching" (default) or "non_saturating".
      seed: with the discriminator's step number it determines the noise of every step, so that an
        interrupted and resumed training sees the same noise.
    """

    MEANS = (
        "discriminator_loss",
        "generator_loss",
        "labelled_loss",
        "unlabelled_loss",
        "generated_loss",
        "probability_real",
        "probability_real_generated",
    )
    MINIMISED = ("discriminator_loss", "generator_loss")

    def __init__(
        self, network: keras.Model, partner: keras.Model, generator_loss: str = "feature_matching", **kwargs: Any
    ) -> None:
        super().__init__(network, partner, **kwargs)
        if generator_loss not in GENERATOR_LOSSES:
            raise ValueError(f"generator_loss must be one of {', '.join(GENERATOR_LOSSES)}, not {generator_loss!r}.")
        self.generator_loss = generator_loss

    @property
    def discriminator(self) -> keras.Model:
        """The network that classifies."""
        return self.network

    @property
    def generator(self) -> keras.Model:
        """Its partner."""
        return self.partner

    def noise(self, batch_size: int | tf.Tensor, step: int | tf.Tensor) -> tf.Tensor:
        """The noise of one step, [batch, n] in U[-1, 1]; each of several replicas has its part of what one has."""
        context = tf.distribute.get_replica_context()
        replicas = context.num_replicas_in_sync if context else 1
        shape = (replicas * batch_size, self.generator.input.shape[-1])
        whole = tf.random.stateless_uniform(shape, seed_of(self.seed, step, replica=0), minval=-1.0, maxval=1.0)
        if replicas == 1:
            return whole
        first = context.replica_id_in_sync_group * batch_size
        return tf.slice(whole, [first, 0], [batch_size, shape[1]])

    def generate(self, count: int, step: int = 0) -> tf.Tensor:
        """Generated sessions as bytes, [count, 28, 28, 1] uint8, for people to look at."""
        return to_bytes(self.generator(self.noise(count, step), training=False))

    def beside(self, images: tf.Tensor) -> tf.Tensor:
        """As many generated sessions."""
        return self.generate(len(images))

    def train_step(self, data: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One step of both networks: the discriminator sees each of the three kinds of rows once.

        Generated rows go through it by themselves, since the generator's gradient comes back through theirs alone.
        """
        labels = data["labels"]
        sizes = [data["labelled"].shape[0], data["unlabelled"].shape[0]]
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape(persistent=True) as tape:
            real = to_pixels(tf.concat([data["labelled"], data["unlabelled"]], axis=0))
            of_real = self.discriminator(real, training=True)
            labelled_logits, unlabelled_logits = tf.split(of_real["logits"], sizes)
            generated = self.generator(self.noise(sizes[1], self.optimizer.iterations), training=True)
            of_generated = self.discriminator(generated, training=True)

            labelled_loss = losses.labelled_loss(labels, labelled_logits)
            unlabelled_loss = losses.unlabelled_loss(unlabelled_logits)
            generated_loss = losses.generated_loss(of_generated["logits"])
            discriminator_loss = labelled_loss + unlabelled_loss + generated_loss
            if self.generator_loss == "feature_matching":
                unlabelled_features = of_real["features"][sizes[0] :]
                generator_loss = losses.feature_matching(unlabelled_features, of_generated["features"])
            else:
                generator_loss = losses.non_saturating(of_generated["logits"])
            # Gradients are summed over replicas; the objective is a mean over the whole batch.
            discriminator_objective = discriminator_loss / replicas
            generator_objective = generator_loss / replicas
        discriminator_variables = self.discriminator.trainable_variables
        generator_variables = self.generator.trainable_variables
        discriminator_gradients = tape.gradient(discriminator_objective, discriminator_variables)
        generator_gradients = tape.gradient(generator_objective, generator_variables)
        self.optimizer.apply(discriminator_gradients, discriminator_variables)
        self.partner_optimizer.apply(generator_gradients, generator_variables)
        means = {
            "discriminator_loss": discriminator_loss,
            "generator_loss": generator_loss,
            "labelled_loss": labelled_loss,
            "unlabelled_loss": unlabelled_loss,
            "generated_loss": generated_loss,
            "probability_real": tf.exp(losses.log_probability_real(unlabelled_logits)),
            "probability_real_generated": tf.exp(losses.log_probability_real(of_generated["logits"])),
        }
        return self.summary_of(means, labels, labelled_logits)

    def get_config(self) -> dict[str, Any]:
        """The generator's loss too."""
        return {**super().get_config(), "generator_loss": self.generator_loss}


def gan_of(
    name: str, build_generator: Callable[[int], keras.Model], build_discriminator: Callable[[int, float], keras.Model]
) -> Callable[..., GAN]:
    """The function that builds a GAN of these two networks, with the arguments that all GANs take.

    Args:
      build_generator: size of the noise -> generator.
      build_discriminator: number of classes, dropout -> discriminator.
    """

    def build(
        num_classes: int,
        dropout: float = 0.5,
        seed: int = 0,
        noise_size: int = NOISE_SIZE,
        generator_loss: str = "feature_matching",
    ) -> GAN:
        generator, discriminator = build_generator(noise_size), build_discriminator(num_classes, dropout)
        return GAN(discriminator, generator, generator_loss, seed=seed, name=name)

    return build
