"""The last layer of CLGAN+ fitted anew: what scikit-learn's regression says, and nothing else changed."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from clgan_tf.data.examples import Examples
from clgan_tf.data.few_labels import in_memory
from clgan_tf.settings import FillingSettings, TuningSettings
from clgan_tf.training import byte_phases, last_layer
from clgan_tf.training.byte_phases import Schedule

SHORT = Schedule(epochs=1, rows=8, rate=1e-3)


def blobs(classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features [60, 5] far from the origin, of different scales, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(60) % classes
    features = rng.normal(size=(60, 5)) + rng.normal(size=(classes, 5))[labels]
    return features * [1, 10, 100, 0.1, 1] + 7, labels


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_it_says_what_scikit_learn_says_on_standardised_features(classes):
    features, labels = blobs(classes)
    kernel, bias = last_layer.logistic_regression(features, labels, classes)
    scaler = StandardScaler().fit(features)
    expected = LogisticRegression().fit(scaler.transform(features), labels).predict_proba(scaler.transform(features))
    np.testing.assert_allclose(softmax(features @ kernel + bias, axis=1), expected, atol=1e-9)


@pytest.mark.parametrize("shown", [[0, 2, 5], [1, 4]])
def test_a_class_of_which_nothing_was_shown_is_not_named(shown):
    features, labels = blobs(len(shown))
    kernel, bias = last_layer.logistic_regression(features, np.array(shown)[labels], 6)
    probabilities = softmax(features @ kernel + bias, axis=1)
    absent = sorted(set(range(6)) - set(shown))
    assert np.all(probabilities[:, absent] < 1e-5)
    assert not set(probabilities.argmax(axis=1)) & set(absent)
    shares = probabilities[:, shown] / probabilities[:, shown].sum(axis=1, keepdims=True)
    kernel, bias = last_layer.logistic_regression(features, labels, len(shown))
    np.testing.assert_allclose(shares, softmax(features @ kernel + bias, axis=1), atol=1e-9)


@pytest.fixture(scope="module")
def labelled() -> Examples:
    rng = np.random.default_rng(1)
    labels = np.arange(24) % 3
    images = rng.integers(0, 256, (24, 28, 28, 1), np.uint8)
    images[:, 0, :4, 0] = labels[:, np.newaxis]
    return Examples.of_images(images, labels)


def learned(labelled: Examples, **tuning):
    model = byte_phases.build(FillingSettings(width=16), 0, 3)
    byte_phases.learn_classes(model, labelled, in_memory(labelled.images[:0]), SHORT, TuningSettings(**tuning), seed=0)
    return model


def test_phase_2_ends_with_it_and_only_the_last_layer_differs(labelled, monkeypatch):
    monkeypatch.setattr(byte_phases, "STEPS_PER_EPOCH", 2)
    settled, without = learned(labelled), learned(labelled, settles_last_layer=False)
    features = settled.describer().predict(labelled.images, verbose=0)
    fitted = last_layer.logistic_regression(features, labelled.labels, 3)
    kernel, bias = ((one + other) / 2 for one, other in zip(without.last_layer.get_weights(), fitted, strict=True))
    np.testing.assert_allclose(
        settled.classifier().predict(labelled.images, verbose=0), features @ kernel + bias, rtol=1e-3, atol=1e-4
    )
    changed = {
        one.path
        for one, other in zip(settled.network.weights, without.network.weights, strict=True)
        if not np.array_equal(one, other)
    }
    assert changed == {weight.path for weight in settled.last_layer.weights}


def test_of_one_class_alone_there_is_nothing_to_fit(labelled):
    model = byte_phases.build(FillingSettings(width=16), 0, 3)
    before = [weight.numpy() for weight in model.last_layer.weights]
    last_layer.settle(model, labelled[labelled.labels == 1])
    for one, other in zip(before, model.last_layer.weights, strict=True):
        np.testing.assert_array_equal(one, other)
