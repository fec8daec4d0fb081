"""One temperature for all logits: known where it is known, and 1 where there is nothing to go by."""

import numpy as np
import pytest

from clgan_tf.models.calibration import LEAST, MOST, fitted_temperature, temperature_as_sure


def sample(count: int, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn with the softmax of logits, and these logits times the temperature."""
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(count, 5))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((count, 1)) > np.cumsum(chances, axis=1)).sum(axis=1)
    return temperature * logits, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_it_finds_the_temperature_that_labels_were_drawn_at(temperature):
    assert fitted_temperature(*sample(20_000, temperature)) == pytest.approx(temperature, rel=0.05)


def test_without_labels_it_is_one():
    assert fitted_temperature(np.zeros((0, 3)), np.zeros(0, np.int64)) == pytest.approx(1, abs=1e-3)


def test_a_few_that_are_all_right_are_no_reason_to_be_sure_of_everything():
    logits = np.eye(4)[[0, 1, 2, 3] * 5] * 3
    assert fitted_temperature(logits, np.array([0, 1, 2, 3] * 5)) > 0.5


def test_what_is_sure_and_wrong_is_toned_down():
    logits = np.eye(3)[np.zeros(30, int)] * 20
    assert fitted_temperature(logits, np.arange(30) % 2) > 3


@pytest.mark.parametrize("sureness", [0.4, 0.6, 0.9])
def test_it_is_as_sure_as_it_is_told_to_be(sureness):
    logits, _ = sample(500, 3.0)
    logits = logits / temperature_as_sure(logits, sureness)
    assert (np.exp(logits).max(axis=1) / np.exp(logits).sum(axis=1)).mean() == pytest.approx(sureness, abs=1e-3)


@pytest.mark.parametrize("sureness", [0.0, 1.0])
def test_what_cannot_be_reached_ends_at_a_bound(sureness):
    logits, _ = sample(500, 3.0)
    assert LEAST * 0.99 < temperature_as_sure(logits, sureness) < MOST * 1.01
