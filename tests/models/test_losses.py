"""The objective against numbers worked out by hand and against an explicit K+1 softmax."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clgan_tf.models import losses

logit_rows = hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(2, 12)), elements=st.floats(-30, 30))


@settings(max_examples=100, deadline=None)
@given(logits=logit_rows)
def test_the_implicit_form_equals_an_explicit_softmax_with_a_zero_fake_logit(logits):
    explicit = tf.nn.log_softmax(tf.concat([logits, tf.zeros((len(logits), 1), tf.float64)], axis=1)).numpy()
    fake = explicit[:, -1]
    real = np.log(-np.expm1(np.minimum(fake, -1e-300)))
    np.testing.assert_allclose(losses.log_probability_generated(logits), fake, atol=1e-6)
    # Where p(real) is below 1e-9, 1 - p(fake) loses its digits; the sum over real classes does not.
    direct = np.logaddexp.reduce(explicit[:, :-1], axis=1)
    np.testing.assert_allclose(losses.log_probability_real(logits), direct, atol=1e-6)
    well = fake < -1e-6
    np.testing.assert_allclose(losses.log_probability_real(logits).numpy()[well], real[well], atol=1e-6)


def test_numbers_worked_out_by_hand():
    logits = tf.math.log([[1.0, 2.0], [0.5, 0.5]])  # Z = 3 and 1: p(real) = 3/4 and 1/2
    assert float(losses.unlabelled_loss(logits)) == pytest.approx(-(np.log(3 / 4) + np.log(1 / 2)) / 2)
    assert float(losses.generated_loss(logits)) == pytest.approx(-(np.log(1 / 4) + np.log(1 / 2)) / 2)
    assert losses.non_saturating(logits) == losses.unlabelled_loss(logits)
    assert float(losses.labelled_loss(tf.constant([1, 0]), logits)) == pytest.approx(
        -(np.log(2 / 3) + np.log(1 / 2)) / 2
    )
    real, generated = tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([[0.0, 1.0], [0.0, 3.0]])
    assert float(losses.feature_matching(real, generated)) == pytest.approx(2.0**2 + 1.0**2)


@pytest.mark.parametrize("size", [1e4, -1e4, 3e38, -3e38])
def test_extreme_logits_stay_finite_with_finite_gradients(size):
    logits = tf.Variable([[size, -size]])
    for loss in (losses.unlabelled_loss, losses.generated_loss):
        with tf.GradientTape() as tape:
            value = loss(logits)
        assert np.isfinite(value)
        assert np.isfinite(tape.gradient(value, logits)).all()


def test_feature_matching_moves_only_the_generated_side():
    real, generated = tf.Variable([[1.0]]), tf.Variable([[3.0]])
    with tf.GradientTape() as tape:
        loss = losses.feature_matching(real, generated)
    assert [
        gradient if gradient is None else float(gradient[0, 0]) for gradient in tape.gradient(loss, [real, generated])
    ] == [None, 4.0]
