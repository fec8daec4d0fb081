"""Training in bfloat16: what computes so, and that nothing which is saved does."""

import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from clgan_tf import models, serving
from clgan_tf.main import main
from clgan_tf.models.two_networks import TwoNetworks
from clgan_tf.training import byte_phases
from clgan_tf.training.precision import computing_in, in_float32
from tests.conftest import train_flags


@pytest.mark.parametrize("name", ["clgan", "clgan_plus", "clgan_lite"])
def test_the_same_weights_in_float32_say_nearly_the_same(name, prepared):
    with computing_in("bfloat16"):
        built = models.build(name, 12, seed=0)
    network = built.classifier() if isinstance(built, TwoNetworks) else built
    assert keras.config.dtype_policy().name == "float32"
    whole = in_float32(network)
    images = prepared.read("test").images[:32]
    rough, exact = network(images), whole(images)
    assert rough.dtype == exact.dtype == tf.float32  # logits are, always
    difference = np.abs(rough.numpy() - exact.numpy()).max()
    assert 0 < difference < 0.05 * np.abs(exact.numpy()).max() + 0.02
    assert all(weights.dtype == np.float32 for weights in network.get_weights())
    assert in_float32(whole) is whole


@pytest.mark.parametrize("name", ["autoencoder", "masked_autoencoder"])
def test_a_step_that_compares_with_pixels_does_so_in_float32(name, prepared):
    with computing_in("bfloat16"):
        model = models.build(name, 12, seed=0)
        model.compile()
        images = prepared.read("test").images[:4]
        rows = {"labelled": images, "labels": np.zeros(4, np.int64), "unlabelled": images}
        logs = model.fit(tf.data.Dataset.from_tensors(rows), verbose=0, shuffle=False).history
    assert np.isfinite(logs["loss"]).all()
    assert model.beside(images).shape == images.shape


def test_an_error_inside_leaves_the_policy_as_it_was():
    with pytest.raises(KeyError), computing_in("bfloat16"):
        raise KeyError
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("name", ["clgan", "clgan_plus"])
def test_a_run_in_bfloat16_leaves_a_classifier_in_float32(name, prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(byte_phases, "STEPS_PER_EPOCH", 2)
    short = ("--pretraining_epochs=1", "--width=16", "--precision=bfloat16", f"--model={name}")
    assert main(train_flags(prepared, tmp_path / "run", *short)) == 0
    assert "--precision=bfloat16" in (tmp_path / "run/run.flags").read_text()
    with zipfile.ZipFile(tmp_path / "run/classifier.keras") as archive:
        assert b"bfloat16" not in archive.read("config.json")
    classifier = serving.load(tmp_path / "run/classifier.keras")
    test = prepared.read("test")
    scores = json.loads((tmp_path / "run/metrics.json").read_text())["systems"][name]
    right = classifier.predict_bytes(test.images).argmax(axis=1) == test.labels
    assert np.mean(right) == pytest.approx(scores["accuracy"])
