"""Scores of trained systems on the test split."""

from collections.abc import Callable
from typing import Any

import numpy as np

from clgan_tf.data.examples import Examples
from clgan_tf.evaluation.metrics import score


def evaluate(
    systems: dict[str, Callable[[np.ndarray], np.ndarray]], test: Examples, class_names: list[str]
) -> dict[str, dict[str, Any]]:
    """Scores by system; each system maps uint8 [n, 28, 28, 1] to int64 [n]."""
    return {name: score(test.labels, predict(test.images), class_names) for name, predict in systems.items()}
