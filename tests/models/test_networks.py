"""Every network's intermediate shapes and parameter counts: the sizes of the paper, section 2.2."""

import sys

import keras
import numpy as np
import pytest

from clgan_tf import models, serving
from clgan_tf.common.errors import ConfigError
from clgan_tf.main import main
from clgan_tf.models import archive, registry
from clgan_tf.models.autoencoder import build_decoder, build_encoder
from clgan_tf.models.bytesgan import build_bytesgan_discriminator, build_bytesgan_generator
from clgan_tf.models.clgan_lite import clgan_lite
from clgan_tf.models.cnn_lstm import build_cnn_lstm
from clgan_tf.models.dcgan import (
    build_dcgan_discriminator,
)
from clgan_tf.models.discriminator import build_cross_attention_discriminator, build_discriminator
from clgan_tf.models.generator import build_generator
from clgan_tf.models.masked_autoencoder import build_masked_decoder, build_masked_encoder
from clgan_tf.models.two_networks import TwoNetworks
from tests.conftest import train_flags

GENERATOR = {  # layer: output shape, parameters
    "project": ((2048,), 100 * 2048 + 2048),
    "reshape": ((4, 4, 128), 0),
    "deconvolution_1": ((8, 8, 64), 25 * 128 * 64 + 64),
    "normalisation_1": ((8, 8, 64), 4 * 64),
    "activation_1": ((8, 8, 64), 0),
    "deconvolution_2": ((16, 16, 32), 25 * 64 * 32 + 32),
    "normalisation_2": ((16, 16, 32), 4 * 32),
    "activation_2": ((16, 16, 32), 0),
    "deconvolution_3": ((32, 32, 1), 25 * 32 + 1),
    "crop": ((28, 28, 1), 0),
    "image": ((28, 28, 1), 0),
}
DISCRIMINATOR = {
    "rows": ((28, 28), 0),
    "convolution_1": ((28, 128), 5 * 28 * 128 + 128),
    "activation_1": ((28, 128), 0),
    "convolution_2": ((28, 64), 5 * 128 * 64 + 64),
    "activation_2": ((28, 64), 0),
    "lstm": ((256,), 4 * 256 * (64 + 256 + 1)),
    "dropout": ((256,), 0),
    "logits": ((12,), 256 * 12 + 12),
}
CROSS_ATTENTION = {
    "lstm": ((28, 256), 2 * 4 * 128 * (64 + 128 + 1)),
    "spatial": ((28, 256), 64 * 256 + 256),
    "cross_attention": ((28, 256), 3 * (256 * 64 + 64) + 64 * 256 + 256),
    "fusion": ((28, 256), 0),
    "pooling": ((256,), 0),
    "logits": ((12,), 256 * 12 + 12),
}


DCGAN = {
    "convolution_1": ((14, 14, 32), 25 * 32 + 32),
    "convolution_2": ((7, 7, 64), 25 * 32 * 64 + 64),
    "convolution_3": ((4, 4, 128), 25 * 64 * 128 + 128),
    "features": ((2048,), 0),
    "logits": ((12,), 2048 * 12 + 12),
}
BYTESGAN = {
    "bytes": ((784, 1), 0),
    "convolution_1": ((196, 32), 25 * 32 + 32),
    "convolution_2": ((49, 64), 25 * 32 * 64 + 64),
    "flatten": ((3136,), 0),
    "dense": ((256,), 3136 * 256 + 256),
    "features": ((256,), 0),
    "logits": ((12,), 256 * 12 + 12),
}
BYTESGAN_GENERATOR = {
    "project": ((3136,), 100 * 3136 + 3136),
    "reshape": ((49, 64), 0),
    "deconvolution_1": ((196, 32), 25 * 64 * 32 + 32),
    "normalisation_1": ((196, 32), 4 * 32),
    "deconvolution_2": ((784, 1), 25 * 32 + 1),
    "image": ((28, 28, 1), 0),
}
ENCODER = {
    "encoder_1": ((14, 14, 32), 9 * 32 + 32),
    "encoder_2": ((7, 7, 64), 9 * 32 * 64 + 64),
    "encoder_3": ((4, 4, 128), 9 * 64 * 128 + 128),
    "code": ((4, 4, 128), 0),
    "convolution_1": ((4, 4, 64), 9 * 128 * 64 + 64),
    "convolution_2": ((4, 4, 64), 9 * 64 * 64 + 64),
    "sequence": ((16, 64), 0),
    "lstm": ((64,), 4 * 64 * (64 + 64 + 1)),
    "logits": ((12,), 64 * 12 + 12),
}
DECODER = {name: sizes for name, sizes in GENERATOR.items() if name not in ("project", "reshape")}
CNN_LSTM = {
    "convolution_1": ((28, 128), 3 * 28 * 128 + 128),
    "pooling_1": ((14, 128), 0),
    "convolution_2": ((14, 128), 3 * 128 * 128 + 128),
    "pooling_2": ((7, 128), 0),
    "convolution_3": ((7, 128), 3 * 128 * 128 + 128),
    "lstm": ((64,), 4 * 64 * (128 + 64 + 1)),
    "dense": ((64,), 64 * 64 + 64),
    "logits": ((12,), 64 * 12 + 12),
}

CLGAN_LITE = {
    "byte_vectors": ((784, 4), 256 * 4),
    "row_vectors": ((28, 32), 28 * 4 * 32 + 32),
    "convolution_1": ((28, 40), 5 * 32 * 40 + 40),
    "convolution_2": ((14, 40), 5 * 40 * 40 + 40),
    "lstm": ((14, 40), 4 * 40 * (40 + 40 + 1)),
    "features": ((120,), 0),
    "logits": ((12,), 120 * 12 + 12),
}

MASKED_ENCODER = {
    "patches": ((196, 192), 4 * 192 + 192 + 196 * 192),
    "encoder": ((None, 192), 4 * (2 * 2 * 192 + 4 * (192 * 192 + 192) + 192 * 768 + 768 + 768 * 192 + 192) + 2 * 192),
    "features": ((192,), 0),
    "logits": ((12,), 192 * 12 + 12),
}
MASKED_DECODER = {
    "narrow": ((20, 128), 192 * 128 + 128),
    "in_place": ((196, 128), 196 * 128 + 128),
    "attention_2": ((196, 128), 4 * (128 * 128 + 128)),
    "pixels": ((196, 4), 128 * 4 + 4),
    "restored": ((28, 28, 1), 0),
}


@pytest.mark.parametrize(
    ("network", "expected", "total"),
    [
        (build_dcgan_discriminator(12), DCGAN, 281_612),
        (build_bytesgan_discriminator(12), BYTESGAN, 858_252),
        (build_bytesgan_generator(100), BYTESGAN_GENERATOR, 368_897),
        (build_encoder(12), ENCODER, 237_196),
        (build_decoder(), DECODER, 257_281),
        (build_cnn_lstm(12), CNN_LSTM, 163_788),
        (clgan_lite(12), CLGAN_LITE, 33_644),
        (build_masked_encoder(12), MASKED_ENCODER, 1_820_748),
        (build_masked_decoder(), MASKED_DECODER, 447_236),
        (build_generator(), GENERATOR, 464_129),
        (build_discriminator(12), DISCRIMINATOR, 390_860),
        (build_cross_attention_discriminator(12), CROSS_ATTENTION, 342_412),
    ],
)
def test_shapes_and_parameters(network, expected, total):
    for name, (shape, parameters) in expected.items():
        layer = network.get_layer(name)
        assert tuple(layer.output.shape[1:]) == shape, name
        assert layer.count_params() == parameters, name
    assert network.count_params() == total


def test_clgan_lite_is_as_small_as_asked_for():
    """At most 2 million multiply-adds a session, and a tenth of the published CLGAN's parameters."""
    network = clgan_lite(12)
    assert network.count_params() <= build_discriminator(12).count_params() / 10
    operations = 0
    for layer in network.layers:
        kernels = [weight for weight in layer.weights if "kernel" in weight.name]
        steps = layer.input.shape[1] if layer.name == "lstm" else np.prod(layer.output.shape[1:-1], dtype=int)
        operations += int(steps) * sum(int(np.prod(kernel.shape)) for kernel in kernels)
    assert 28 * 112 * 32 + 28 * 160 * 40 + 14 * 200 * 40 + 14 * 80 * 160 + 120 * 12 == operations <= 2_000_000


def test_the_generators_range_and_input():
    generator = build_generator()
    assert generator.input.shape == (None, 100)
    images = generator(np.random.default_rng(0).uniform(-1, 1, (8, 100)) * 50).numpy()
    assert images.min() >= -1
    assert images.max() <= 1


@pytest.mark.parametrize("name", models.NETWORKS)
def test_every_network_maps_bytes_to_logits(name):
    model = models.build(name, num_classes=5)
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), np.uint8)
    logits = model.predict(images, verbose=0)
    assert logits.shape == (3, 5)
    assert logits.dtype == np.float32
    assert {"dropout", "seed"} <= models.takes(name)
    if isinstance(model, TwoNetworks):
        np.testing.assert_allclose(model.classifier().predict(images, verbose=0), logits, atol=1e-6)


def test_a_name_that_is_none_is_refused():
    with pytest.raises(
        ValueError,
        match="the names are clgan_plus, clgan_lite, clgan, clgan_cross_attention, dcgan, bytesgan, autoencoder",
    ):
        models.build("clgam", 5)
    with pytest.raises(ValueError, match="at least 2 classes"):
        models.build("clgan", 1)
    with pytest.raises(ValueError, match="feature_matching, non_saturating"):
        models.build("clgan", 5, generator_loss="hinge")


ADDED = """
import keras
from clgan_tf.models.pixels import bytes_to_logits
def tiny(num_classes, dropout=0.0, seed=0):
    image = keras.Input((28, 28, 1))
    x = keras.layers.Dense(8, activation="relu")(keras.layers.Flatten()(image))
    return bytes_to_logits(keras.Model(image, {"logits": keras.layers.Dense(num_classes)(x)}), "tiny")
"""


def test_a_network_that_takes_a_name_of_a_classifiers_own_is_refused_before_it_is_trained():
    image = keras.Input((28, 28, 1), dtype="uint8")
    x = keras.layers.Dense(4, name="summary")(keras.layers.Rescaling(1 / 255)(keras.layers.Flatten()(image)))
    network = keras.Model(image, keras.layers.Dense(3)(x), name="mine")
    with pytest.raises(ConfigError, match="mine has a layer named summary, as a classifier's own is; rename it"):
        archive.require_fit(network, 3)


def test_a_network_is_one_file_and_one_line_of_the_registry(prepared, tmp_path, monkeypatch, capsys):
    """It trains, is in tables by its title, and is saved, loaded and served."""
    (tmp_path / "clgan_added_network.py").write_text(ADDED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(registry.SYSTEMS, "tiny", registry.System("Tiny", "clgan_added_network:tiny"))
    monkeypatch.setitem(registry.NETWORKS, "tiny", registry.SYSTEMS["tiny"])
    assert main(train_flags(prepared, tmp_path / "run", "--model=tiny")) == 0
    assert "| Tiny |" in capsys.readouterr().out
    classifier = serving.load(tmp_path / "run/classifier.keras")
    assert classifier.predict_bytes(prepared.read("test").images).shape[1] == 12
    (tmp_path / "clgan_added_network.py").write_text(
        ADDED.replace("layers.Dense(8", "layers.EinsumDense('bi,ij->bj', 8")
    )
    monkeypatch.delitem(sys.modules, "clgan_added_network")
    assert main(train_flags(prepared, tmp_path / "other", "--model=tiny")) == 2
    assert "tiny has EinsumDense, which could not be loaded again; use other layers" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
    (tmp_path / "clgan_added_network.py").write_text(ADDED.replace("layers.Dense(8", "layers.Dense(5000"))
    monkeypatch.delitem(sys.modules, "clgan_added_network")
    assert main(train_flags(prepared, tmp_path / "large", "--model=tiny")) == 2
    assert "loaded again: its Dense is larger than any of ours; make it smaller" in capsys.readouterr().err
    (tmp_path / "clgan_added_network.py").write_text(ADDED.replace("Dense(num_classes)", "Dense(num_classes + 1)"))
    monkeypatch.delitem(sys.modules, "clgan_added_network")
    assert main(train_flags(prepared, tmp_path / "wide", "--model=tiny")) == 2
    told = "tiny maps (None, 28, 28, 1) to (None, 13); it has to map bytes (None, 28, 28, 1) to logits (None, 12)"
    assert told in capsys.readouterr().err
