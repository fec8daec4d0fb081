"""Trees as a Keras model say what scikit-learn's say, and arrays that lead nowhere are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clgan_tf import models

FORESTS = ("random_forest", "extra_trees", "self_trained_forest")
rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (240, 28, 28, 1), np.uint8)
LABELS = (IMAGES[:, 0, 0, 0] // 64 + rng.integers(0, 2, len(IMAGES))).astype(np.int64)  # 0 to 4


def shares(network, images: np.ndarray) -> np.ndarray:
    return np.exp(network(images))


@pytest.mark.parametrize("name", FORESTS)
def test_it_says_what_scikit_learn_says(name):
    labels = np.where(np.arange(len(LABELS)) < 120, LABELS, -1)
    shown = np.ones(len(labels), bool) if name == "self_trained_forest" else labels >= 0
    system = models.build_on_bytes(name, 0).fit(IMAGES[shown], labels[shown])
    network = system.network(5)
    expected = system.classifier.predict_proba(IMAGES.reshape(len(IMAGES), -1))
    np.testing.assert_allclose(shares(network, IMAGES), expected, atol=2e-6)


@given(thresholds=st.lists(st.integers(0, 255), min_size=1, max_size=12), num_classes=st.integers(2, 6))
@settings(max_examples=8, deadline=None)
def test_bytes_on_both_sides_of_every_threshold(thresholds, num_classes):
    """All values of one byte, of forests that were grown from any few of them."""
    images = np.zeros((256, 28, 28, 1), np.uint8)
    images[:, 3, 5, 0] = np.arange(256)
    system = models.build_on_bytes("extra_trees", 0)
    system.classifier.set_params(n_estimators=5)
    system.fit(images[thresholds], np.arange(len(thresholds)) % num_classes)
    known = system.classifier.classes_
    found = shares(system.network(num_classes), images)
    np.testing.assert_allclose(found[:, known], system.classifier.predict_proba(images.reshape(256, -1)), atol=2e-6)
    assert np.all(np.delete(found, known, axis=1) < 1e-5)


@pytest.mark.parametrize("name", ["nearest_neighbour", "label_spreading"])
def test_what_is_no_forest_is_no_network(name):
    assert models.build_on_bytes(name, 0).fit(IMAGES, LABELS).network(5) is None


@pytest.mark.parametrize(
    ("array", "index", "value", "words"),
    [
        ("roots", 0, 10**6, "leads to a node that is not there"),
        ("nodes", (1, 2), -(10**6), "leads to a node that is not there"),
        ("nodes", (1, 0), 784, "asks for a byte that no session has"),
        ("nodes", (1, 0), -1, "asks for a byte that no session has"),
    ],
)
def test_trees_that_lead_nowhere_are_refused(array, index, value, words):
    trees = models.build_on_bytes("random_forest", 0).fit(IMAGES, LABELS).network(5).get_layer("trees")
    trees.require_sound()
    changed = getattr(trees, array).numpy()
    changed[index] = value
    getattr(trees, array).assign(changed)
    with pytest.raises(ValueError, match=words):
        trees.require_sound()


@pytest.mark.parametrize("count", [2, 5])
def test_labels_spread_among_fewer_sessions_than_it_usually_asks(count):
    labels = np.where(np.arange(count) < 2, np.arange(count), -1)
    spread = models.build_on_bytes("label_spreading", 0).fit(IMAGES[:count], labels)
    assert set(spread.predict(IMAGES[:count])) <= {0, 1}


def test_boosting_takes_a_class_of_one_label_among_many():
    """Above 10,000 scikit-learn would hold some out, by class."""
    images, labels = np.zeros((10_001, 28, 28, 1), np.uint8), np.arange(10_001) % 2
    labels[-1] = 2
    system = models.build_on_bytes("gradient_boosting", 0)
    system.classifier.max_iter = 1
    assert system.fit(images, labels).classifier.classes_.tolist() == [0, 1, 2]
