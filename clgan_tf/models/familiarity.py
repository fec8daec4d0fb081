"""How far a session lies from all those that a network was trained on: what tells the unknown from the known.

Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks" (NeurIPS
2018), with one Gaussian for all sessions instead of one a class: it needs no label.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

SHRINKAGE = 0.1  # of the correlations towards none: there may be fewer sessions than features
LEAST_SPREAD = 0.1  # of a feature, to the mean of its kind: of what hardly varies, a little is not yet strange
PARTS = 5  # what distances are usual, each part says of the Gaussian of the others
MOST_FEATURES = 8192  # of a file that claims more: their matrix is made before any weight is read
LEVELS = 1001  # quantiles of these distances, so that any rate of rejection can be asked for


@keras.saving.register_keras_serializable("clgan_tf")
class Familiarity(layers.Layer):
    """Features [batch, d] -> the share of known sessions that lie at least as far from their centre, [batch] float32.

    The distance is Mahalanobis's. 0.05: of a hundred sessions like those of training, five are as unusual or more.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """The known sessions' mean, what makes their features uncorrelated, and quantiles of their distances.

        Raises:
          ValueError: more than MOST_FEATURES.
        """
        size = input_shape[-1]
        if size is None or size > MOST_FEATURES:
            raise ValueError(f"{size} features are more than any network has")
        shapes = {"centre": (size,), "whitening": (size, size), "quantiles": (LEVELS,), "least": ()}
        for name, shape in shapes.items():
            weight = self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name, dtype="float32")
            setattr(self, name, weight)

    def fit(self, features: np.ndarray, kinds: Sequence[int]) -> None:
        """Sets the weights.

        Args:
          features: [n, d], of known sessions in no order that matters; n at least 2.
          kinds: how many of the features are of each kind, one kind after another.
        """
        features = features.astype(np.float64)
        parts = np.arange(len(features)) % min(PARTS, len(features))
        distances = [
            _distances(features[parts == part], *_gaussian(features[parts != part], kinds)) for part in set(parts)
        ]
        centre, whitening = _gaussian(features, kinds)
        self.centre.assign(centre.astype(np.float32))
        self.whitening.assign(whitening.astype(np.float32))
        quantiles = np.quantile(np.concatenate(distances), np.linspace(0.0, 1.0, LEVELS))
        self.quantiles.assign(quantiles.astype(np.float32))
        self.least.assign(1.0 / (len(features) + 1))

    def call(self, features: Any) -> Any:
        """The share of quantiles that are not below the distance, at least what so few sessions can tell."""
        features = ops.cast(features, "float32")
        distances = ops.sum(ops.square(ops.matmul(features - self.centre, self.whitening)), axis=1)
        # Counted, not searched: formats that classifiers are exported to know no search.
        below = ops.sum(ops.cast(self.quantiles < distances[:, None], "float32"), axis=1)
        return ops.maximum(1.0 - below / LEVELS, self.least)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """One number a row."""
        return input_shape[:1]


def _gaussian(features: np.ndarray, kinds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Mean [d] of features [n, d], and a matrix [d, d] that makes them uncorrelated.

    Each counts in units of its own spread, so that features of several kinds can stand beside each other.
    """
    centre, spreads = features.mean(axis=0), np.split(features.std(axis=0), np.cumsum(kinds)[:-1])
    spread = np.concatenate([np.maximum(one, max(LEAST_SPREAD * float(one.mean()), 1e-6)) for one in spreads])
    scaled = (features - centre) / spread
    correlations = scaled.T @ scaled / len(features) + SHRINKAGE * np.eye(len(centre))
    return centre, np.linalg.cholesky(np.linalg.inv(correlations)) / spread[:, np.newaxis]


def _distances(features: np.ndarray, centre: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    return np.square((features - centre) @ whitening).sum(axis=1)
