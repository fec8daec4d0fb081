"""The paper's phases 1 and 2 (section 2.4): adversarial pre-training on all sessions, fine-tuning on labelled ones."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from clgan_tf import models
from clgan_tf.common.errors import ModelFileError
from clgan_tf.common.files import written_aside
from clgan_tf.data import pipeline, tfrecord
from clgan_tf.data.few_labels import FewLabels
from clgan_tf.models import archive
from clgan_tf.models.two_networks import TwoNetworks, default_optimizer
from clgan_tf.runs.directory import RunDirectory
from clgan_tf.runs.log import PRETRAINING, keep_pretraining
from clgan_tf.settings import TrainSettings
from clgan_tf.training import callbacks, checkpoint
from clgan_tf.training.strategy import is_chief, require_parts, strategy_of
from clgan_tf.training.tensorboard import IMAGES_SHOWN, TensorBoard, save_picture, side_by_side

MIN_STEPS_PER_EPOCH = 10  # With few labels an epoch is shorter than its validation; it gets at least so many steps.
# Of phase 2, where no label can be spared for early stopping: experiments/studies/fixed_schedule.py.
FIXED_EPOCHS = 40


def build_model(settings: TrainSettings, num_classes: int) -> keras.Model:
    """The network, untrained, its weights a function of the run's seed; compiled if it has a phase 1."""
    keras.utils.set_random_seed(settings.seed)
    options = {"seed": settings.seed, "generator_loss": settings.generator_loss}
    taken = {name: value for name, value in options.items() if name in models.takes(settings.model)}
    model = models.build(settings.model, num_classes, **taken)
    archive.require_fit(model.classifier() if isinstance(model, TwoNetworks) else model, num_classes)
    if isinstance(model, TwoNetworks):
        model.compile(default_optimizer(settings.learning_rate), default_optimizer(settings.learning_rate))
    return model


def pretrain(model: TwoNetworks, settings: TrainSettings, few: FewLabels, run: RunDirectory) -> None:
    """Phase 1, on the labelled and the unlabelled sessions.

    Continues from the run's saved state; saves both networks' weights at its end. Where those weights are there and
    the state is not, phase 1 is over and they are loaded.
    """
    if not checkpoint.exists(run.state) and run.generator_weights.exists() and run.discriminator_weights.exists():
        load_weights(model.partner, run.generator_weights)
        load_weights(model.network, run.discriminator_weights)
        return
    strategy = strategy_of(settings.strategy)
    replicas, writes = strategy.num_replicas_in_sync, is_chief(settings.strategy)
    require_parts(settings.strategy, settings.batch_size)
    own, num_classes = model, model.num_classes
    if replicas > 1:
        with strategy.scope():
            model = build_model(settings, num_classes)
    done = checkpoint.restore(run.state, model)
    _, steps = pipeline.adversarial(few, settings.batch_size, settings.seed)
    batches, _ = pipeline.adversarial(few, settings.batch_size, settings.seed, done * steps, replicas)
    rows = min(settings.batch_size, len(few.labelled)) + 2 * settings.batch_size
    # Examples lie class by class: evenly spaced rows show as many classes as there is room for.
    real = few.labelled.images[np.linspace(0, len(few.labelled) - 1, IMAGES_SHOWN).astype(int)]
    watchers = [
        callbacks.Progress("Phase 1, adversarial", rows, steps, settings.pretraining_epochs, done),
        callbacks.StopOnNaN("learning_rate"),
        callbacks.MetricsLog(run.metrics_log, PRETRAINING),
        TensorBoard(run.tensorboard, PRETRAINING, rows, real),
        callbacks.SaveState(run.state),
    ]
    if writes:
        keep_pretraining(run.metrics_log, done)
    # Validation is only shown in phase 1: several replicas do without.
    validation = pipeline.in_order(few.validation) if len(few.validation) and replicas == 1 else None
    try:
        model.fit(
            pipeline.distributed(batches, strategy),
            steps_per_epoch=steps,
            epochs=settings.pretraining_epochs,
            initial_epoch=done,
            validation_data=validation,
            verbose=0,
            shuffle=False,  # The pipeline has shuffled.
            callbacks=watchers if writes else [callbacks.Stoppable()],
        )
    except tf.errors.OpError:
        # Records of the unlabelled stream are read while training; tf.data does not say which file was damaged.
        tfrecord.check(few.unlabelled.shards)
        raise
    if not writes:
        return
    save_weights(model.partner, run.generator_weights)
    save_weights(model.network, run.discriminator_weights)
    save_picture(side_by_side(real, model), run.generated_picture)
    if model is not own:  # What follows runs on one device.
        load_weights(own.partner, run.generator_weights)
        load_weights(own.network, run.discriminator_weights)


def finetune(
    model: keras.Model, settings: TrainSettings, few: FewLabels, run: RunDirectory, phase: str = "finetuning"
) -> None:
    """Phase 2: trains a network, bytes [batch, 28, 28, 1] -> logits [batch, K], on the labelled sessions.

    It stops early and keeps the weights of the best accuracy on `few.validation`; where the budget has none, it goes
    through FIXED_EPOCHS epochs, or fewer if the settings say so.
    """
    keras.utils.set_random_seed(settings.seed)
    model.compile(
        keras.optimizers.Adam(settings.finetuning_learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    rows = min(settings.batch_size, len(few.labelled))
    steps = max(MIN_STEPS_PER_EPOCH, -(-len(few.labelled) // rows))
    stops_early = len(few.validation) > 0
    epochs = settings.finetuning_epochs if stops_early else min(settings.finetuning_epochs, FIXED_EPOCHS)
    shown = [
        callbacks.Progress(f"Phase 2, {phase}", rows, steps, epochs),
        callbacks.StopOnNaN("finetuning_learning_rate"),
        callbacks.MetricsLog(run.metrics_log, phase),
        TensorBoard(run.tensorboard, phase, rows),
    ]
    if stops_early:
        shown.append(
            keras.callbacks.EarlyStopping(
                "val_accuracy", mode="max", patience=settings.patience, restore_best_weights=True
            )
        )
    model.fit(
        pipeline.supervised(few.labelled, rows, settings.seed).prefetch(2),
        steps_per_epoch=steps,
        epochs=epochs,
        validation_data=pipeline.in_order(few.validation) if stops_early else None,
        verbose=0,
        shuffle=False,  # The pipeline has shuffled.
        callbacks=shown,
    )


def save_weights(network: keras.Model, path: Path) -> None:
    """Writes a network's weights, whole or not at all."""
    with written_aside(path) as aside:
        network.save_weights(aside)


def load_weights(network: keras.Model, path: Path) -> None:
    """Reads a network's weights. Raises ModelFileError where they are damaged or another network's."""
    try:
        network.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise ModelFileError(f"{path}: not this network's weights ({reason[:200]}); start the run anew.") from error
