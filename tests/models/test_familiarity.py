"""The share of known sessions that are as unusual, worked out by hand and measured on samples."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from clgan_tf import models
from clgan_tf.capture import SessionRules
from clgan_tf.models.classifier import _features_and_logits, build_classifier
from clgan_tf.models.familiarity import LEVELS, MOST_FEATURES, Familiarity


def fitted(features: np.ndarray, *kinds: int) -> Familiarity:
    layer = Familiarity()
    layer.build(features.shape)
    layer.fit(features, kinds or features.shape[1:])
    return layer


def test_it_is_the_share_of_known_sessions_that_lie_as_far():
    """Rejecting what is less familiar than 5 % rejects 5 % of other sessions of the same kind, however they are cast."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(8, 8))
    known, others = (rng.normal(size=(20_000, 8)) @ mixing + 100 for _ in range(2))
    familiarity = fitted(known.astype(np.float32))(others.astype(np.float32)).numpy()
    assert familiarity.shape == (20_000,)
    for rate in (0.01, 0.05, 0.5):
        assert np.mean(familiarity < rate) == pytest.approx(rate, rel=0.12)


def test_distance_counts_in_units_of_each_directions_spread():
    rng = np.random.default_rng(0)
    layer = fitted((rng.normal(size=(5_000, 2)) * [1.0, 100.0]).astype(np.float32))
    near, far = layer(np.array([[0.0, 150.0], [150.0, 0.0]], np.float32)).numpy()
    assert far == pytest.approx(1 / LEVELS, abs=1e-3)
    assert near > 0.1


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
def test_features_of_other_units_count_as_much(unit):
    """What is strange in one of two kinds of features is as strange, however large the numbers of the other kind are."""
    rng = np.random.default_rng(0)
    features, others, strange = rng.normal(size=(5_000, 8)), rng.normal(size=(500, 8)), rng.normal(size=(500, 8))
    strange[:, :4] *= 4
    units = np.array([1.0] * 4 + [unit] * 4)
    layer = fitted((features * units).astype(np.float32), 4, 4)
    assert np.mean(layer((others * units).astype(np.float32)).numpy() < 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(layer((strange * units).astype(np.float32)).numpy() < 0.05) > 0.9


def test_a_network_that_is_blind_to_what_is_strange_still_calls_it_so():
    """Its features are the same for every session; the bytes' own summary is not."""
    image = keras.Input((28, 28, 1), dtype="uint8")
    blind = keras.layers.Dense(4, kernel_initializer="zeros")(
        keras.layers.Rescaling(1.0)(keras.layers.Flatten()(image))
    )
    network = keras.Model(image, keras.layers.Dense(2)(blind))
    rng = np.random.default_rng(0)
    known, others = (rng.integers(0, 100, (400, 28, 28, 1), np.uint8) for _ in range(2))
    strange = others.copy()
    strange[:, 20:22] = 200  # behind the first bytes
    facts = SimpleNamespace(
        class_names=["a", "b"], representation="l7", representation_version=1, unit="session", fingerprint="0" * 64,
        rules=SessionRules(),
    )  # fmt: skip
    classifier = build_classifier(network, facts, known)
    assert np.mean(classifier(others)["familiarity"].numpy() < 0.05) < 0.15
    assert np.mean(classifier(strange)["familiarity"].numpy() < 0.05) == 1


@pytest.mark.parametrize("count", [2, 3, 10, 40])
def test_few_sessions_reject_no_more_than_was_asked_for(count):
    """From so few nobody can say what happens to one in a hundred, so that nothing is rejected at 0.01."""
    rng = np.random.default_rng(0)
    layer = fitted(rng.normal(size=(count, 64)).astype(np.float32))
    familiarity = layer(rng.normal(size=(2_000, 64)).astype(np.float32)).numpy()
    assert familiarity.min() > 0.99 / (count + 1)


@pytest.mark.parametrize("count", [20, 40, 100])
def test_few_sessions_with_rare_features_reject_about_what_was_asked_for(count):
    """What only one in fifty sessions has is in few of the known ones, and no less usual for that."""
    rng = np.random.default_rng(0)
    layer = fitted((rng.random((count, 148)) < 0.02).astype(np.float32))
    familiarity = layer((rng.random((2_000, 148)) < 0.02).astype(np.float32)).numpy()
    assert np.mean(familiarity < 0.05) < 0.12


def test_more_features_than_any_network_has_are_refused():
    with pytest.raises(ValueError, match="more than any network has"):
        Familiarity().build((None, MOST_FEATURES + 1))


def test_a_hundred_sessions_reject_about_what_was_asked_for():
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(20):
        layer = fitted(rng.normal(size=(100, 32)).astype(np.float32))
        rates.append(np.mean(layer(rng.normal(size=(1_000, 32)).astype(np.float32)).numpy() < 0.05))
    assert 0.02 < np.mean(rates) < 0.09


def test_sessions_that_are_all_alike():
    layer = fitted(np.ones((200, 4), np.float32))
    alike, other = layer(np.array([[1, 1, 1, 1], [1, 1, 1, 2]], np.float32)).numpy()
    assert alike == 1.0
    assert other < 0.01


@pytest.mark.parametrize("name", models.NETWORKS)
def test_every_network_has_features_that_belong_to_its_own_logits(name):
    options = {"width": 16} if name == models.PLUS else {}
    model = models.build(name, 5, seed=0, **options)
    network = model.classifier() if hasattr(model, "classifier") else model
    features, logits = _features_and_logits(network.output)
    both = keras.Model(network.input, {"features": features, "logits": logits})
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), np.uint8)
    found = both(images, training=False)
    np.testing.assert_allclose(found["logits"], network(images, training=False), atol=1e-5)
    assert found["features"].shape[0] == 3
    assert len(found["features"].shape) == 2
