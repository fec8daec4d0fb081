"""The masked autoencoder of pixels: what is hidden stays hidden, and phase 1 leaves the classifying head alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from clgan_tf import models, serving
from clgan_tf.models.classifier import build_classifier
from clgan_tf.models.masked_autoencoder import PATCHES, SHOWN, InPlace
from clgan_tf.models.pixels import to_pixels
from clgan_tf.models.two_networks import seed_of


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = models.build("masked_autoencoder", 3)
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    return model


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Four sessions of few kinds of rows: what is hidden can be told from what is seen."""
    rows = np.arange(28, dtype=np.uint8)[:, np.newaxis, np.newaxis] * 9
    return np.tile(rows, (4, 1, 28, 1)) + np.arange(4, dtype=np.uint8)[:, np.newaxis, np.newaxis, np.newaxis]


def test_a_hidden_pixel_changes_nothing_and_a_seen_one_does(model, images):
    pixels, seed = to_pixels(images), seed_of(0, 0)
    restored, is_hidden = model._restored(pixels, seed, training=False)
    assert is_hidden.shape == (4, 28, 28, 1)
    np.testing.assert_array_equal(tf.reduce_sum(is_hidden, axis=(1, 2, 3)), 4 * (PATCHES - SHOWN))
    of_patches = is_hidden.numpy().reshape(4, 14, 2, 14, 2)
    assert np.all(of_patches.min(axis=(2, 4)) == of_patches.max(axis=(2, 4)))
    changed, _ = model._restored(tf.where(is_hidden > 0, 0.5, pixels), seed, training=False)
    np.testing.assert_array_equal(changed, restored)
    changed, _ = model._restored(tf.where(is_hidden > 0, pixels, 0.5), seed, training=False)
    assert not np.allclose(changed, restored)


def test_patches_are_read_and_restored_at_the_same_place(model, images):
    """A decoder that gave each patch its own pixels would restore the image."""
    layer = model.network.get_layer("patches").get_layer("patch_vectors")
    kernel, bias = layer.get_weights()
    identity = np.zeros_like(kernel)
    identity[..., 0, :4] = np.eye(4).reshape(2, 2, 4)
    layer.set_weights([identity, np.zeros_like(bias)])
    pixels = to_pixels(images)
    patches = layer(pixels)[..., :4]
    layer.set_weights([kernel, bias])
    x = tf.reshape(patches, (-1, PATCHES, 4))
    start = next(i for i, one in enumerate(model.partner.layers) if one.name == "pixels")
    for one in model.partner.layers[start + 1 :]:
        x = one(x)
    np.testing.assert_array_equal(x, pixels)


def test_states_lie_in_their_places_and_a_blank_elsewhere():
    layer = InPlace()
    states, places = tf.constant([[[1.0, 2.0], [3.0, 4.0]]]), tf.constant([[5, 2]])
    layer([states, places])
    vectors = np.random.default_rng(0).normal(size=(PATCHES, 2)).astype(np.float32)
    layer.set_weights([vectors, np.array([7.0, 8.0], np.float32)])
    expected = vectors + np.array([7.0, 8.0])
    expected[5], expected[2] = vectors[5] + [1.0, 2.0], vectors[2] + [3.0, 4.0]
    np.testing.assert_allclose(layer([states, places])[0], expected, rtol=1e-6)


def test_phase_1_trains_both_networks_but_the_head_and_restores_better(model, images):
    variables = [*model.network.weights, *model.partner.weights]
    before = [one.numpy() for one in variables]
    data = {"labelled": images[:2], "labels": np.zeros(2, np.int64), "unlabelled": images}
    stream = tf.data.Dataset.from_tensors({name: tf.constant(value) for name, value in data.items()}).repeat()
    history = model.fit(stream, epochs=2, steps_per_epoch=15, verbose=0, shuffle=False).history
    assert history["restoration_loss"][1] < 0.5 * history["restoration_loss"][0]
    assert set(history) == {"restoration_loss", "loss"}
    same = [one for one, value in zip(variables, before, strict=True) if np.array_equal(one, value)]
    assert same == model.network.get_layer("logits").weights
    shown = model.beside(images)
    assert shown.shape == images.shape
    assert shown.dtype == tf.uint8


def test_its_loss_is_the_mean_square_error_of_hidden_pixels(model, images):
    restored, is_hidden = model._restored(to_pixels(images), seed_of(model.seed, 0), training=False)
    errors = np.square(restored.numpy() - (images / 127.5 - 1))[is_hidden.numpy() > 0]
    loss = model.evaluate(images, np.zeros(4, np.int64), verbose=0, batch_size=4)
    assert loss == pytest.approx(errors.mean(), rel=1e-4)


def test_its_classifier_is_saved_and_loaded(model, prepared, tmp_path):
    network = models.build("masked_autoencoder", len(prepared.facts.class_names)).classifier()
    known = prepared.read("validation").images[:64]
    saved = build_classifier(network, prepared.facts, known)
    saved.save(tmp_path / "classifier.keras")
    loaded = serving.load(tmp_path / "classifier.keras").model.predict(known, verbose=0)
    for name, output in saved.predict(known, verbose=0).items():
        np.testing.assert_array_equal(loaded[name], output)
