"""How sure against how right, worked out by hand."""

import numpy as np
import pytest

from clgan_tf.evaluation.reliability import reliability
from clgan_tf.runs.result import Bin


def test_expected_calibration_error_by_hand():
    """Four sessions of probability 0.9, three right; two of 0.6, both right: (4 |0.75 - 0.9| + 2 |1 - 0.6|) / 6."""
    sure = np.array([0.9, 0.9, 0.9, 0.9, 0.6, 0.6])
    logits = np.log(np.stack([sure, 1 - sure], axis=1))
    found = reliability(logits, np.array([0, 0, 0, 1, 0, 0]), temperature=1.0)
    assert found.ece == found.ece_without == pytest.approx((4 * 0.15 + 2 * 0.4) / 6)
    assert found.bins == [Bin(2, pytest.approx(0.6), 1.0), Bin(4, pytest.approx(0.9), 0.75)]


def test_logits_are_divided_by_the_temperature():
    logits = np.array([[2 * np.log(3.0), 0.0]])  # 0.9 to 0.1; at a temperature of 2, 0.75 to 0.25
    found = reliability(logits, np.array([0]), temperature=2.0)
    assert found.bins == [Bin(1, pytest.approx(0.75), 1.0)]
    assert (found.ece, found.ece_without) == (pytest.approx(0.25), pytest.approx(0.1))


def test_the_surest_and_the_least_sure_have_a_bin():
    found = reliability(np.array([[0.0, 0.0], [1000.0, 0.0]]), np.array([0, 0]), temperature=1.0)
    assert [(one.sessions, one.probability) for one in found.bins] == [(1, 0.5), (1, 1.0)]
