"""Phase 2 of CLGAN+: the pre-trained discriminator learns classes from few labelled sessions."""

import keras
import tensorflow as tf

from clgan_tf.models import hiding, losses
from clgan_tf.models.filling import TRUNK, FillingGAN
from clgan_tf.models.pixels import IMAGE_BYTES
from clgan_tf.models.two_networks import seed_of

LIGHTLY_HIDDEN = 0.03  # share of a session's bytes in the view that is nearly as it is
CUT = 0.5  # share of the sessions whose other view has its tail cut
SURE = 0.9


class FineTuned(keras.Model):
    """The discriminator's classifying part, trained on two views of each labelled session.

    One view is nearly as is. Of the other, spans are filled by the generator, or hidden, and the tail may be cut; it is
    to be told for the same class. What is filled anew cannot be learnt by heart, and encrypted bytes are as random as
    before. Of an unlabelled session of whose class the network is sure as it is, the same is asked.

    `fit` takes a `tf.data.Dataset` of {"labelled": [batch, 28, 28, 1] uint8, "labels": [batch] int64, "unlabelled": as
    labelled}, with static shapes; the last only where `consistency` is above 0.

    Args:
      gan: the networks that phase 1 has trained; the discriminator is trained further, the generator is not.
      fills: whether the generator fills spans of the second view; otherwise they are hidden.
      changed_share: how much of a session those spans are.
      consistency: weight of the loss on unlabelled sessions.
      seed: decides, together with the step's number, what is changed.
    """

    def __init__(
        self,
        gan: FillingGAN,
        fills: bool = True,
        changed_share: float = 0.5,
        consistency: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__(name="finetuned")
        tokens = keras.Input((IMAGE_BYTES,), dtype="int32", name="tokens")
        vectors = gan.network.get_layer("byte_vectors")(tokens)
        self.network = keras.Model(tokens, gan.network.get_layer(TRUNK)(vectors)["logits"], name="discriminator")
        self.fill = gan.fill if fills else _hide  # A method, so that Keras does not take the generator for a part.
        self.changed_share, self.consistency, self.seed = changed_share, consistency, seed
        self.loss_mean = keras.metrics.Mean("loss")
        self.accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy")
        self.built = True

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Of labelled rows."""
        return [self.loss_mean, self.accuracy]

    def _changed(self, rows: tf.Tensor, cut: float, cut_seed: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return self.fill(hiding.without_tails(rows, cut, cut_seed), self.changed_share, seed)

    def train_step(self, data: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One step."""
        seeds = tf.unstack(tf.random.split(seed_of(self.seed, self.optimizer.iterations), 5))
        labelled = hiding.to_rows(data["labelled"])
        labels = data["labels"]
        count = labelled.shape[0]
        views = [
            hiding.hide(labelled, hiding.spans(labelled, LIGHTLY_HIDDEN, seeds[0])),
            self._changed(labelled, CUT, seeds[1], seeds[2]),
        ]
        if self.consistency:
            unlabelled = hiding.to_rows(data["unlabelled"])
            probabilities = tf.nn.softmax(self.network(unlabelled, training=False))
            guessed, is_sure = tf.argmax(probabilities, axis=1), tf.reduce_max(probabilities, axis=1) > SURE
            views.append(self._changed(unlabelled, CUT / 2, seeds[3], seeds[4]))
        with tf.GradientTape() as tape:
            logits = self.network(tf.concat(views, axis=0), training=True)
            loss = losses.labelled_loss(tf.tile(labels, [2]), logits[: 2 * count])
            if self.consistency:
                each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=guessed, logits=logits[2 * count :])
                loss += self.consistency * tf.reduce_mean(tf.where(is_sure, each, 0.0))
            objective = loss / tf.distribute.get_strategy().num_replicas_in_sync
        variables = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(objective, variables), variables)
        self.loss_mean.update_state(loss)
        self.accuracy.update_state(labels, logits[:count])
        return {metric.name: metric.result() for metric in self.metrics}


def _hide(rows: tf.Tensor, share: float, seed: tf.Tensor) -> tf.Tensor:
    return hiding.hide(rows, hiding.spans(rows, share, seed))
