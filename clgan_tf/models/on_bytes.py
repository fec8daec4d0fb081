"""scikit-learn's classifiers on raw bytes, one byte a feature: what a practitioner would try first."""

from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

NUM_TREES = 200

BUILDERS = {
    "random_forest": lambda seed: RandomForestClassifier(NUM_TREES, random_state=seed, n_jobs=-1),
    "extra_trees": lambda seed: ExtraTreesClassifier(NUM_TREES, random_state=seed, n_jobs=-1),
    # How many bytes differ: byte values have no order.
    "nearest_neighbour": lambda _seed: KNeighborsClassifier(1, metric="hamming", n_jobs=-1),
}


class OnBytes:
    """One of BUILDERS by name, with scikit-learn's defaults otherwise."""

    def __init__(self, name: str, seed: int) -> None:
        self.classifier: Any = BUILDERS[name](seed)

    def fit(self, images: np.ndarray, labels: np.ndarray) -> "OnBytes":
        """images: uint8 [n, 28, 28, 1]; labels: int64 [n]."""
        self.classifier.fit(images.reshape(len(images), -1), labels)
        return self

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Labels int64 [n] of uint8 images [n, 28, 28, 1]."""
        return self.classifier.predict(images.reshape(len(images), -1))
