import keras
import numpy as np
import pytest
import tensorflow as tf

from clgan_tf import models


def rows(count: int, seed: int = 0) -> dict[str, tf.Tensor]:
    """Two classes that the first byte tells apart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = rng.integers(0, 256, (count, 28, 28, 1), np.uint8)
    images[:, 0] = (labels * 200)[:, np.newaxis, np.newaxis]
    unlabelled = np.tile(np.arange(28, dtype=np.uint8)[:, np.newaxis, np.newaxis] * 9, (count, 1, 28, 1))
    return {"labelled": tf.constant(images), "labels": tf.constant(labels), "unlabelled": tf.constant(unlabelled)}


def stream(steps: int) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensors(rows(16)).repeat(steps)


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    model = models.build("autoencoder", 2)
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    return model


def test_labels_reach_the_encoder_alone_and_reconstruction_reaches_both(model):
    data = rows(8)
    pixels = tf.cast(data["unlabelled"], tf.float32) / 127.5 - 1
    with tf.GradientTape(persistent=True) as tape:
        outputs = model.network(pixels)
        classification = tf.reduce_sum(outputs["logits"])
        reconstruction = tf.reduce_mean(tf.abs(model.partner(outputs["code"]) - pixels))
    assert all(g is None for g in tape.gradient(classification, model.partner.trainable_variables))
    assert all(g is not None for g in tape.gradient(reconstruction, model.partner.trainable_variables))
    encoder = [v for v in model.network.trainable_variables if "encoder" in v.path]
    head = [v for v in model.network.trainable_variables if "encoder" not in v.path]
    assert len(encoder) == 6
    assert all(g is not None for g in tape.gradient(reconstruction, encoder))
    assert all(g is None for g in tape.gradient(reconstruction, head))


def test_it_learns_to_reconstruct_the_unlabelled(model):
    history = model.fit(stream(60), epochs=2, steps_per_epoch=30, verbose=0, shuffle=False).history
    assert history["reconstruction_loss"][-1] < 0.6 * history["reconstruction_loss"][0]
    both = np.float32(history["labelled_loss"]) + np.float32(history["reconstruction_loss"])
    np.testing.assert_array_equal(np.float32(history["loss"]), both)
    images = rows(4)["unlabelled"]
    shown = model.beside(images)
    assert shown.shape == images.shape
    assert shown.dtype == tf.uint8


@pytest.mark.parametrize("name", models.ON_BYTES)
def test_classifiers_on_bytes_learn_the_byte_that_matters(name):
    train, test = rows(60), rows(40, seed=1)
    known = models.build_on_bytes(name, 0).fit(train["labelled"].numpy(), train["labels"].numpy())
    predicted = known.predict(test["labelled"].numpy())
    assert (predicted == test["labels"].numpy()).mean() > 0.9
    again = models.build_on_bytes(name, 0).fit(train["labelled"].numpy(), train["labels"].numpy())
    assert np.array_equal(again.predict(test["labelled"].numpy()), predicted)
