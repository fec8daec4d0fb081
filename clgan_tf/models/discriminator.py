"""The paper's CNN -> LSTM discriminator (section 2.2), and its section 2.1 variant with cross attention.

Both read an image as 28 time steps of 28 bytes and return K logits together with the features that
feature matching compares. The "fake" class has no logit of its own: see losses.py.
"""

import keras
from keras import KerasTensor, layers

from clgan_tf.models.pixels import IMAGE_SHAPE
from clgan_tf.models.unrolled_lstm import UnrolledLSTM

LEAK = 0.2


def build_discriminator(num_classes: int, dropout: float = 0.5) -> keras.Model:
    """Section 2.2. [batch, 28, 28, 1] float in [-1, 1] -> logits [batch, K], features [batch, 256]."""
    image, rows = _convolved_rows()
    features = UnrolledLSTM(256, name="lstm")(rows)  # [batch, 256]
    return with_head(image, features, num_classes, dropout, "discriminator")


def build_cross_attention_discriminator(num_classes: int, dropout: float = 0.5) -> keras.Model:
    """Section 2.1. As `build_discriminator`, with a bidirectional LSTM and cross-attention fusion.

    The text gives no sizes: two LSTMs of 128 keep the 256 units of section 2.2.
    """
    image, rows = _convolved_rows()
    temporal = layers.Bidirectional(UnrolledLSTM(128, return_sequences=True), name="lstm")(rows)
    features = layers.GlobalAveragePooling1D(name="pooling")(cross_attention(temporal, rows))  # [batch, 256]
    return with_head(image, features, num_classes, dropout, "cross_attention_discriminator")


def cross_attention(temporal: KerasTensor, spatial: KerasTensor) -> KerasTensor:
    """Section 2.1's fusion: one head lets the LSTM's rows (query) look at the convolutions' (key and value).

    temporal: [batch, 28, units], as is what it returns; spatial: [batch, 28, filters].
    """
    spatial = layers.Dense(temporal.shape[-1], name="spatial")(spatial)
    attended = layers.MultiHeadAttention(num_heads=1, key_dim=64, name="cross_attention")(temporal, spatial)
    return layers.Add(name="fusion")([temporal, attended])


def _convolved_rows() -> tuple[KerasTensor, KerasTensor]:
    image = keras.Input(IMAGE_SHAPE, name="image")
    x = layers.Reshape((28, 28), name="rows")(image)  # [batch, 28 rows, 28 bytes]
    for index, filters in enumerate((128, 64), start=1):  # [batch, 28, 128], then [batch, 28, 64]
        x = layers.Conv1D(filters, 5, padding="same", name=f"convolution_{index}")(x)
        x = layers.LeakyReLU(LEAK, name=f"activation_{index}")(x)
    return image, x


def with_head(image: KerasTensor, features: KerasTensor, num_classes: int, dropout: float, name: str) -> keras.Model:
    """Image -> K logits behind dropout, and the features that feature matching compares."""
    x = layers.Dropout(dropout, name="dropout")(features)
    # float32 whatever the policy: log-sum-exp of half-precision logits is not stable.
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)  # [batch, K]
    return keras.Model(image, {"logits": logits, "features": features}, name=name)
