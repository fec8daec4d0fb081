"""CLGAN+: CLGAN's convolutions and LSTM over 28 rows, of byte vectors instead of pixels, and a generator that fills.

Both networks see tokens, bytes 0..255 or HIDDEN, and name bytes at given positions: `filling.py` says what for.
"""

import keras
from keras import KerasTensor, layers

from clgan_tf.models.byte_vectors import VECTOR_SIZE, AtPositions, ByteVectors
from clgan_tf.models.discriminator import LEAK, cross_attention
from clgan_tf.models.filling import DECODER, TRUNK, FillingGAN, Weights
from clgan_tf.models.pixels import IMAGE_BYTES
from clgan_tf.models.unrolled_lstm import UnrolledLSTM

ROWS = 28
DISCRIMINATOR_WIDTH = 192
GENERATOR_WIDTH = 96


def clgan_plus(
    num_classes: int,
    dropout: float = 0.3,
    seed: int = 0,
    magnitude: bool = True,
    width: int = DISCRIMINATOR_WIDTH,
    predictable: bool = True,
    byte_weight: float = 1.0,
    detection_weight: float = 1.0,
    session_weight: float = 0.1,
    adversarial_weight: float = 0.0,
    pieces: bool = False,
    attention: bool = False,
) -> FillingGAN:
    """The discriminator and the generator.

    Args:
      magnitude: see ByteVectors. width: of the discriminator's rows. attention: see `build_reading_discriminator`.
        predictable, pieces, and the weights of losses: see FillingGAN.
    """
    discriminator = build_reading_discriminator(num_classes, dropout, magnitude, width, attention)
    weights = Weights(byte_weight, detection_weight, session_weight, adversarial_weight)
    generator = build_filling_generator()
    return FillingGAN(discriminator, generator, weights, predictable, pieces, seed=seed, name="clgan_plus")


def build_reading_discriminator(
    num_classes: int,
    dropout: float = 0.3,
    magnitude: bool = True,
    width: int = DISCRIMINATOR_WIDTH,
    attention: bool = False,
) -> keras.Model:
    """Tokens [batch, 784], hidden [batch, p] and seen [batch, q] positions, ints -> what it makes of them.

    Args:
      attention: whether the LSTM's states look at the convolutions' rows, as in the paper's section 2.1.

    Returns:
      A model that gives
        logits [batch, K] and features [batch, 3 * width] of the session,
        bytes [batch, p, 256], logits of the bytes at hidden positions,
        real [batch, q], logits of a seen byte being the session's own.
    """
    tokens, hidden, seen = _inputs()
    vectors = ByteVectors(magnitude, name="byte_vectors")(tokens)  # [batch, 784, 41]
    read = _trunk(num_classes, dropout, width, attention)(vectors)
    judged = _decoder(width)([read["states"], read["rows"], vectors, hidden, seen])
    outputs = {"logits": read["logits"], "features": read["features"], **judged}
    return keras.Model([tokens, hidden, seen], outputs, name="reading_discriminator")


def _trunk(num_classes: int, dropout: float, width: int, attention: bool) -> keras.Model:
    """Byte vectors [batch, 784, 41] -> logits, features, and for the decoder rows and states [batch, 28, width]."""
    vectors = keras.Input((IMAGE_BYTES, VECTOR_SIZE), name="vectors")
    rows = _rows(vectors, width)
    x = rows
    for index in (1, 2):
        x = _normalised(layers.Conv1D(width, 5, padding="same", name=f"convolution_{index}")(x), f"convolution_{index}")
    # A step of the LSTM has seen the rows before it and, the other way round, those after it.
    states = layers.Bidirectional(UnrolledLSTM(width // 2, return_sequences=True), name="lstm")(x)
    if attention:
        states = cross_attention(states, x)
    # A payload's first bytes tell its protocol, and means over rows that are random drown them.
    first = layers.Flatten(name="first")(layers.Cropping1D((0, ROWS - 1), name="first_row")(states))
    mean, maximum = (
        pooling(name=name)(states)
        for pooling, name in ((layers.GlobalAveragePooling1D, "mean"), (layers.GlobalMaxPooling1D, "maximum"))
    )
    features = layers.Concatenate(name="features")([first, mean, maximum])
    x = layers.Dropout(dropout, name="dropout")(features)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    outputs = {"logits": logits, "features": features, "states": states, "rows": rows}
    return keras.Model(vectors, outputs, name=TRUNK)


def _decoder(width: int) -> keras.Model:
    """The trunk's states and rows, byte vectors, and hidden and seen positions -> bytes and real."""
    states, rows = (keras.Input((ROWS, width), name=name) for name in ("states", "rows"))
    vectors = keras.Input((IMAGE_BYTES, VECTOR_SIZE), name="vectors")
    hidden, seen = (keras.Input((None,), dtype="int32", name=name) for name in ("hidden", "seen"))
    decoded = _decoded(states, rows, vectors, size=32)  # [batch, 784, 73]
    at_hidden, at_seen = AtPositions(name="at_positions")([decoded, hidden, seen])
    named = layers.Dense(256, dtype="float32", name="bytes")(at_hidden)
    x = layers.Dense(64, name="judgement")(at_seen)
    x = layers.LeakyReLU(LEAK, name="judgement_activation")(x)
    x = layers.Dense(1, dtype="float32", name="judgement_logit")(x)
    real = layers.Reshape((-1,), dtype="float32", name="real")(x)
    return keras.Model([states, rows, vectors, hidden, seen], {"bytes": named, "real": real}, name=DECODER)


def build_filling_generator(width: int = GENERATOR_WIDTH) -> keras.Model:
    """Tokens [batch, 784] and positions [batch, p], ints -> logits of the bytes there, [batch, p, 256]."""
    tokens, positions, _ = _inputs()
    vectors = ByteVectors(name="byte_vectors")(tokens)
    rows = _rows(vectors, width)
    x = _normalised(layers.Conv1D(width, 5, padding="same", name="convolution")(rows), "convolution")
    decoded = _decoded(x, rows, vectors, size=24)
    (at_positions,) = AtPositions(name="at_positions")([decoded, positions])
    named = layers.Dense(256, dtype="float32", name="bytes")(at_positions)
    return keras.Model([tokens, positions], named, name="filling_generator")


def _inputs() -> tuple[KerasTensor, KerasTensor, KerasTensor]:
    tokens = keras.Input((IMAGE_BYTES,), dtype="int32", name="tokens")
    hidden = keras.Input((None,), dtype="int32", name="hidden")
    return tokens, hidden, keras.Input((None,), dtype="int32", name="seen")


def _rows(vectors: KerasTensor, width: int) -> KerasTensor:
    """Byte vectors [batch, 784, v] -> one vector for each row of 28 bytes, [batch, 28, width]."""
    x = layers.Reshape((ROWS, -1), name="rows")(vectors)
    return _normalised(layers.Dense(width, name="row_vectors")(x), "row_vectors")


def _decoded(x: KerasTensor, rows: KerasTensor, vectors: KerasTensor, size: int) -> KerasTensor:
    """What is known of each byte: `size` numbers from its row and the rows around, beside its own vector."""
    x = layers.Add(name="skip")([layers.Dense(rows.shape[-1], name="back")(x), rows])
    x = layers.Dense(ROWS * size, name="byte_contexts")(_normalised(x, "skip"))
    x = layers.Reshape((IMAGE_BYTES, size), name="contexts")(layers.LeakyReLU(LEAK, name="contexts_activation")(x))
    return layers.Concatenate(name="decoded")([x, vectors])


def _normalised(x: KerasTensor, name: str) -> KerasTensor:
    x = layers.RMSNormalization(name=f"{name}_normalisation")(x)
    return layers.LeakyReLU(LEAK, name=f"{name}_activation")(x)
