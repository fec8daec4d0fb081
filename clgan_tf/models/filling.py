"""The game of CLGAN+ on the bytes of real sessions: a generator fills hidden spans, a discriminator tells which.

Phase 1 needs no label. In every session spans of bytes are hidden, and in half of the sessions others are filled by the
generator. From the same pass the discriminator says what the hidden bytes are, which of the seen ones are the session's
own, and, by the K+1 objective, which sessions have been filled.
"""

import math
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from clgan_tf.models import hiding, losses
from clgan_tf.models.byte_ngrams import LogitsSum, NgramLogits
from clgan_tf.models.byte_vectors import HIDDEN
from clgan_tf.models.pixels import IMAGE_BYTES, IMAGE_SHAPE
from clgan_tf.models.two_networks import TwoNetworks, seed_of

HIDDEN_SHARE = 0.25  # of a session's bytes
MOST_HIDDEN = 144  # bytes a session that the loss is of: at a share of a quarter, 94 of 100 sessions have fewer
FILLED_SHARE = 0.1
MOST_FILLED = 72
SPARE = 1.4  # Spans cover about their share; so much more leaves room for all of them.
TRUNK, DECODER = "trunk", "decoder"  # the discriminator's parts after its byte vectors
NGRAMS = "ngrams"  # what a classifier may have beside them


class Weights(NamedTuple):
    """What each term of the discriminator's loss, and the adversarial one of the generator's, is multiplied by."""

    bytes: float = 1.0
    detection: float = 1.0
    session: float = 0.1
    adversarial: float = 0.0


def ngrams_layer(num_classes: int) -> NgramLogits:
    """What `FillingGAN.classifier` takes, with a table in which n-grams say nothing yet."""
    layer = NgramLogits(num_classes, dtype="float32", name=NGRAMS)
    layer.build((None, *IMAGE_SHAPE))
    return layer


@keras.saving.register_keras_serializable("clgan_tf")
class FillingGAN(TwoNetworks):
    """A discriminator that reads sessions, and a generator that fills spans of them.

    `fit` takes a `tf.data.Dataset` of images [batch, 28, 28, 1] uint8, their number known and even.

    Args:
      network: the discriminator, see `build_reading_discriminator`.
      partner: the generator, see `build_filling_generator`.
      weights: of the losses.
      predictable: whether the loss of a hidden byte is weighted by `losses.predictability`.
      pieces: whether spans are filled with the bytes of another session at the same places, where it has any: real
        ones in the wrong session, and not the generator's.

    Raises:
      ValueError: pieces and the generator's adversarial loss, of which the discriminator sees nothing then.
    """

    MEANS = (
        "discriminator_loss",
        "hidden_byte_loss",
        "detection_loss",
        "detection_accuracy",
        "session_loss",
        "probability_real",
        "probability_real_filled",
        "generator_loss",
    )
    MINIMISED = ("discriminator_loss", "generator_loss")

    def __init__(
        self,
        network: keras.Model,
        partner: keras.Model,
        weights: tuple[float, ...] = Weights(),
        predictable: bool = True,
        pieces: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(network, partner, **kwargs)
        self.weights_of_losses, self.predictable, self.pieces = Weights(*weights), predictable, pieces
        if pieces and self.weights_of_losses.adversarial:
            raise ValueError("What other sessions fill has no adversarial loss of a generator.")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """No label is seen, so that there is no accuracy."""
        return [*self.means.values(), self.loss_mean]

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Bytes [batch, 28, 28, 1] -> logits [batch, K]."""
        vectors = self.network.get_layer("byte_vectors")(hiding.to_rows(images))
        return self.network.get_layer(TRUNK)(vectors, training=training)["logits"]

    def classifier(self, ngrams: NgramLogits | None = None) -> keras.Model:
        """The discriminator's part that classifies, bytes [batch, 28, 28, 1] uint8 -> logits [batch, K].

        ngrams: what is added to the logits.
        """
        network = self._of_images("logits")
        if ngrams is None:
            return network
        total = LogitsSum(dtype="float32", name="sum")([network.output, ngrams(network.input)])
        return keras.Model(network.input, total, name=self.name)

    def describer(self) -> keras.Model:
        """What the last layer makes logits of: bytes [batch, 28, 28, 1] uint8 -> features [batch, 3 * width]."""
        return self._of_images("features")

    @property
    def last_layer(self) -> keras.layers.Dense:
        """Features -> logits."""
        return self.network.get_layer(TRUNK).get_layer("logits")

    def _of_images(self, output: str) -> keras.Model:
        image = keras.Input(IMAGE_SHAPE, dtype="uint8", name="image")
        tokens = keras.layers.Reshape((IMAGE_BYTES,), dtype="uint8", name="tokens")(image)
        vectors = self.network.get_layer("byte_vectors")(tokens)
        return keras.Model(image, self.network.get_layer(TRUNK)(vectors)[output], name=self.name)

    def train_step(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """One step of both networks."""
        rows = hiding.to_rows(images)
        half = rows.shape[0] // 2
        seeds = tf.unstack(tf.random.split(seed_of(self.seed, self.optimizer.iterations), 6))
        to_hide = hiding.spans(rows, HIDDEN_SHARE, seeds[0])
        hidden_at, is_hidden = hiding.some_of(to_hide, MOST_HIDDEN, seeds[1])
        to_fill = hiding.spans(rows[half:], FILLED_SHARE, seeds[2]) & ~to_hide[half:]
        others = tf.roll(rows[half:], 1, axis=0)
        if self.pieces:
            to_fill &= tf.range(IMAGE_BYTES) < hiding.sizes_of(others)[:, tf.newaxis]
        filled_at, is_filled = hiding.some_of(to_fill, MOST_FILLED, seeds[3])
        originals = tf.gather(rows[half:], filled_at, batch_dims=1)
        shown = hiding.hide(rows, to_hide)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        weights = self.weights_of_losses
        with tf.GradientTape(persistent=True) as tape:
            guesses = self.partner([hiding.hide(shown[half:], to_fill), filled_at], training=True)
            if self.pieces:
                samples = tf.gather(others, filled_at, batch_dims=1)
            else:
                samples = sampled(guesses, seeds[4])
            tokens = tf.concat([shown[:half], put(shown[half:], filled_at, is_filled, samples)], axis=0)
            vectors = self.network.get_layer("byte_vectors")(tokens)
            if weights.adversarial:
                filled = self._straight_through(guesses, filled_at, is_filled)
                vectors += tf.cast(tf.pad(filled, [[half, 0], [0, 0], [0, 0]]), vectors.dtype)
            was_filled = tf.pad(marks(filled_at, is_filled & (samples != originals)), [[half, 0], [0, 0]])
            seen_at, is_seen = self._judged(rows, to_hide, was_filled, seeds[5])
            outputs = self._read(vectors, hidden_at, seen_at)

            byte_losses = losses.byte_losses(tf.gather(rows, hidden_at, batch_dims=1), outputs["bytes"])
            counted = tf.cast(is_hidden, tf.float32)
            spent = counted * losses.predictability(byte_losses) if self.predictable else counted
            is_real = tf.cast(~tf.gather(was_filled, seen_at, batch_dims=1), tf.float32)
            is_judged = tf.cast(is_seen, tf.float32)
            detection_loss = losses.mean_of(losses.detection_losses(is_real, outputs["real"]), is_judged)
            real_logits, filled_logits = outputs["logits"][:half], outputs["logits"][half:]
            session_loss = losses.unlabelled_loss(real_logits) + losses.generated_loss(filled_logits)
            discriminator_loss = (
                weights.bytes * losses.mean_of(byte_losses, spent)
                + weights.detection * detection_loss
                + weights.session * session_loss
            )
            filling_losses = losses.byte_losses(originals, guesses)
            generator_loss = losses.mean_of(filling_losses, tf.cast(is_filled, tf.float32))
            if weights.adversarial:
                generator_loss += weights.adversarial * losses.non_saturating(filled_logits)
            # Gradients are summed over replicas; the objective is a mean over the whole batch.
            discriminator_objective, generator_objective = discriminator_loss / replicas, generator_loss / replicas
        for objective, network, optimizer in (
            (discriminator_objective, self.network, self.optimizer),
            (generator_objective, self.partner, self.partner_optimizer),
        ):
            variables = network.trainable_variables
            optimizer.apply(tape.gradient(objective, variables), variables)
        is_right = tf.cast((outputs["real"] > 0) == (is_real > 0), tf.float32)
        means = {
            "discriminator_loss": discriminator_loss,
            "hidden_byte_loss": losses.mean_of(byte_losses, counted),
            "detection_loss": detection_loss,
            "detection_accuracy": losses.mean_of(is_right, is_judged),
            "session_loss": session_loss,
            "probability_real": tf.exp(losses.log_probability_real(real_logits)),
            "probability_real_filled": tf.exp(losses.log_probability_real(filled_logits)),
            "generator_loss": generator_loss,
        }
        return self.summary_of(means)

    def _read(self, vectors: tf.Tensor, hidden_at: tf.Tensor, seen_at: tf.Tensor) -> dict[str, tf.Tensor]:
        """The discriminator from byte vectors on, through which a gradient can reach who made the bytes."""
        read = self.network.get_layer(TRUNK)(vectors, training=True)
        inputs = [read["states"], read["rows"], vectors, hidden_at, seen_at]
        return {**read, **self.network.get_layer(DECODER)(inputs, training=True)}

    def _judged(
        self, rows: tf.Tensor, to_hide: tf.Tensor, was_filled: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Positions to be judged, as many filled ones as there are and as many of the session's own."""
        own_seed, filled_seed = tf.unstack(tf.random.split(seed))
        is_own = (tf.range(IMAGE_BYTES) < hiding.sizes_of(rows)[:, tf.newaxis]) & ~to_hide & ~was_filled
        own_at, is_own = hiding.some_of(is_own, MOST_FILLED, own_seed)
        filled_at, is_filled = hiding.some_of(was_filled, MOST_FILLED, filled_seed)
        return tf.concat([own_at, filled_at], axis=1), tf.concat([is_own, is_filled], axis=1)

    def _straight_through(self, guesses: tf.Tensor, positions: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
        """Zeros [batch, 784, v] through which the gradient of a byte's vector reaches the guesses (Bengio 2013)."""
        table = tf.stop_gradient(self.network.get_layer("byte_vectors").values[:HIDDEN])
        expected = (tf.nn.softmax(guesses) @ table) * tf.cast(counted, tf.float32)[..., tf.newaxis]
        shape = (positions.shape[0], IMAGE_BYTES, table.shape[-1])
        return tf.scatter_nd(_places(positions), expected - tf.stop_gradient(expected), shape)

    def fill(self, rows: tf.Tensor, share: float, seed: tf.Tensor) -> tf.Tensor:
        """The rows int32 [batch, 784] with about a `share` of each session's bytes filled by the generator."""
        span_seed, choice_seed, sample_seed = tf.unstack(tf.random.split(seed, 3))
        to_fill = hiding.spans(rows, share, span_seed)
        most = min(IMAGE_BYTES, math.ceil(SPARE * share * IMAGE_BYTES))
        positions, is_filled = hiding.some_of(to_fill, most, choice_seed)
        guesses = self.partner([hiding.hide(rows, to_fill), positions], training=False)
        return put(rows, positions, is_filled, sampled(guesses, sample_seed))

    def beside(self, images: tf.Tensor) -> tf.Tensor:
        """The images with spans that the generator has filled."""
        filled = self.fill(hiding.to_rows(tf.convert_to_tensor(images)), HIDDEN_SHARE, seed_of(self.seed, 0))
        return tf.cast(tf.reshape(filled, (-1, *IMAGE_SHAPE)), tf.uint8)

    def get_config(self) -> dict[str, Any]:
        """The losses' weights too."""
        own = {"weights": list(self.weights_of_losses), "predictable": self.predictable, "pieces": self.pieces}
        return {**super().get_config(), **own}


def sampled(logits: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """A draw from each softmax (the Gumbel-max trick): logits [batch, p, 256] -> int32 [batch, p]."""
    uniform = tf.random.stateless_uniform(logits.shape, seed, 1e-9, 1.0)
    return tf.argmax(logits - tf.math.log(-tf.math.log(uniform)), axis=-1, output_type=tf.int32)


def put(rows: tf.Tensor, positions: tf.Tensor, counted: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """The rows with values at those of the positions that count: int32 [batch, 784]."""
    values = tf.where(counted, values, tf.gather(rows, positions, batch_dims=1))
    return tf.tensor_scatter_nd_update(rows, _places(positions), values)


def marks(positions: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """Bool [batch, 784], true at those of the positions that count; positions [batch, p] are distinct in a row."""
    shape = (positions.shape[0], IMAGE_BYTES)
    return tf.scatter_nd(_places(positions), tf.cast(counted, tf.int32), shape) > 0


def _places(positions: tf.Tensor) -> tf.Tensor:
    batch, count = positions.shape
    in_batch = tf.broadcast_to(tf.range(batch)[:, tf.newaxis], (batch, count))
    return tf.stack([in_batch, positions], axis=-1)
