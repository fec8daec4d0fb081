"""What all systems with a phase 1 have in common: two networks that are trained together, and two optimizers."""

from typing import Any

import keras
import tensorflow as tf

from clgan_tf.models.pixels import bytes_to_logits, to_pixels


class TwoNetworks(keras.Model):
    """A network that classifies and a partner that makes images; called, it classifies.

    A subclass defines `train_step`, `beside`, MEANS and MINIMISED, and is registered for Keras's saving.

    `fit` takes a `tf.data.Dataset` of dicts, with static batch shapes:
      labelled: [batch, 28, 28, 1] uint8; labels: [batch] int64 in 0..K-1; unlabelled: as labelled.
    `evaluate` takes (images, labels) pairs; calling and `predict` take images and give logits [batch, K].

    Args:
      network: image [batch, 28, 28, 1] in [-1, 1] -> {"logits": [batch, K], "features": [batch, units], ...}.
      partner: something -> image in [-1, 1]: a generator or a decoder.
      seed: decides whatever is random in a step, together with the step's number.
    """

    MEANS: tuple[str, ...] = ()  # the losses and other means of an epoch, by their names in logs
    MINIMISED: tuple[str, ...] = ()  # those of them whose sum is what a step minimises

    def __init__(self, network: keras.Model, partner: keras.Model, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network = network
        self.partner = partner
        self.seed = seed
        # Keras refuses metrics that first appear once a model is built: they all exist from here on.
        self.means = {name: keras.metrics.Mean(name) for name in self.MEANS}
        self.loss_mean = keras.metrics.Mean("loss")  # of `test_step`
        self.accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy")
        self.built = True  # Both networks are functional, so all variables exist already.

    @property
    def num_classes(self) -> int:
        """K, the number of real classes."""
        return int(self.network.output["logits"].shape[-1])

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """All running means; Keras resets them at every epoch's start."""
        return [*self.means.values(), self.loss_mean, self.accuracy]

    def compile(  # type: ignore[override]
        self,
        network_optimizer: keras.optimizers.Optimizer | None = None,
        partner_optimizer: keras.optimizers.Optimizer | None = None,
        **kwargs: Any,
    ) -> None:
        """Takes both optimizers (default: the paper's Adam 2e-4 twice) and builds them at once.

        Keras's own `model.optimizer` is the network's, so that Keras callbacks find one and no third optimizer is made.
        """
        self.partner_optimizer = partner_optimizer or default_optimizer()
        # Keras would wrap only one of the two for loss scaling, and no step scales either.
        kwargs["auto_scale_loss"] = False
        super().compile(optimizer=network_optimizer or default_optimizer(), **kwargs)
        self.optimizer.build(self.network.trainable_variables)
        self.partner_optimizer.build(self.partner.trainable_variables)

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Bytes [batch, 28, 28, 1] -> logits [batch, K]."""
        return self.network(to_pixels(images), training=training)["logits"]

    def classifier(self) -> keras.Model:
        """The network alone, bytes [batch, 28, 28, 1] uint8 -> logits [batch, K]; it shares the weights."""
        return bytes_to_logits(self.network, self.name)

    def beside(self, images: tf.Tensor) -> tf.Tensor:
        """What to show beside these images, uint8 [batch, 28, 28, 1]: generated ones, or reconstructions."""
        raise NotImplementedError

    def descend(self, tape: tf.GradientTape, objective: tf.Tensor) -> None:
        """Takes each network's step against one objective; what it does not reach has gradients of zero."""
        networks = ((self.network, self.optimizer), (self.partner, self.partner_optimizer))
        of_each = tape.gradient(objective, [network.trainable_variables for network, _ in networks])
        for (network, optimizer), found in zip(networks, of_each, strict=True):
            variables = network.trainable_variables
            gradients = [
                tf.zeros(variable.shape) if gradient is None else gradient
                for variable, gradient in zip(variables, found, strict=True)
            ]
            optimizer.apply(gradients, variables)

    def summary_of(
        self, means: dict[str, tf.Tensor], labels: tf.Tensor | None = None, logits: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Takes in a step's MEANS and its labelled rows, if it has any; returns the logs."""
        for name, value in means.items():
            self.means[name].update_state(value)
        if labels is not None:
            self.accuracy.update_state(labels, logits)
        logs = self.get_metrics_result()
        if isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
            # Keras (3.15) takes the mean over rows there, of which a number has none.
            logs = {name: value[tf.newaxis] for name, value in logs.items()}
        return logs

    def get_metrics_result(self) -> dict[str, tf.Tensor]:
        """The means of a training so far, by name.

        `loss` is the sum of what both networks minimise: Keras's TerminateOnNaN looks at a log of that name. It is made
        of their means: how TensorFlow (2.21) orders a sum of sums within a step is not the same in every run, so that
        a mean of it differs in its last bit.
        """
        logs = super().get_metrics_result()
        return {**logs, "loss": tf.add_n([logs[name] for name in self.MINIMISED])}

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Cross entropy and accuracy of (images, labels)."""
        images, labels = data
        logits = self(images, training=False)
        self.loss_mean.update_state(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        self.accuracy.update_state(labels, logits)
        return {"loss": self.loss_mean.result(), "accuracy": self.accuracy.result()}

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Nothing: all is built, and Keras's own (3.15) cannot take the batches of several workers for it."""

    def get_config(self) -> dict[str, Any]:
        """Both networks and the seed."""
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "partner": keras.saving.serialize_keras_object(self.partner),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "TwoNetworks":
        """The inverse of `get_config`."""
        networks = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
            for name in ("network", "partner")
        }
        return cls(**{**config, **networks})

    def get_compile_config(self) -> dict[str, Any]:
        """Both optimizers: without this a loaded model would have none."""
        return {
            "network_optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "partner_optimizer": keras.saving.serialize_keras_object(self.partner_optimizer),
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """The inverse of `get_compile_config`."""
        self.compile(**{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()})


def seed_of(seed: int, step: int | tf.Tensor, replica: int | tf.Tensor | None = None) -> tf.Tensor:
    """The seed of whatever is random in a step of a run, int64 [2]; by default another one for each replica."""
    if replica is None:
        context = tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group if context else 0
    return tf.random.fold_in(tf.stack([tf.cast(seed, tf.int64), tf.cast(step, tf.int64)]), replica)


def default_optimizer(learning_rate: float = 2e-4) -> keras.optimizers.Optimizer:
    """Adam 2e-4, the paper's; beta_1 = 0.5 as in DCGAN (Radford et al. 2016), which the paper builds on."""
    return keras.optimizers.Adam(learning_rate, beta_1=0.5)
