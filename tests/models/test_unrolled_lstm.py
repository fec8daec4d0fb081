"""The LSTM that is unrolled is Keras's: the same weights, values and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from clgan_tf.models.unrolled_lstm import UnrolledLSTM
from clgan_tf.training.precision import computing_in

SHAPE = (5, 7, 6)
FORMS = [{}, {"return_sequences": True}, {"go_backwards": True}, {"go_backwards": True, "return_sequences": True}]


def sequences() -> tf.Tensor:
    return tf.constant(np.random.default_rng(0).normal(size=SHAPE), tf.float32)


def made_alike(kind: type[layers.LSTM], units: int, **form: bool) -> layers.LSTM:
    keras.utils.set_random_seed(0)
    layer = kind(units, bias_initializer="uniform", **form)
    layer.build(SHAPE)
    return layer


def values_and_gradients(layer: layers.Layer) -> list[np.ndarray]:
    given = sequences()
    with tf.GradientTape() as tape:
        tape.watch(given)
        output = layer(given)
        total = tf.reduce_sum(tf.sin(output))
    return [array.numpy() for array in (output, *tape.gradient(total, [given, *layer.trainable_variables]))]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_values_and_gradients_are_those_of_keras(form):
    ours, theirs = made_alike(UnrolledLSTM, 4, **form), made_alike(layers.LSTM, 4, **form)
    for own, other in zip(values_and_gradients(ours), values_and_gradients(theirs), strict=True):
        np.testing.assert_allclose(own, other, atol=1e-6)


def test_both_ways_too():
    pair = [layers.Bidirectional(made_alike(kind, 4, return_sequences=True)) for kind in (UnrolledLSTM, layers.LSTM)]
    ours, theirs = pair
    ours.build(SHAPE), theirs.build(SHAPE)
    theirs.set_weights(ours.get_weights())
    assert isinstance(ours.backward_layer, UnrolledLSTM)
    np.testing.assert_allclose(ours(sequences()), theirs(sequences()), atol=1e-6)


def test_in_half_precision_the_cell_keeps_what_bfloat16_would_lose():
    """A gate that always stays and always adds a little: in bfloat16 a sum would stand still at 256 times that."""
    steps, little = 784, 1 / 256
    with computing_in("bfloat16"):
        layer = UnrolledLSTM(1)
    layer.build((1, steps, 1))
    wide = 30.0  # A sigmoid of it is 1.
    enters, stays, content, leaves = wide, wide, float(np.arctanh(little)), wide
    layer.set_weights([np.zeros((1, 4)), np.zeros((1, 4)), np.array([enters, stays, content, leaves])])
    state = layer(tf.zeros((1, steps, 1)))
    assert state.dtype == tf.bfloat16
    assert float(state[0, 0]) == pytest.approx(np.tanh(steps * little), abs=2**-8)


def test_a_step_is_one_product_of_matrices():
    function = tf.function(made_alike(UnrolledLSTM, 4)).get_concrete_function(tf.TensorSpec(SHAPE))
    assert [node.op for node in function.graph.as_graph_def().node].count("MatMul") == SHAPE[1]
