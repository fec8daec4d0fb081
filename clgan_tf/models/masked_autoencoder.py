"""A masked autoencoder of pixels: a vision transformer that restores sessions from a tenth of their patches.

In the sizes of YaTC: Zhao et al., "Yet Another Traffic Classifier: A Masked Autoencoder Based Traffic Transformer with
Multi-Level Flow Representation" (AAAI 2023), after He et al., "Masked Autoencoders Are Scalable Vision Learners"
(CVPR 2022); of their images of five packets it has our 28 x 28.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import KerasTensor, layers

from clgan_tf.models import losses
from clgan_tf.models.pixels import IMAGE_SHAPE, to_bytes, to_pixels
from clgan_tf.models.two_networks import TwoNetworks, seed_of

PATCH, SIDE = 2, 14  # pixels of a patch's side, patches of an image's
PATCHES = SIDE * SIDE
SHOWN = 20  # patches: 90 % are hidden
WIDTH, BLOCKS = 192, 4
DECODER_WIDTH, DECODER_BLOCKS = 128, 2
HEADS = 16
POSITION_DEVIATION = 0.02


def masked_autoencoder(num_classes: int, dropout: float = 0.1, seed: int = 0) -> "MaskedAutoencoder":
    """The encoder with its classifier, and the decoder."""
    encoder = build_masked_encoder(num_classes, dropout)
    return MaskedAutoencoder(encoder, build_masked_decoder(), seed=seed, name="masked_autoencoder")


@keras.saving.register_keras_serializable("clgan_tf")
class MaskedAutoencoder(TwoNetworks):
    """An encoder that sees a tenth of a session's patches, and a decoder that restores the others.

    The step minimises the mean square error of unlabelled rows' hidden pixels; labelled rows are left to phase 2.
    """

    MEANS = ("restoration_loss",)
    MINIMISED = MEANS

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Phase 1 sees no label, so that there is no accuracy."""
        return [*self.means.values(), self.loss_mean]

    def train_step(self, data: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One step of both networks."""
        pixels = to_pixels(data["unlabelled"])
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape() as tape:
            restored, is_hidden = self._restored(pixels, seed_of(self.seed, self.optimizer.iterations), training=True)
            loss = losses.mean_of(tf.square(restored - pixels), is_hidden)
            objective = loss / replicas  # Gradients are summed over replicas.
        self.descend(tape, objective)  # The head is left as it is.
        return self.summary_of({"restoration_loss": loss})

    def _restored(self, pixels: tf.Tensor, seed: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """The decoder's images [batch, 28, 28, 1], and which pixels it was not shown, float32 alike."""
        count = pixels.shape[0] or tf.shape(pixels)[0]
        order = tf.random.stateless_uniform((count, PATCHES), seed)
        places = tf.math.top_k(order, SHOWN).indices
        shown = tf.gather(self.network.get_layer("patches")(pixels), places, batch_dims=1)
        states = self.network.get_layer("encoder")(shown, training=training)
        is_shown = tf.reduce_max(tf.one_hot(places, PATCHES), axis=1)
        is_hidden = 1.0 - tf.reshape(is_shown, (-1, SIDE, SIDE, 1))
        is_hidden = tf.repeat(tf.repeat(is_hidden, PATCH, axis=1), PATCH, axis=2)
        return self.partner([states, places], training=training), is_hidden

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The loss of (images, labels), whatever the labels."""
        pixels = to_pixels(data[0])
        restored, is_hidden = self._restored(pixels, seed_of(self.seed, 0), training=False)
        self.loss_mean.update_state(losses.mean_of(tf.square(restored - pixels), is_hidden))
        return {"loss": self.loss_mean.result()}

    def beside(self, images: tf.Tensor) -> tf.Tensor:
        """The images with hidden pixels as they were restored."""
        pixels = to_pixels(tf.convert_to_tensor(images))
        restored, is_hidden = self._restored(pixels, seed_of(self.seed, 0), training=False)
        return to_bytes(tf.clip_by_value(tf.where(is_hidden > 0, restored, pixels), -1.0, 1.0))


@keras.saving.register_keras_serializable("clgan_tf")
class Positions(layers.Layer):
    """Adds a learned vector of its place to each patch: [batch, 196, units] -> the same."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the vectors."""
        self.vectors = _vectors(self, input_shape[-1])

    def call(self, patches: tf.Tensor) -> tf.Tensor:
        """The sum."""
        return patches + self.vectors


@keras.saving.register_keras_serializable("clgan_tf")
class InPlace(layers.Layer):
    """([batch, n, units], places int [batch, n]) -> [batch, 196, units].

    Elsewhere there is a learned blank, and everywhere the learned vector of the place is added.
    """

    def build(self, input_shape: Any) -> None:
        """Makes blank and vectors."""
        units = input_shape[0][-1]
        self.vectors = _vectors(self, units)
        self.blank = self.add_weight(shape=(units,), initializer="zeros", name="blank")

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """A product with places as rows of ones and zeros: it needs no scatter, whose order is not fixed."""
        states, places = inputs
        where = tf.one_hot(places, PATCHES, dtype=states.dtype)  # [batch, n, 196]
        is_blank = 1.0 - tf.reduce_sum(where, axis=1)[..., tf.newaxis]
        return tf.matmul(where, states, transpose_a=True) + is_blank * self.blank + self.vectors

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """All places."""
        states, _ = input_shape
        return (states[0], PATCHES, states[-1])


def _vectors(layer: layers.Layer, units: int | None) -> keras.Variable:
    initializer = keras.initializers.RandomNormal(stddev=POSITION_DEVIATION)
    return layer.add_weight(shape=(PATCHES, units), initializer=initializer, name="vectors")


def build_masked_encoder(num_classes: int, dropout: float = 0.1) -> keras.Model:
    """[batch, 28, 28, 1] float in [-1, 1] -> logits [batch, K], features [batch, 192], from all patches."""
    image = keras.Input(IMAGE_SHAPE, name="image")
    x = layers.Conv2D(WIDTH, PATCH, strides=PATCH, name="patch_vectors")(image)
    patches = keras.Model(image, Positions(name="positions")(layers.Reshape((PATCHES, WIDTH))(x)), name="patches")
    shown = keras.Input((None, WIDTH), name="shown")
    encoder = keras.Model(shown, _transformed(shown, WIDTH, BLOCKS), name="encoder")
    image = keras.Input(IMAGE_SHAPE, name="image")
    features = layers.GlobalAveragePooling1D(name="features")(encoder(patches(image)))
    x = layers.Dropout(dropout, name="dropout")(features)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, {"logits": logits, "features": features}, name="masked_encoder")


def build_masked_decoder() -> keras.Model:
    """States [batch, 20, 192] of patches and their places [batch, 20], ints -> image [batch, 28, 28, 1]."""
    states, places = keras.Input((SHOWN, WIDTH), name="states"), keras.Input((SHOWN,), dtype="int32", name="places")
    x = InPlace(name="in_place")([layers.Dense(DECODER_WIDTH, name="narrow")(states), places])
    x = layers.Dense(PATCH * PATCH, dtype="float32", name="pixels")(_transformed(x, DECODER_WIDTH, DECODER_BLOCKS))
    x = layers.Reshape((SIDE, SIDE, PATCH, PATCH), dtype="float32")(x)
    x = layers.Permute((1, 3, 2, 4), dtype="float32")(x)
    restored = layers.Reshape(IMAGE_SHAPE, dtype="float32", name="restored")(x)
    return keras.Model([states, places], restored, name="masked_decoder")


def _transformed(x: KerasTensor, width: int, blocks: int) -> KerasTensor:
    """Blocks of attention and two dense layers, each behind a normalisation and beside a skip connection."""
    for index in range(1, blocks + 1):
        y = _normalised(x, f"attention_{index}_normalisation")
        y = layers.MultiHeadAttention(HEADS, width // HEADS, name=f"attention_{index}")(y, y)
        x = layers.Add(name=f"attention_{index}_skip")([x, y])
        y = _normalised(x, f"dense_{index}_normalisation")
        y = layers.Dense(4 * width, activation="gelu", name=f"dense_{index}_wide")(y)
        y = layers.Dense(width, name=f"dense_{index}")(y)
        x = layers.Add(name=f"dense_{index}_skip")([x, y])
    return _normalised(x, "normalisation")


def _normalised(x: KerasTensor, name: str) -> KerasTensor:
    return layers.LayerNormalization(epsilon=1e-6, name=name)(x)
