"""Every network's intermediate shapes and parameter counts: the sizes of the paper, section 2.2."""

import numpy as np
import pytest

from clgan_tf import config, models
from clgan_tf.models.discriminator import build_cross_attention_discriminator, build_discriminator
from clgan_tf.models.generator import build_generator

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


@pytest.mark.parametrize(
    ("network", "expected", "total"),
    [
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


def test_the_generators_range_and_input():
    generator = build_generator()
    assert generator.input.shape == (None, 100)
    images = generator(np.random.default_rng(0).uniform(-1, 1, (8, 100)) * 50).numpy()
    assert images.min() >= -1
    assert images.max() <= 1


def test_every_registered_name_builds_and_no_other():
    assert models.NAMES == config.MODELS
    for name in models.NAMES:
        assert models.build(name, num_classes=5).num_classes == 5
    with pytest.raises(ValueError, match="the names are clgan, clgan_cross_attention"):
        models.build("clgam", 5)
    with pytest.raises(ValueError, match="at least 2 classes"):
        models.build("clgan", 1)
    with pytest.raises(ValueError, match="feature_matching, non_saturating"):
        models.build("clgan", 5, generator_loss="hinge")
