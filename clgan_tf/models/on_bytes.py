"""Classifiers on raw bytes, scikit-learn's with one byte a feature: what a practitioner would try first."""

from typing import Any

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from clgan_tf.data.examples import UNLABELLED
from clgan_tf.models.forest import forest_network
from clgan_tf.models.ngram_vectors import cosines, fine_weights

NUM_TREES = 200


def random_forest(seed: int) -> RandomForestClassifier:
    """200 trees, otherwise scikit-learn's defaults."""
    return RandomForestClassifier(NUM_TREES, random_state=seed, n_jobs=-1)


def extra_trees(seed: int) -> ExtraTreesClassifier:
    """200 trees, otherwise scikit-learn's defaults."""
    return ExtraTreesClassifier(NUM_TREES, random_state=seed, n_jobs=-1)


def nearest_neighbour(_seed: int) -> KNeighborsClassifier:
    """The session in which the fewest bytes differ: byte values have no order."""
    return KNeighborsClassifier(1, metric="hamming", n_jobs=-1)


def gradient_boosting(seed: int) -> HistGradientBoostingClassifier:
    """scikit-learn's gradient-boosted trees, its defaults: 100 rounds, a tree a class in each.

    None of them is left out, as above 10,000 labels: sessions held out for that are two of each class at least.
    """
    return HistGradientBoostingClassifier(early_stopping=False, random_state=seed)


def self_trained_forest(seed: int) -> SelfTrainingClassifier:
    """A random forest that takes what it is sure of for labelled, up to ten times; scikit-learn's defaults."""
    return SelfTrainingClassifier(random_forest(seed))


def label_spreading(_seed: int) -> LabelSpreading:
    """Labels spread along the 7 nearest neighbours (Zhou et al. 2004), scikit-learn's defaults; Euclidean distance."""
    return LabelSpreading(kernel="knn", n_jobs=-1)


class NgramNeighbour(ClassifierMixin, BaseEstimator):
    """The labelled session with the most alike n-grams of bytes, as `ngram_vectors` weighs them among all sessions."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> "NgramNeighbour":  # noqa: N803
        """X: uint8 [n, 784]; y: int64 [n], -1 where there is no label."""
        self.weights_, self.known_, self.labels_ = fine_weights(X), X[y != UNLABELLED], y[y != UNLABELLED]
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        """Labels int64 [n] of uint8 [n, 784]."""
        nearest = [near.argmax(axis=1) for _, near in cosines(X, self.known_, self.weights_)]
        return self.labels_[np.concatenate(nearest)]


def ngram_neighbour(_seed: int) -> NgramNeighbour:
    """What compares sessions as a search engine compares texts; it learns nothing else."""
    return NgramNeighbour()


class OnBytes:
    """A classifier whose features are an image's bytes."""

    def __init__(self, classifier: Any) -> None:
        self.classifier = classifier

    @property
    def is_semi_supervised(self) -> bool:
        """Whether it learns from unlabelled sessions too."""
        return isinstance(self.classifier, SelfTrainingClassifier | LabelSpreading | NgramNeighbour)

    def fit(self, images: np.ndarray, labels: np.ndarray) -> "OnBytes":
        """images: uint8 [n, 28, 28, 1]; labels: int64 [n], -1 where there is none and it is semi-supervised."""
        if isinstance(self.classifier, LabelSpreading):
            self.classifier.n_neighbors = min(self.classifier.n_neighbors, len(images))
        with np.errstate(invalid="ignore"):  # Of labels that no neighbour spreads to a session.
            self.classifier.fit(images.reshape(len(images), -1), labels)
        return self

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Labels int64 [n] of uint8 images [n, 28, 28, 1]."""
        with np.errstate(invalid="ignore"):
            return self.classifier.predict(images.reshape(len(images), -1))

    def network(self, num_classes: int) -> keras.Model | None:
        """Once it is fitted, the same as a model that can be saved; None of what is no forest."""
        is_self_trained = isinstance(self.classifier, SelfTrainingClassifier)
        forest = self.classifier.estimator_ if is_self_trained else self.classifier
        is_forest = isinstance(forest, RandomForestClassifier | ExtraTreesClassifier)
        return forest_network(forest, num_classes) if is_forest else None
