"""The semi-supervised autoencoder: it reconstructs unlabelled sessions and classifies labelled ones from one code."""

import keras
import tensorflow as tf
from keras import layers

from clgan_tf.models import losses
from clgan_tf.models.discriminator import LEAK
from clgan_tf.models.generator import deconvolutions
from clgan_tf.models.pixels import IMAGE_SHAPE, to_bytes, to_pixels
from clgan_tf.models.two_networks import TwoNetworks
from clgan_tf.models.unrolled_lstm import UnrolledLSTM

CODE_SHAPE = (4, 4, 128)


def autoencoder(num_classes: int, dropout: float = 0.5, seed: int = 0) -> "Autoencoder":
    """The encoder with its classifier, and the decoder."""
    decoder, encoder = build_decoder(), build_encoder(num_classes, dropout)
    return Autoencoder(encoder, decoder, seed=seed, name="autoencoder")


@keras.saving.register_keras_serializable("clgan_tf")
class Autoencoder(TwoNetworks):
    """An encoder that classifies, and a decoder of its code.

    The step minimises cross entropy of labelled rows plus the mean absolute error of unlabelled rows' reconstructions.
    Two optimizers, one network each, are the same as one for both: Adam keeps its moments by variable.
    """

    MEANS = ("labelled_loss", "reconstruction_loss")
    MINIMISED = MEANS

    def train_step(self, data: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One step of both networks."""
        labels = data["labels"]
        sizes = [data["labelled"].shape[0], data["unlabelled"].shape[0]]
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape() as tape:
            rows = to_pixels(tf.concat([data["labelled"], data["unlabelled"]], axis=0))
            outputs = self.network(rows, training=True)
            labelled_logits, _ = tf.split(outputs["logits"], sizes)
            _, code = tf.split(outputs["code"], sizes)
            _, unlabelled = tf.split(rows, sizes)
            labelled_loss = losses.labelled_loss(labels, labelled_logits)
            reconstruction_loss = tf.reduce_mean(tf.abs(self.partner(code, training=True) - unlabelled))
            objective = (labelled_loss + reconstruction_loss) / replicas  # Gradients are summed over replicas.
        self.descend(tape, objective)
        means = {"labelled_loss": labelled_loss, "reconstruction_loss": reconstruction_loss}
        return self.summary_of(means, labels, labelled_logits)

    def beside(self, images: tf.Tensor) -> tf.Tensor:
        """The images' reconstructions."""
        code = self.network(to_pixels(images), training=False)["code"]
        return to_bytes(self.partner(code, training=False))


def build_encoder(num_classes: int, dropout: float = 0.5) -> keras.Model:
    """Encoder of three 3x3 convolutions; classifier of two more, an LSTM and a Dense layer.

    [batch, 28, 28, 1] float in [-1, 1] -> code [batch, 4, 4, 128], features [batch, 64], logits [batch, K].
    """
    image = keras.Input(IMAGE_SHAPE, name="image")
    x = image
    for index, filters in enumerate((32, 64, 128), start=1):  # [batch, 14, 14, 32], [7, 7, 64], [4, 4, 128]
        x = layers.Conv2D(filters, 3, strides=2, padding="same", name=f"encoder_{index}")(x)
        x = layers.LeakyReLU(LEAK, name=f"encoder_activation_{index}")(x)
    code = layers.Identity(name="code")(x)
    x = code
    for index in (1, 2):
        x = layers.Conv2D(64, 3, padding="same", name=f"convolution_{index}")(x)
        x = layers.LeakyReLU(LEAK, name=f"activation_{index}")(x)
    x = layers.Reshape((16, 64), name="sequence")(x)  # [batch, 16 places, 64]
    features = UnrolledLSTM(64, name="lstm")(x)  # [batch, 64]
    x = layers.Dropout(dropout, name="dropout")(features)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, {"logits": logits, "features": features, "code": code}, name="autoencoder")


def build_decoder() -> keras.Model:
    """The generator's deconvolutions: code [batch, 4, 4, 128] -> image [batch, 28, 28, 1] in [-1, 1]."""
    code = keras.Input(CODE_SHAPE, name="code")
    return keras.Model(code, deconvolutions(code), name="decoder")
