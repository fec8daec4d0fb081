"""The last layer of CLGAN+ fitted anew: who is near whom, what it sees, and nothing else changed."""

import keras
import numpy as np
import pytest
from scipy import sparse
from scipy.special import softmax
from sklearn.svm import LinearSVC

from clgan_tf.data.examples import Examples
from clgan_tf.data.few_labels import in_memory
from clgan_tf.models import ngram_vectors
from clgan_tf.models.byte_ngrams import COARSE
from clgan_tf.models.prediction import predict
from clgan_tf.settings import FillingSettings, TuningSettings
from clgan_tf.training import byte_phases, last_layer
from clgan_tf.training.byte_phases import Schedule
from clgan_tf.training.precision import computing_in, in_float32

SHORT = Schedule(epochs=1, rows=8, rate=1e-3)


def blobs(classes: int, seed: int = 0) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Features [60, 5] and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(60) % classes
    return sparse.csr_matrix(rng.normal(size=(60, 5)) + 2 * rng.normal(size=(classes, 5))[labels]), labels


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_it_names_what_scikit_learns_machines_name_and_is_as_sure_as_told(classes):
    features, labels = blobs(classes)
    sureness = 1 / classes + 0.2
    kernel, bias = last_layer.fitted(features, labels, sureness, classes, seed=0)
    logits = features @ kernel + bias
    machines = [
        LinearSVC(C=last_layer.PENALTY, tol=1e-3, random_state=0).fit(features, labels == one) for one in range(classes)
    ]
    expected = np.stack([one.decision_function(features) for one in machines], axis=1)
    unit = expected[0, 0] / logits[0, 0]
    np.testing.assert_allclose(logits * unit, expected, atol=1e-9)
    assert softmax(logits, axis=1).max(axis=1).mean() == pytest.approx(sureness, abs=1e-3)


@pytest.mark.parametrize("shown", [[0, 2, 5], [1, 4]])
def test_a_class_of_which_nothing_was_shown_is_not_named(shown):
    features, labels = blobs(len(shown))
    kernel, bias = last_layer.fitted(features, np.array(shown)[labels], 0.8, 6, seed=0)
    said = features @ kernel + bias
    absent = sorted(set(range(6)) - set(shown))
    assert not np.any(kernel[:, absent])
    assert np.all(bias[absent] == last_layer.NEVER)
    assert not set(said.argmax(axis=1)) & set(absent)


def test_of_more_labels_than_it_takes_each_class_keeps_one(monkeypatch):
    monkeypatch.setattr(last_layer, "MOST_LABELLED", 30)
    labels = np.array([0] * 39 + [1] + [2] * 5)
    for seed in range(20):
        kept = last_layer.some_of_each(labels, seed)
        assert len(set(kept.tolist())) == 30
        assert set(labels[kept]) == {0, 1, 2}
    assert last_layer.some_of_each(labels[:30], 0).tolist() == list(range(30))


def test_a_session_is_named_after_the_labelled_one_with_its_ngrams_or_its_features():
    rng = np.random.default_rng(0)
    texts = rng.integers(1, 256, (2, 400), np.uint8)
    images = np.zeros((12, 784), np.uint8)
    images[:2, :400] = texts
    for row in range(2, 12):  # The text of one of the two, further behind in every session.
        images[row, row : row + 400] = texts[row % 2]
    of_nobody = rng.normal(size=(12, 3))
    images = images.reshape(-1, 28, 28, 1)
    names = last_layer.named(images, of_nobody, np.array([7, 4]), ngram_vectors.fine_weights(images))
    assert names.tolist() == [7, 4] * 6
    alike = np.array([[1.0, 0], [0, 1]])[[0, 1, *([1] * 10)]]
    names = last_layer.named(images, alike, np.array([7, 4]), None)
    assert names.tolist() == [7, *([4] * 11)]


def test_who_is_told_by_the_others_is_counted_without_oneself_and_without_who_is_alone():
    images = np.zeros((7, 784), np.uint8)
    images[[0, 1, 2], :40], images[[3, 4], :40], images[5, :40] = range(1, 41), range(50, 90), range(100, 140)
    images[6, :40] = range(150, 190)
    labels = np.array([0, 0, 1, 1, 1, 2, 5])  # 0, 1, 3 and 4 are told, 2 is not; 5 and 6 have nobody.
    told = last_layer.told_by_the_others(
        Examples.of_images(images.reshape(-1, 28, 28, 1), labels), ngram_vectors.fine_weights(images), 0
    )
    assert told == pytest.approx((4 + 1) / (5 + 2))
    alone = Examples.of_images(images[[0, 3]].reshape(-1, 28, 28, 1), labels[[0, 2]])
    assert last_layer.told_by_the_others(alone, ngram_vectors.fine_weights(images), 0) == 0.5


@pytest.fixture(scope="module")
def labelled() -> Examples:
    rng = np.random.default_rng(1)
    labels = np.arange(24) % 3
    images = rng.integers(0, 256, (24, 28, 28, 1), np.uint8)
    images[:, 0, :4, 0] = labels[:, np.newaxis]
    return Examples.of_images(images, labels)


def learned(labelled: Examples, others: np.ndarray | None = None, **tuning):
    model = byte_phases.build(FillingSettings(width=16), 0, 3)
    others = in_memory(labelled.images[:0] if others is None else others)
    return model, byte_phases.learn_classes(model, labelled, others, SHORT, TuningSettings(**tuning), seed=0)


def test_phase_2_ends_with_it_and_only_the_last_layer_differs(labelled, monkeypatch):
    monkeypatch.setattr(byte_phases, "STEPS_PER_EPOCH", 2)
    (settled, network), (without, plain) = learned(labelled), learned(labelled, settles_last_layer=False)
    changed = {
        one.path
        for one, other in zip(settled.network.weights, without.network.weights, strict=True)
        if not np.array_equal(one, other)
    }
    assert changed == {weight.path for weight in settled.last_layer.weights}
    counts = ngram_vectors.counted(labelled.images, COARSE)
    weights = ngram_vectors.weights_of([counts])
    table = network.get_layer("ngrams").table.numpy()
    kernel = table[:COARSE, :3] / np.maximum(weights, 1e-9)[:, np.newaxis]
    expected = settled.classifier().predict(labelled.images, verbose=0)
    expected += ngram_vectors.summed(counts, weights) @ kernel
    np.testing.assert_allclose(network.predict(labelled.images, verbose=0), expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(
        plain.predict(labelled.images, verbose=0), without.classifier().predict(labelled.images, verbose=0)
    )
    assert "ngrams" not in {layer.name for layer in plain.layers}
    assert "ngrams" not in {layer.name for layer in learned(labelled, reads_ngrams=False)[1].layers}


def test_trained_in_bfloat16_it_is_fitted_to_the_features_that_are_saved(labelled, monkeypatch):
    monkeypatch.setattr(byte_phases, "STEPS_PER_EPOCH", 2)
    seen = []
    monkeypatch.setattr(
        last_layer, "predict", lambda network, images: seen.append(predict(network, images)) or seen[-1]
    )
    with computing_in("bfloat16"):
        model, _ = learned(labelled)
        rounded = predict(model.describer(), labelled.images)
    assert np.any(rounded != seen[0])
    np.testing.assert_allclose(rounded, seen[0], atol=0.05)
    np.testing.assert_array_equal(predict(in_float32(model.describer()), labelled.images), seen[0])


def test_what_has_no_label_is_learned_from_unless_it_is_not_to_be(labelled, monkeypatch):
    monkeypatch.setattr(byte_phases, "STEPS_PER_EPOCH", 2)
    others = np.random.default_rng(2).integers(0, 256, (10, 28, 28, 1), np.uint8)
    (one, _), (other, _) = learned(labelled), learned(labelled, others, names_others=False)
    np.testing.assert_array_equal(one.last_layer.kernel, other.last_layer.kernel)
    assert np.any(one.last_layer.kernel.numpy() != learned(labelled, others)[0].last_layer.kernel.numpy())


def test_what_a_former_classifier_says_of_sessions_without_a_label_is_learned(labelled, monkeypatch):
    monkeypatch.setattr(byte_phases, "STEPS_PER_EPOCH", 2)
    image = keras.Input((28, 28, 1), dtype="uint8")
    shown = keras.layers.Reshape((784,))(keras.layers.Rescaling(1 / 255)(image))
    dense = keras.layers.Dense(3, kernel_initializer="zeros", bias_initializer="ones", use_bias=True)
    former = keras.Model(image, dense(shown))
    dense.bias.assign([0, 0, 9])  # Everything is the third class.
    others = np.random.default_rng(2).integers(0, 256, (10, 28, 28, 1), np.uint8)
    model = byte_phases.build(FillingSettings(width=16), 0, 3)
    parts = (SHORT, TuningSettings(), 0)
    network = byte_phases.learn_classes(model, labelled, in_memory(others), *parts, former=former)
    assert set(network.predict(others, verbose=0).argmax(axis=1)) == {2}
    alone = byte_phases.learn_classes(model, labelled, in_memory(others[:0]), *parts, former=former)
    assert alone is former


def test_of_one_class_alone_there_is_nothing_to_fit(labelled):
    model = byte_phases.build(FillingSettings(width=16), 0, 3)
    before = [weight.numpy() for weight in model.last_layer.weights]
    assert last_layer.settle(model, labelled[labelled.labels == 1], labelled.images, True, 0) is None
    for one, other in zip(before, model.last_layer.weights, strict=True):
        np.testing.assert_array_equal(one, other)
