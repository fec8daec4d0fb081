"""Which bytes and headers a network goes by: integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365)."""

import keras
import numpy as np
import tensorflow as tf

from clgan_tf.capture.representation import PACKET_ROW, ROW_PAYLOAD, Beginning, Representation
from clgan_tf.data.examples import IMAGE_BYTES
from clgan_tf.evaluation.headers import FRAME, headers_of
from clgan_tf.models.byte_ngrams import NgramLogits

NUMBERS = ("byte_vectors", "scaling")  # the layer of a network that makes numbers of bytes
STEPS = 16
AT_ONCE = 4  # steps: calling a network takes longer than what it computes for few sessions
FIRST_PAYLOAD = 16


def integrated_gradients(classifier: keras.Model, images: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """What each byte adds to the probability of its session's class, against a session of zeros: float [n, 784].

    A session's values add up to how much more probable its class is than for zeros.

    Args:
      classifier: as `models.archive.load` gives it; images: uint8 [n, 28, 28, 1]; labels: int64 [n].

    Returns:
      None where bytes never become numbers: a forest has no gradient.
    """
    layer = next((layer for layer in classifier.layers if layer.name in NUMBERS), None)
    if layer is None:
        return None
    ngrams = [layer for layer in classifier.layers if isinstance(layer, NgramLogits)]
    made = [layer.output, *(each.output for each in ngrams)]
    before = keras.Model(classifier.input, made)
    behind = keras.Model(made, classifier.output["probabilities"])
    shown, nothing = (tf.nest.flatten(before(given)) for given in (images, np.zeros_like(images)))
    slopes = [tf.zeros_like(each) for each in shown]
    for steps in np.split(np.arange(STEPS), STEPS // AT_ONCE):
        between = [
            tf.concat([start + (step + 0.5) / STEPS * (end - start) for step in steps], axis=0)
            for start, end in zip(nothing, shown, strict=True)
        ]
        with tf.GradientTape() as tape:
            tape.watch(between)
            chance = tf.gather(behind(between, training=False), np.tile(labels, AT_ONCE), batch_dims=1)
        for index, gradient in enumerate(tape.gradient(chance, between)):
            slopes[index] += tf.add_n(tf.split(gradient, AT_ONCE)) / STEPS
    added = tf.reshape((shown[0] - nothing[0]) * slopes[0], (len(images), IMAGE_BYTES, -1))
    values = tf.reduce_sum(added, axis=-1).numpy()
    for each, slope in zip(ngrams, slopes[1:], strict=True):  # Of zeros they say nothing.
        values += tf.reduce_sum(each.of_places(images) * slope[:, tf.newaxis], axis=-1).numpy()
    return values


def parts_of(images: np.ndarray, representation: Representation) -> dict[str, np.ndarray]:
    """Which bytes of each image are what, by name: bool [n, 784]; uint8 [n, 28, 28, 1]."""
    rows, places = images.reshape(len(images), IMAGE_BYTES).astype(np.int64), np.arange(IMAGE_BYTES)
    nothing = np.zeros(len(rows), np.int64)
    if representation.begins_with is Beginning.PACKET_ROW:
        return {name: np.broadcast_to(part, rows.shape) for name, part in _parts_of_rows(places).items()}
    if representation.begins_with is Beginning.PAYLOAD:
        edges = {"first 16 bytes of payload": nothing + FIRST_PAYLOAD, "later payload": nothing + IMAGE_BYTES}
    else:
        headers = headers_of(rows, representation)
        end, payload = headers.end, np.minimum(headers.payload, headers.end)
        edges = {
            "capture header": np.minimum(headers.network, FRAME),
            "link layer": headers.network,
            "IP header": headers.transport,
            "TCP or UDP header": payload,
            "first 16 bytes of payload": np.minimum(payload + FIRST_PAYLOAD, end),
            "rest of the first packet": end,
            "later packets": nothing + IMAGE_BYTES,
        }
    begin, parts = nothing, {}
    for name, stop in edges.items():
        parts[name] = (places >= begin[:, np.newaxis]) & (places < stop[:, np.newaxis])
        begin = np.maximum(begin, stop)
    return {name: part for name, part in parts.items() if part.any()}


def _parts_of_rows(places: np.ndarray) -> dict[str, np.ndarray]:
    """As `parts_of`, of any image in which a packet is a row: bool [784]."""
    packet, byte = np.divmod(places, PACKET_ROW)
    return {
        "direction and protocol": byte == 0,
        "payload sizes": (byte == 1) | (byte == 2),
        "TCP flags": byte == ROW_PAYLOAD - 1,
        "first packet's payload": (byte >= ROW_PAYLOAD) & (packet == 0),
        "later packets' payload": (byte >= ROW_PAYLOAD) & (packet > 0),
    }
