"""The supervised CNN-LSTM that the paper compares with: no generator, no use of unlabelled sessions."""

import keras
from keras import layers

from clgan_tf.models.pixels import IMAGE_SHAPE, bytes_to_logits
from clgan_tf.models.unrolled_lstm import UnrolledLSTM


def cnn_lstm(num_classes: int, dropout: float = 0.0, seed: int = 0) -> keras.Model:
    """Bytes [batch, 28, 28, 1] -> logits [batch, K]. seed: of dropout."""
    return bytes_to_logits(build_cnn_lstm(num_classes, dropout, seed), "cnn_lstm")


def build_cnn_lstm(num_classes: int, dropout: float = 0.0, seed: int = 0) -> keras.Model:
    """[batch, 28, 28, 1] float in [-1, 1] -> logits [batch, K], features [batch, 64].

    Three convolutions of 128 along the 28 rows, pooled twice, LSTM 64, two Dense layers; the paper gives the
    first of those no size: 64, as the LSTM has.
    """
    image = keras.Input(IMAGE_SHAPE, name="image")
    x = layers.Reshape((28, 28), name="rows")(image)  # [batch, 28 rows, 28 bytes]
    for index in (1, 2):  # [batch, 14, 128], then [batch, 7, 128]
        x = layers.Conv1D(128, 3, padding="same", activation="relu", name=f"convolution_{index}")(x)
        x = layers.MaxPooling1D(2, name=f"pooling_{index}")(x)
    x = layers.Conv1D(128, 3, padding="same", activation="relu", name="convolution_3")(x)
    x = UnrolledLSTM(64, name="lstm")(x)  # [batch, 64]
    features = layers.Dense(64, activation="relu", name="dense")(x)
    x = layers.Dropout(dropout, seed=seed, name="dropout")(features)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, {"logits": logits, "features": features}, name="cnn_lstm")
