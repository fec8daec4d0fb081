"""One training run, from a label budget to trained systems. The test split is not read here."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from clgan_tf.config import TrainConfig
from clgan_tf.data.dataset import Dataset
from clgan_tf.data.examples import Examples
from clgan_tf.data.splits import choose_labelled, sample
from clgan_tf.files import written_aside
from clgan_tf.models import SUPERVISED, on_bytes
from clgan_tf.models.classifier import build_classifier
from clgan_tf.models.on_bytes import OnBytes
from clgan_tf.run_directory import RunDirectory, environment, open_run, settings
from clgan_tf.training import callbacks, phases

Predict = Callable[[np.ndarray], np.ndarray]  # uint8 [n, 28, 28, 1] -> int64 [n]


@dataclass(frozen=True)
class Trained:
    """What a run made: each system's prediction by name, the run's model first, and the facts behind them."""

    run: RunDirectory
    systems: dict[str, Predict]
    facts: dict[str, Any]


def train(config: TrainConfig, dataset: Dataset, flagfile_text: str) -> Trained:
    """Trains the model and the baselines on the same labels and saves the classifier.

    Raises:
      ConfigError: the run directory cannot be used.
      DataError: the data set does not serve the label budget, or is not the resumed run's.
    """
    started, machine = time.perf_counter(), environment()
    tf.config.experimental.enable_op_determinism()
    class_names = dataset.description.class_names
    train_split, validation = dataset.read("train"), dataset.read("validation")
    labelled = _choose(train_split, config.labels, config.labels_unit, config.seed, class_names)
    # Nobody with few labels has more of them to spare for validation.
    budget = min(len(labelled), len(validation))
    validation = _choose(validation, budget, "total", config.seed, class_names)
    hidden = len(train_split) - len(labelled) + dataset.description.sizes["unlabelled"]
    pool = _pool(config, dataset, train_split, labelled) if 0 < config.unlabelled < hidden else None
    facts: dict[str, Any] = {
        "data": dataset.description.facts(),
        "labels": {
            "budget": config.labels,
            "unit": config.labels_unit,
            "count": len(labelled),
            "validation": len(validation),
            "unlabelled": hidden if pool is None else len(pool),
            "fingerprint": hashlib.sha256("\n".join(sorted(labelled.sessions)).encode()).hexdigest(),
        },
    }
    run = open_run(config, flagfile_text, facts)

    if config.model in on_bytes.BUILDERS:
        known = OnBytes(config.model, config.seed).fit(labelled.images, labelled.labels)
        systems: dict[str, Predict] = {config.model: known.predict}
    else:
        systems = {config.model: _network(config, dataset, labelled, validation, pool, run)}
    if "supervised" in config.baselines:
        fresh = phases.build_network(config, len(class_names))
        systems["supervised"] = _predictor(phases.finetune(fresh, config, labelled, validation, run, "supervised"))
    for name in on_bytes.BUILDERS:
        if name in config.baselines:
            systems[name] = OnBytes(name, config.seed).fit(labelled.images, labelled.labels).predict
    facts |= {
        "seeds": {"run": config.seed, "split": dataset.description.split["seed"]},
        "settings": {name: value for name, value in settings(config).items() if name not in ("seed", "run_dir")},
        "environment": machine,
        "seconds": round(time.perf_counter() - started, 1),
    }
    return Trained(run, systems, facts)


def _network(
    config: TrainConfig,
    dataset: Dataset,
    labelled: Examples,
    validation: Examples,
    pool: Examples | None,
    run: RunDirectory,
) -> Predict:
    """Phases 1 and 2 of a network; saves its classifier."""
    has_phase_1 = config.pretraining_epochs > 0 and config.model not in SUPERVISED
    if has_phase_1:
        model = phases.build_model(config, len(dataset.description.class_names))
        phases.pretrain(model, config, dataset, labelled, pool, validation, run)
        network = model.discriminator
    else:
        callbacks.forget_epochs_after(run.metrics_log, "pretraining", 0)
        network = phases.build_network(config, len(dataset.description.class_names))
    logits_model = phases.finetune(network, config, labelled, validation, run)
    _save_classifier(run, logits_model, dataset)
    return _predictor(logits_model)


def _choose(examples: Examples, budget: float, unit: str, seed: int, class_names: list[str]) -> Examples:
    return examples[choose_labelled(examples.sessions, examples.labels, budget, unit, seed, class_names)]


def _pool(config: TrainConfig, dataset: Dataset, train_split: Examples, labelled: Examples) -> Examples:
    """A uniform sample of the unlabelled sessions, the same for a seed; smaller ones lie inside larger ones."""
    hidden = train_split[~np.isin(train_split.sessions, labelled.sessions)]
    whole = Examples.concatenate([hidden, dataset.read("unlabelled")])
    return whole[sample(whole.sessions, config.unlabelled, config.seed)]


def _predictor(logits_model: keras.Model) -> Predict:
    return lambda images: np.argmax(logits_model.predict(images, batch_size=1024, verbose=0), axis=1)


def _save_classifier(run: RunDirectory, logits_model: keras.Model, dataset: Dataset) -> None:
    description = dataset.description
    classifier = build_classifier(
        logits_model,
        class_names=description.class_names,
        representation=description.representation,
        representation_version=description.representation_version,
        unit=description.unit,
        data_fingerprint=description.fingerprint,
        rules=description.rules,
    )
    with written_aside(run.classifier) as aside:
        classifier.save(aside)
