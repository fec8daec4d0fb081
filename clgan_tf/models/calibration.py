"""Probabilities that are as sure as they are right: one temperature for all logits.

Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017). It changes no label.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

LEAST, MOST = 0.2, 10.0
PRIOR_DEVIATION = 0.5  # of the logarithm: twenty labels, all told right, are no reason to be sure of everything


def fitted_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """What logits [n, K] are divided by before the softmax so that labels int64 [n] are likeliest.

    The labels must be of sessions that what gave the logits has not learned from. The temperature's logarithm is drawn
    towards 0 as by a normal distribution, so that few labels move it little; without a label it is 1.
    """
    rows = np.arange(len(labels))

    def cost(logarithm: float) -> float:
        likelihood = log_softmax(logits / np.exp(logarithm), axis=1)[rows, labels].sum()
        return 0.5 * (logarithm / PRIOR_DEVIATION) ** 2 - float(likelihood)

    return _least(cost)


def temperature_as_sure(logits: np.ndarray, sureness: float) -> float:
    """What logits [n, K] are divided by so that the likeliest class's probability is `sureness` in the mean.

    It needs no labels, but to know how many are told right. It stays between LEAST and MOST.
    """

    def miss(logarithm: float) -> float:
        return float((np.exp(log_softmax(logits / np.exp(logarithm), axis=1).max(axis=1)).mean() - sureness) ** 2)

    return _least(miss)


def _least(cost: Callable[[float], float]) -> float:
    """The temperature between LEAST and MOST of whose logarithm a cost is least."""
    found = minimize_scalar(cost, bounds=(np.log(LEAST), np.log(MOST)), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))
