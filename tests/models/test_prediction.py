"""What a network gives for many sessions: Keras's own numbers, and a batch is as long as Ctrl-C waits."""

import os
import signal

import keras
import numpy as np
import pytest

from clgan_tf.common.interruption import raised_when_safe
from clgan_tf.models.prediction import predict


class Interrupting(keras.layers.Layer):
    """Counts its batches; Ctrl-C comes in the second."""

    def __init__(self):
        super().__init__(trainable=False)
        self.batches = 0

    def call(self, inputs):
        """The input as it is."""
        self.batches += 1
        if self.batches == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return inputs


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (10, 28, 28, 1), np.uint8)


def test_it_gives_what_keras_gives(images):
    network = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    np.testing.assert_array_equal(predict(network, images, 4), network.predict(images, batch_size=4, verbose=0))


def test_ctrl_c_ends_it_after_the_batch_it_comes_in(images):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # A background job ignores it.
    layer = Interrupting()
    network = keras.Sequential([keras.Input((28, 28, 1)), layer])
    network.compile(run_eagerly=True)
    layer.batches = 0  # Keras has called it to build the network.
    try:
        with pytest.raises(KeyboardInterrupt), raised_when_safe():
            predict(network, images, 2)
    finally:
        signal.signal(signal.SIGINT, before)
    assert layer.batches == 2


def test_of_no_session_there_is_nothing_in_the_shape_of_its_outputs(images):
    pixels = keras.Input((28, 28, 1), dtype="uint8")
    features = keras.layers.Flatten()(pixels)
    network = keras.Model(pixels, {"logits": keras.layers.Dense(3)(features), "features": features})
    given = predict(network, images[:0])
    assert {name: one.shape for name, one in given.items()} == {"logits": (0, 3), "features": (0, 784)}
