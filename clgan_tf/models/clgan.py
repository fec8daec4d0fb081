"""CLGAN: the K+1 semi-supervised GAN as one Keras model with two optimizers."""

from typing import Any

import keras
import tensorflow as tf

from clgan_tf.config import GENERATOR_LOSSES
from clgan_tf.models import losses


def scale_pixels(images: tf.Tensor) -> tf.Tensor:
    """Bytes [batch, 28, 28, 1] in 0..255 -> float32 in [-1, 1], the range of the generator's tanh."""
    return tf.cast(images, tf.float32) / 127.5 - 1.0


@keras.saving.register_keras_serializable("clgan_tf")
class CLGAN(keras.Model):
    """A generator and a discriminator that train each other; called, it classifies.

    `fit` takes a `tf.data.Dataset` of dicts, with static batch shapes:
      labelled: [batch, 28, 28, 1] uint8; labels: [batch] int64 in 0..K-1; unlabelled: as labelled.
    `evaluate` takes (images, labels) pairs; calling and `predict` take images and give logits [batch, K].

    Args:
      generator: noise [batch, n] -> image [batch, 28, 28, 1] in [-1, 1].
      discriminator: image in [-1, 1] -> {"logits": [batch, K], "features": [batch, units]}.
      generator_loss: "feature_matching" (default) or "non_saturating".
      seed: with the discriminator's step number it determines the noise of every step, so that an
        interrupted and resumed training sees the same noise.
    """

    MEANS: tuple[str, ...] = (
        "discriminator_loss",
        "generator_loss",
        "labelled_loss",
        "unlabelled_loss",
        "generated_loss",
        "probability_real",
        "probability_real_generated",
    )

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        generator_loss: str = "feature_matching",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if generator_loss not in GENERATOR_LOSSES:
            raise ValueError(f"generator_loss must be one of {', '.join(GENERATOR_LOSSES)}, not {generator_loss!r}.")
        self.generator = generator
        self.discriminator = discriminator
        self.generator_loss = generator_loss
        self.seed = seed
        # Keras refuses metrics that first appear once a model is built: they all exist from here on.
        self.means = {name: keras.metrics.Mean(name) for name in self.MEANS}
        self.loss_mean = keras.metrics.Mean("loss")
        self.accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy")
        self.built = True  # Both networks are functional, so all variables exist already.

    @property
    def num_classes(self) -> int:
        """K, the number of real classes."""
        return int(self.discriminator.output["logits"].shape[-1])

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """All running means; Keras resets them at every epoch's start."""
        return [*self.means.values(), self.loss_mean, self.accuracy]

    def compile(  # type: ignore[override]
        self,
        discriminator_optimizer: keras.optimizers.Optimizer | None = None,
        generator_optimizer: keras.optimizers.Optimizer | None = None,
        **kwargs: Any,
    ) -> None:
        """Takes both optimizers (default: the paper's Adam 2e-4 twice) and builds them at once.

        Keras's own `model.optimizer` is the discriminator's, so that Keras callbacks find one and no
        third optimizer is made.
        """
        self.generator_optimizer = generator_optimizer or default_optimizer()
        # Keras would wrap only one of the two for loss scaling, and the step below scales neither.
        kwargs["auto_scale_loss"] = False
        super().compile(optimizer=discriminator_optimizer or default_optimizer(), **kwargs)
        self.optimizer.build(self.discriminator.trainable_variables)
        self.generator_optimizer.build(self.generator.trainable_variables)

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Bytes [batch, 28, 28, 1] -> logits [batch, K]."""
        return self.discriminator(scale_pixels(images), training=training)["logits"]

    def noise(self, batch_size: int | tf.Tensor, step: int | tf.Tensor) -> tf.Tensor:
        """The noise of one step, [batch, n] in U[-1, 1]; differs by replica under tf.distribute."""
        context = tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group if context else 0
        seed = tf.stack([tf.cast(self.seed, tf.int64), tf.cast(step, tf.int64)])
        seed = tf.random.experimental.stateless_fold_in(seed, replica)
        return tf.random.stateless_uniform((batch_size, self.generator.input.shape[-1]), seed, minval=-1.0, maxval=1.0)

    def generate(self, count: int, step: int = 0) -> tf.Tensor:
        """Generated sessions as bytes, [count, 28, 28, 1] uint8, for people to look at."""
        images = self.generator(self.noise(count, step), training=False)
        return tf.cast(tf.round((images + 1.0) * 127.5), tf.uint8)

    def beside(self, images: tf.Tensor) -> tf.Tensor:
        """What to show beside these images: as many generated ones."""
        return self.generate(len(images))

    def train_step(self, data: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One step of both networks from one pass: the discriminator sees all three kinds of rows once."""
        labels = data["labels"]
        sizes = [data["labelled"].shape[0], data["unlabelled"].shape[0], data["unlabelled"].shape[0]]
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape(persistent=True) as tape:
            generated = self.generator(self.noise(sizes[2], self.optimizer.iterations), training=True)
            rows = tf.concat([scale_pixels(data["labelled"]), scale_pixels(data["unlabelled"]), generated], axis=0)
            outputs = self.discriminator(rows, training=True)
            labelled_logits, unlabelled_logits, generated_logits = tf.split(outputs["logits"], sizes)
            _, unlabelled_features, generated_features = tf.split(outputs["features"], sizes)

            labelled_loss = losses.labelled_loss(labels, labelled_logits)
            unlabelled_loss = losses.unlabelled_loss(unlabelled_logits)
            generated_loss = losses.generated_loss(generated_logits)
            discriminator_loss = labelled_loss + unlabelled_loss + generated_loss
            if self.generator_loss == "feature_matching":
                generator_loss = losses.feature_matching(unlabelled_features, generated_features)
            else:
                generator_loss = losses.non_saturating(generated_logits)
            # Gradients are summed over replicas; the objective is a mean over the whole batch.
            discriminator_objective = discriminator_loss / replicas
            generator_objective = generator_loss / replicas
        discriminator_variables = self.discriminator.trainable_variables
        generator_variables = self.generator.trainable_variables
        discriminator_gradients = tape.gradient(discriminator_objective, discriminator_variables)
        generator_gradients = tape.gradient(generator_objective, generator_variables)
        self.optimizer.apply(discriminator_gradients, discriminator_variables)
        self.generator_optimizer.apply(generator_gradients, generator_variables)

        for name, value in {
            "discriminator_loss": discriminator_loss,
            "generator_loss": generator_loss,
            "labelled_loss": labelled_loss,
            "unlabelled_loss": unlabelled_loss,
            "generated_loss": generated_loss,
            "probability_real": tf.exp(losses.log_probability_real(unlabelled_logits)),
            "probability_real_generated": tf.exp(losses.log_probability_real(generated_logits)),
        }.items():
            self.means[name].update_state(value)
        # Keras's own TerminateOnNaN looks at a log named "loss": it is the sum of what both minimise.
        self.loss_mean.update_state(discriminator_loss + generator_loss)
        self.accuracy.update_state(labels, labelled_logits)
        return {metric.name: metric.result() for metric in self.metrics}

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Cross entropy and accuracy of (images, labels)."""
        images, labels = data
        logits = self(images, training=False)
        self.loss_mean.update_state(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        self.accuracy.update_state(labels, logits)
        return {"loss": self.loss_mean.result(), "accuracy": self.accuracy.result()}

    def get_config(self) -> dict[str, Any]:
        """Both networks, the generator's loss and the seed."""
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "generator_loss": self.generator_loss,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "CLGAN":
        """The inverse of `get_config`."""
        networks = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
            for name in ("generator", "discriminator")
        }
        return cls(**{**config, **networks})

    def get_compile_config(self) -> dict[str, Any]:
        """Both optimizers: without this a loaded model would have none."""
        return {
            "discriminator_optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "generator_optimizer": keras.saving.serialize_keras_object(self.generator_optimizer),
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """The inverse of `get_compile_config`."""
        self.compile(**{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()})


def default_optimizer(learning_rate: float = 2e-4) -> keras.optimizers.Optimizer:
    """Adam 2e-4, the paper's; beta_1 = 0.5 as in DCGAN (Radford et al. 2016), which the paper builds on."""
    return keras.optimizers.Adam(learning_rate, beta_1=0.5)
