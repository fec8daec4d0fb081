"""Every system by name. To add a network, write one file with a function that builds it and add one line to NETWORKS.

The function takes `num_classes` and keyword arguments with defaults, `dropout` and `seed` among them, and returns a
model that maps bytes [batch, 28, 28, 1] to logits [batch, K]: a plain Keras model, which has no phase 1, or a
`TwoNetworks`, which has. docs/adding.md walks through it.
"""

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from clgan_tf.common.errors import ConfigError


class System(NamedTuple):
    """A system's name in tables, and where the function lies that builds it, MODULE:FUNCTION."""

    title: str
    builder: str


PLUS = "clgan_plus"  # its phases are its own: training/byte_phases.py
LITE = "clgan_lite"  # learns from it: training/distillation.py
AUTO = "auto"  # that of CANDIDATES which names held-out labels best: training/choice.py
CANDIDATES = (PLUS, "random_forest", "extra_trees")
WITH_TRUNK = (PLUS, LITE, AUTO)  # phase 1 leaves a trunk that other runs can begin from
NETWORKS = {
    PLUS: System("CLGAN+", "clgan_tf.models.clgan_plus:clgan_plus"),
    LITE: System("CLGAN lite", "clgan_tf.models.clgan_lite:clgan_lite"),
    "clgan": System("CLGAN", "clgan_tf.models.clgan:clgan"),
    "clgan_cross_attention": System("CLGAN, section 2.1", "clgan_tf.models.clgan:clgan_cross_attention"),
    "dcgan": System("DCGAN", "clgan_tf.models.dcgan:dcgan"),
    "bytesgan": System("ByteSGAN", "clgan_tf.models.bytesgan:bytesgan"),
    "autoencoder": System("Autoencoder", "clgan_tf.models.autoencoder:autoencoder"),
    "masked_autoencoder": System(
        "Masked autoencoder of pixels", "clgan_tf.models.masked_autoencoder:masked_autoencoder"
    ),
    "cnn_lstm": System("CNN-LSTM", "clgan_tf.models.cnn_lstm:cnn_lstm"),
}
ON_BYTES = {  # as scikit-learn's: they take a seed and have fit and predict
    "random_forest": System("RandomForest", "clgan_tf.models.on_bytes:random_forest"),
    "extra_trees": System("ExtraTrees", "clgan_tf.models.on_bytes:extra_trees"),
    "nearest_neighbour": System("1-nearest neighbour", "clgan_tf.models.on_bytes:nearest_neighbour"),
    "ngram_neighbour": System("1-nearest by n-grams", "clgan_tf.models.on_bytes:ngram_neighbour"),
    "gradient_boosting": System("Gradient boosting", "clgan_tf.models.on_bytes:gradient_boosting"),
    "self_trained_forest": System("Self-trained forest", "clgan_tf.models.on_bytes:self_trained_forest"),
    "label_spreading": System("Label spreading", "clgan_tf.models.on_bytes:label_spreading"),
}
WHOLE_BUDGET = (*WITH_TRUNK, *ON_BYTES)  # learn from all labels of a budget: none is for early stopping
SYSTEMS = {**NETWORKS, **ON_BYTES, AUTO: System("Best of CLGAN+ and forests", "")}
LABELS_ALONE = "supervised"  # the baseline that is the run's own network without phase 1
BASELINES = (LABELS_ALONE, *ON_BYTES)
GENERATOR_LOSSES = ("feature_matching", "non_saturating")  # of a GAN


def build(name: str, num_classes: int, **config: Any) -> Any:
    """Builds a network by its registered name; not compiled.

    Args:
      name: one of NETWORKS: "clgan" (the paper's section 2.2), "clgan_cross_attention" (its section 2.1), "dcgan",
        "bytesgan", "autoencoder", "masked_autoencoder" (YaTC's sizes), "cnn_lstm".
      num_classes: K, at least 2.
      **config: arguments of its builder, such as dropout and seed; see `takes`.

    Returns:
      A Keras model that maps bytes [batch, 28, 28, 1] to logits [batch, K].

    Raises:
      ValueError: the name is unknown or num_classes is below 2.
    """
    if name not in NETWORKS:
        raise ValueError(f"There is no model {name!r}; the names are {', '.join(NETWORKS)}.")
    if num_classes < 2:
        raise ValueError(f"A classifier needs at least 2 classes, not {num_classes}.")
    return _builder(NETWORKS[name])(num_classes, **config)


def takes(name: str) -> set[str]:
    """The names of the arguments that a network's builder takes, besides the number of classes."""
    return set(inspect.signature(_builder(NETWORKS[name])).parameters) - {"num_classes"}


def build_on_bytes(name: str, seed: int) -> Any:
    """A classifier of ON_BYTES: `fit` and `predict` take uint8 images [n, 28, 28, 1]."""
    return import_module("clgan_tf.models.on_bytes").OnBytes(_builder(ON_BYTES[name])(seed))


def _builder(system: System) -> Callable[..., Any]:
    module, function = system.builder.split(":")
    return getattr(import_module(module), function)


def title(name: str) -> str:
    """A system's name as people read it."""
    if name == LABELS_ALONE:
        return "same network, labels alone"
    return SYSTEMS[name].title if name in SYSTEMS else name


def check(model: str, baselines: tuple[str, ...], generator_loss: str) -> None:
    """Raises ConfigError where a run names a system or a loss that is none, or they do not fit each other."""
    for flag, value, known in (
        ("model", model, SYSTEMS),
        *(("baselines", name, BASELINES) for name in baselines),
        ("generator_loss", generator_loss, GENERATOR_LOSSES),
    ):
        if value not in known:
            raise ConfigError(f"--{flag} takes {', '.join(known)}, not {value!r}.")
    if model == LITE and LABELS_ALONE in baselines:
        raise ConfigError(f"--model={LITE} learns from {PLUS}; give --model={PLUS} for the baseline `{LABELS_ALONE}`.")
    if model in ON_BYTES and LABELS_ALONE in baselines:
        raise ConfigError(f"--model={model} has no network for the baseline `{LABELS_ALONE}`; leave that out.")
