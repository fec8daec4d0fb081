"""RandomForest on raw bytes: what a practitioner would try first."""

import numpy as np
from sklearn.ensemble import RandomForestClassifier

NUM_TREES = 200


class RandomForest:
    """200 trees, scikit-learn's defaults otherwise; one byte a feature."""

    def __init__(self, seed: int) -> None:
        self.forest = RandomForestClassifier(n_estimators=NUM_TREES, random_state=seed, n_jobs=-1)

    def fit(self, images: np.ndarray, labels: np.ndarray) -> "RandomForest":
        """images: uint8 [n, 28, 28, 1]; labels: int64 [n]."""
        self.forest.fit(images.reshape(len(images), -1), labels)
        return self

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Labels int64 [n] of uint8 images [n, 28, 28, 1]."""
        return self.forest.predict(images.reshape(len(images), -1))
