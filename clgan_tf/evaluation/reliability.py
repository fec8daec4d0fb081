"""Is what a system is sure of right as often as it says? Expected calibration error (Naeini et al., AAAI 2015)."""

import numpy as np
from scipy.special import softmax

from clgan_tf.runs.result import Bin, Reliability

BINS = 10  # of equal width


def reliability(logits: np.ndarray, labels: np.ndarray, temperature: float) -> Reliability:
    """Of logits [n, K], which are divided by the temperature, and labels int64 [n]; n at least 1."""
    bins, ece = _bins(softmax(logits / temperature, axis=1), labels)
    _, ece_without = _bins(softmax(logits, axis=1), labels)
    return Reliability(temperature, ece, ece_without, bins)


def _bins(probabilities: np.ndarray, labels: np.ndarray) -> tuple[list[Bin], float]:
    """The bins that have sessions, and the mean distance between how sure and how right they are."""
    sure = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == labels
    numbers = np.clip(np.ceil(sure * BINS) - 1, 0, BINS - 1).astype(int)
    bins = [
        Bin(int(inside.sum()), float(sure[inside].mean()), float(is_right[inside].mean()))
        for inside in (numbers == number for number in range(BINS))
        if inside.any()
    ]
    return bins, sum(one.sessions * abs(one.probability - one.accuracy) for one in bins) / len(labels)
