"""One training run, from a label budget to trained systems. The test split is not read here."""

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from clgan_tf import models
from clgan_tf.common.errors import ConfigError, DataError
from clgan_tf.common.files import written_aside
from clgan_tf.common.progress import warn
from clgan_tf.data import pipeline
from clgan_tf.data.dataset import Dataset
from clgan_tf.data.examples import UNLABELLED
from clgan_tf.data.few_labels import FewLabels, every_session, few_labels
from clgan_tf.evaluation import Predictor
from clgan_tf.models import archive
from clgan_tf.models.calibration import fitted_temperature
from clgan_tf.models.classifier import build_classifier
from clgan_tf.models.prediction import predict
from clgan_tf.models.two_networks import TwoNetworks
from clgan_tf.runs.directory import RunDirectory, TrainedOn, open_run
from clgan_tf.runs.environment import environment
from clgan_tf.runs.log import HELD_OUT
from clgan_tf.runs.result import RunResult
from clgan_tf.settings import PrepareSettings, PretrainSettings, TrainSettings
from clgan_tf.training import byte_phases, checkpoint, distillation, phases, trunk
from clgan_tf.training.choice import Choice, Logits, choose, require_folds
from clgan_tf.training.precision import computing_in, in_float32
from clgan_tf.training.strategy import require_parts

if TYPE_CHECKING:
    from clgan_tf.models.on_bytes import OnBytes

MOST_KNOWN = 5_000  # sessions that say what is usual: enough for the one that is stranger than 99 in 100


@dataclass(frozen=True)
class Trained:
    """What a run made: each system by name, the run's model first; its result still has no scores."""

    run: RunDirectory
    systems: dict[str, Predictor]
    result: RunResult


def train(
    settings: TrainSettings, dataset: Dataset, source: PrepareSettings | None = None, calibrates: bool = True
) -> Trained:
    """Trains the model and the baselines on the same labels and saves the classifier.

    Args:
      source: what the data set was prepared from, for the run's flagfile.
      calibrates: whether the classifier's temperature is fitted, which takes a second phase 2 of CLGAN+; else it is 1.

    Raises:
      ConfigError: the run directory cannot be used, there is no such system, or what it begins from does not fit.
      DataError: the data set does not serve the label budget, or is not the resumed run's; --init_from or
        --pretrain_from is no file.
      ModelFileError: one of these is damaged, or neither a trunk nor a classifier.
    """
    models.check(settings.model, settings.baselines, settings.generator_loss)
    _require_start(settings, dataset)
    started, machine = time.perf_counter(), environment()
    tf.config.experimental.enable_op_determinism()
    dataset.require_classes()
    few = few_labels(dataset, settings.labels, settings.labels_unit, settings.unlabelled, settings.seed)
    _require_network(settings, len(dataset.facts.class_names), few)
    run = open_run(settings, TrainedOn(dataset.facts, few.facts), source)
    own, f1, temperature = settings, None, None
    if settings.model == models.AUTO:
        choice = _choice(settings, dataset, few, run)
        own, f1, temperature = replace(settings, model=choice.model), choice.f1, choice.temperature
    systems, network = _own_systems(own, dataset, few, run)
    if network is not None:
        if temperature is None:
            temperature = _temperature(own, dataset, few, run, network) if calibrates else 1.0
        _save_classifier(run, network, temperature, dataset, few, settings.seed)
        systems[own.model] = Predictor(_logits(network), temperature)
    if settings.model == models.AUTO:
        systems = {models.AUTO: systems[own.model]}
    if models.LABELS_ALONE in settings.baselines:
        systems[models.LABELS_ALONE] = Predictor(_logits(_labels_alone(settings, dataset, few, run)), 1.0)
    for name in models.ON_BYTES:
        if name in settings.baselines:
            systems[name] = Predictor(_on_bytes(name, settings.seed, few).predict)
    seconds = round(time.perf_counter() - started, 1)
    return Trained(run, systems, RunResult({}, dataset.facts, few.facts, settings, machine, seconds, f1))


def _require_start(settings: PretrainSettings, dataset: Dataset) -> None:
    """Raises what is wrong with what a run begins from, before there is a run that could not be resumed."""
    if isinstance(settings, TrainSettings) and settings.model not in models.WITH_TRUNK:
        unused = [name for name in settings.BEGINS_FROM if getattr(settings, name)]
        if unused:
            raise ConfigError(f"--model={settings.model} has no use for --{', --'.join(unused)}; leave that out.")
        return
    if settings.pretraining_epochs and not getattr(settings, "init_from", None):
        require_parts(settings.strategy, settings.batch_size, of_each=byte_phases.ROWS_OF_EACH)
    facts, run = dataset.facts, RunDirectory(settings.run_dir)
    has_begun = settings.resume and (run.trunk.exists() or checkpoint.exists(run.state))
    for name in settings.BEGINS_FROM:
        given = getattr(settings, name)
        if not given or (name == "pretrain_from" and has_begun):
            continue
        path = trunk.file_of(name, given, facts.representation)
        if path.suffix == ".keras" and name == "init_from":
            archive.check(path)
        else:
            trunk.require_fit(path, facts.representation, facts.representation_version, settings.filling)


def _require_network(settings: TrainSettings, num_classes: int, few: FewLabels) -> None:
    """Raises ConfigError of a network that cannot be used, DataError of labels it cannot use, before there is a run."""
    if settings.model == models.AUTO:
        require_folds(few)
    if settings.model not in models.NETWORKS or settings.model in models.WITH_TRUNK:
        return
    has_phase_1 = isinstance(phases.build_model(settings, num_classes), TwoNetworks)
    if models.LABELS_ALONE in settings.baselines and not has_phase_1:
        raise ConfigError(
            f"--model={settings.model} has no phase 1, so that the baseline `{models.LABELS_ALONE}` is the same; leave "
            "that out."
        )
    if has_phase_1 and settings.pretraining_epochs:
        pipeline.require_unlabelled(few)


def _choice(settings: TrainSettings, dataset: Dataset, few: FewLabels, run: RunDirectory) -> Choice:
    if settings.pretraining_epochs and not settings.init_from:  # A fold's sessions would not be all.
        with computing_in(settings.precision):
            byte_phases.pretrain(settings, dataset.facts, few.every_session, run)

    def trained(name: str, budget: FewLabels, phase: str) -> Logits:
        return _logits(_trained(replace(settings, model=name), dataset, budget, run, phase))

    return choose(models.CANDIDATES, few, dataset.facts.class_names, settings.seed, trained)


def _own_systems(
    settings: TrainSettings, dataset: Dataset, few: FewLabels, run: RunDirectory
) -> tuple[dict[str, Predictor], keras.Model | None]:
    """The run's model, and its teacher if it has one; and that model as a network, if it can be saved."""
    if settings.model in models.ON_BYTES:
        system = _on_bytes(settings.model, settings.seed, few)
        return {settings.model: Predictor(system.predict)}, system.network(len(dataset.facts.class_names))
    network = _trained(settings, dataset, few, run)
    if settings.model != models.LITE:
        return {settings.model: Predictor(_logits(network), 1.0)}, network
    num_classes = len(dataset.facts.class_names)
    with computing_in(settings.precision):
        student = in_float32(distillation.distil(network, models.LITE, num_classes, few, run, settings.seed))
    predictors = {name: Predictor(_logits(one), 1.0) for name, one in ((models.LITE, student), (models.PLUS, network))}
    return predictors, student


def _temperature(
    settings: TrainSettings, dataset: Dataset, few: FewLabels, run: RunDirectory, network: keras.Model
) -> float:
    """Fitted on the labels for early stopping, if there are any.

    What learns from these too has a twin for it that does not: of a student, its teacher's.
    """
    if not len(few.validation):
        return 1.0
    if settings.model in models.WHOLE_BUDGET:
        network = _trained(settings, dataset, few.without_validation, run, HELD_OUT)
    return fitted_temperature(_logits(network)(few.validation.images), few.validation.labels)


def _trained(
    settings: TrainSettings, dataset: Dataset, few: FewLabels, run: RunDirectory, phase: str = "finetuning"
) -> keras.Model:
    """Phases 1 and 2 of a network, or of its teacher, or a forest; `phase`: the name of phase 2 in logs."""
    num_classes = len(dataset.facts.class_names)
    if settings.model in models.ON_BYTES:
        return _on_bytes(settings.model, settings.seed, few).network(num_classes)
    with computing_in(settings.precision):
        if settings.model in models.WITH_TRUNK:
            return in_float32(byte_phases.train(settings, dataset.facts, few, run, phase))
        model = phases.build_model(settings, num_classes)
        if isinstance(model, TwoNetworks) and settings.pretraining_epochs:
            phases.pretrain(model, settings, few, run)
        network = _classifying(model)
        phases.finetune(network, settings, few, run)
        return in_float32(network)


def pretrain(settings: PretrainSettings, dataset: Dataset, source: PrepareSettings | None = None) -> RunDirectory:
    """Phase 1 of CLGAN+ alone, on all training sessions and those of no class; the run directory has the trunk.

    Raises:
      ConfigError: the run directory cannot be used, or the trunk of --pretrain_from does not fit.
      DataError: --pretrain_from is no file. ModelFileError: it is damaged or no trunk.
    """
    _require_start(settings, dataset)
    sessions = every_session(dataset)
    if sessions.count < byte_phases.ROWS_OF_EACH:
        raise DataError(f"{settings.dataset} has {sessions.count} training sessions; phase 1 needs more.")
    tf.config.experimental.enable_op_determinism()
    run = open_run(settings, TrainedOn(dataset.facts), source)
    with computing_in(settings.precision):
        byte_phases.pretrain(settings, dataset.facts, sessions, run)
    return run


def assist(settings: PretrainSettings, dataset: Dataset) -> None:
    """Phase 1 as a worker that is not the chief has it: it computes its part of every step and writes nothing."""
    _require_start(settings, dataset)
    tf.config.experimental.enable_op_determinism()
    # Only a run that is resumed has anything to go on from; of another the chief may be clearing the directory.
    run = RunDirectory(settings.run_dir if settings.resume else settings.run_dir / "nothing")
    with computing_in(settings.precision):
        _assist(settings, dataset, run)


def _assist(settings: PretrainSettings, dataset: Dataset, run: RunDirectory) -> None:
    if not isinstance(settings, TrainSettings):
        byte_phases.pretrain(settings, dataset.facts, every_session(dataset), run)
        return
    few = few_labels(dataset, settings.labels, settings.labels_unit, settings.unlabelled, settings.seed)
    if settings.model in (*models.WITH_TRUNK, models.AUTO) and settings.init_from is None:
        byte_phases.pretrain(settings, dataset.facts, few.every_session, run)
    elif settings.model in models.NETWORKS and settings.model not in models.WITH_TRUNK:
        model = phases.build_model(settings, len(dataset.facts.class_names))
        if isinstance(model, TwoNetworks):
            phases.pretrain(model, settings, few, run)


def _classifying(model: keras.Model) -> keras.Model:
    return model.classifier() if isinstance(model, TwoNetworks) else model


def _labels_alone(settings: TrainSettings, dataset: Dataset, few: FewLabels, run: RunDirectory) -> keras.Model:
    with computing_in(settings.precision):
        if settings.model in models.WITH_TRUNK:
            settings = replace(settings, tuning=replace(settings.tuning, names_others=False))
            model = byte_phases.build(settings.filling, settings.seed, len(dataset.facts.class_names))
            return in_float32(byte_phases.finetune(model, settings, few, run, models.LABELS_ALONE))
        network = _classifying(phases.build_model(settings, len(dataset.facts.class_names)))
        phases.finetune(network, settings, few, run, models.LABELS_ALONE)
        return in_float32(network)


def _on_bytes(name: str, seed: int, few: FewLabels) -> "OnBytes":
    """They need no early stopping, so that they learn from the whole budget."""
    system, known = models.build_on_bytes(name, seed), few.whole_budget
    images, labels = known.images, known.labels
    if system.is_semi_supervised and few.unlabelled.count:
        unlabelled = np.concatenate(list(pipeline.images(few.unlabelled).batch(1024).as_numpy_iterator()))
        images = np.concatenate([images, unlabelled])
        labels = np.concatenate([labels, np.full(len(unlabelled), UNLABELLED)])
    return system.fit(images, labels)


def _logits(network: keras.Model) -> Logits:
    """Of images uint8 [n, 28, 28, 1], the logits [n, K] of a network or a forest."""

    def logits(images: np.ndarray) -> np.ndarray:
        given = predict(network, images)
        return given["logits"] if isinstance(given, dict) else given

    return logits


def _save_classifier(
    run: RunDirectory, network: keras.Model, temperature: float, dataset: Dataset, few: FewLabels, seed: int
) -> None:
    size = sum(weight.nbytes for weight in network.get_weights())
    if size > archive.MAX_WEIGHTS_BYTES:
        warn(f"{network.name} has {size >> 20:,} MB, more than any classifier may have; it is scored and not saved.")
        return
    known = pipeline.sample(few.every_session, MOST_KNOWN, seed)
    with written_aside(run.classifier) as aside:
        build_classifier(network, dataset.facts, known, temperature).save(aside)
