"""Scores of trained systems on a split."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from clgan_tf.data.examples import Examples
from clgan_tf.evaluation.metrics import score
from clgan_tf.evaluation.reliability import reliability
from clgan_tf.runs.result import Scores


@dataclass(frozen=True)
class Predictor:
    """A trained system, as scoring needs it.

    predict: of images uint8 [n, 28, 28, 1] the logits [n, K]; or labels int64 [n], where it has no temperature.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    temperature: float | None = None

    def scores(self, given: np.ndarray, labels: np.ndarray, class_names: list[str]) -> Scores:
        """Of what `predict` has given of sessions with these labels, int64 [n]."""
        if self.temperature is None:
            return score(labels, given, class_names)
        measured = reliability(given, labels, self.temperature)
        return replace(score(labels, given.argmax(axis=1), class_names), reliability=measured)


def evaluate(systems: Mapping[str, Predictor], examples: Examples, class_names: list[str]) -> dict[str, Scores]:
    """Scores by system."""
    images, labels = examples.images, examples.labels
    return {name: one.scores(one.predict(images), labels, class_names) for name, one in systems.items()}
