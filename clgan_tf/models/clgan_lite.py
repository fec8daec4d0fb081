"""CLGAN lite: convolutions and an LSTM over 28 rows of byte vectors, a tenth of the published CLGAN's parameters.

It learns from a trained CLGAN+ (training/distillation.py). Of the paper's section 4.2, future work 1: lightweight
networks for cheaper deployment.
"""

import keras
from keras import KerasTensor, layers

from clgan_tf.models.discriminator import LEAK
from clgan_tf.models.pixels import IMAGE_BYTES, IMAGE_SHAPE
from clgan_tf.models.unrolled_lstm import UnrolledLSTM

ROWS = 28
VECTOR_SIZE = 4
ROW_SIZE = 32
WIDTH = 40


def clgan_lite(num_classes: int, dropout: float = 0.0, seed: int = 0) -> keras.Model:
    """Bytes [batch, 28, 28, 1] uint8 -> logits [batch, K]: 0.6 million multiply-adds a session. seed: of dropout."""
    image = keras.Input(IMAGE_SHAPE, dtype="uint8", name="image")
    tokens = layers.Reshape((IMAGE_BYTES,), dtype="uint8", name="tokens")(image)
    vectors = layers.Embedding(256, VECTOR_SIZE, name="byte_vectors")(tokens)  # [batch, 784, 4]
    x = layers.Dense(ROW_SIZE, name="row_vectors")(layers.Reshape((ROWS, -1), name="rows")(vectors))
    x = _normalised(x, "row_vectors")
    x = _normalised(layers.Conv1D(WIDTH, 5, padding="same", name="convolution_1")(x), "convolution_1")
    x = _normalised(layers.Conv1D(WIDTH, 5, strides=2, padding="same", name="convolution_2")(x), "convolution_2")
    # Backwards, so that its last step, which has seen the whole session, is that of the first bytes.
    states = UnrolledLSTM(WIDTH, return_sequences=True, go_backwards=True, name="lstm")(x)  # [batch, 14, 40]
    last = layers.Flatten(name="last")(layers.Cropping1D((ROWS // 2 - 1, 0), name="last_state")(states))
    mean, maximum = (
        pooling(name=name)(states)
        for pooling, name in ((layers.GlobalAveragePooling1D, "mean"), (layers.GlobalMaxPooling1D, "maximum"))
    )
    x = layers.Dropout(dropout, seed=seed, name="dropout")(layers.Concatenate(name="features")([last, mean, maximum]))
    return keras.Model(image, layers.Dense(num_classes, dtype="float32", name="logits")(x), name="clgan_lite")


def _normalised(x: KerasTensor, name: str) -> KerasTensor:
    x = layers.RMSNormalization(name=f"{name}_normalisation")(x)
    return layers.LeakyReLU(LEAK, name=f"{name}_activation")(x)
