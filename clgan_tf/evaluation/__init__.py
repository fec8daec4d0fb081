"""Scores of trained systems on a split."""

from collections.abc import Callable, Mapping

import numpy as np

from clgan_tf.data.examples import Examples
from clgan_tf.evaluation.metrics import score
from clgan_tf.runs.result import Scores

Predict = Callable[[np.ndarray], np.ndarray]  # uint8 [n, 28, 28, 1] -> int64 [n]


def evaluate(systems: Mapping[str, Predict], examples: Examples, class_names: list[str]) -> dict[str, Scores]:
    """Scores by system."""
    return {name: score(examples.labels, predict(examples.images), class_names) for name, predict in systems.items()}
