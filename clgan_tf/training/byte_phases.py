"""The phases of CLGAN+: pre-training on the bytes of all sessions, without a label, then fine-tuning on labelled ones.

Both have a fixed length and a learning rate that rises and falls with it, so that no label is spent on stopping.
"""

from collections.abc import Sequence
from dataclasses import asdict

import keras
import tensorflow as tf

from clgan_tf import models
from clgan_tf.data import pipeline, tfrecord
from clgan_tf.data.description import DataFacts
from clgan_tf.data.examples import Examples
from clgan_tf.data.few_labels import FewLabels, Unlabelled
from clgan_tf.models.filling import FillingGAN
from clgan_tf.models.finetuned import FineTuned
from clgan_tf.runs.directory import RunDirectory
from clgan_tf.settings import FillingSettings, PretrainSettings, TrainSettings, TuningSettings
from clgan_tf.training import callbacks, checkpoint, trunk
from clgan_tf.training.tensorboard import IMAGES_SHOWN, TensorBoard, save_picture, side_by_side

PRETRAINING_ROWS, PRETRAINING_RATE = 64, 1.5e-3
LABELLED_ROWS, UNLABELLED_ROWS, FINETUNING_RATE = 32, 48, 1e-3
WARM_UP = 0.1  # of a phase's steps
STEPS_PER_EPOCH = 100  # between two entries of the log and saved states


def train(settings: TrainSettings, data: DataFacts, few: FewLabels, run: RunDirectory) -> keras.Model:
    """Both phases; phase 2 begins from the trunk's file, whoever made it, and logits that are new.

    Returns:
      Bytes [batch, 28, 28, 1] -> logits [batch, K].

    Raises:
      ConfigError, ModelFileError: the trunk to begin from is none, or of other networks or sessions.
    """
    model = build(settings.filling, settings.seed, len(data.class_names))
    if settings.init_from is not None:
        callbacks.forget_epochs_after(run.metrics_log, "pretraining", 0)
        trunk.load(settings.init_from, model, data, settings.filling)
    elif settings.filling.pretraining_steps:
        pretrain(settings, data, few.every_session, run)
        trunk.load(run.trunk, model, data, settings.filling)
    return finetune(model, settings, few, run, "finetuning")


def build(filling: FillingSettings, seed: int, num_classes: int) -> FillingGAN:
    """Both networks, their weights a function of the seed; compiled for phase 1."""
    keras.utils.set_random_seed(seed)
    options = {name: value for name, value in asdict(filling).items() if name in models.takes(models.PLUS)}
    model = models.build(models.PLUS, num_classes, seed=seed, **options)
    steps = filling.pretraining_steps
    model.compile(optimizer(PRETRAINING_RATE, steps), optimizer(PRETRAINING_RATE, steps))
    return model


def pretrain(settings: PretrainSettings, data: DataFacts, sessions: Unlabelled, run: RunDirectory) -> None:
    """Phase 1 of a run: makes its trunk, if it has none; continues from its saved state, if there is one."""
    if run.trunk.exists():
        return
    steps = settings.filling.pretraining_steps
    model = build(settings.filling, settings.seed, len(data.class_names))
    done = checkpoint.restore(run.state, model) if run.state.exists() else 0
    callbacks.forget_epochs_after(run.metrics_log, "pretraining", done)
    shown = next(iter(pipeline.unlabelled_batches(sessions, min(IMAGES_SHOWN, sessions.count), settings.seed))).numpy()
    watchers = [
        callbacks.StopOnNaN("pretraining_steps"),
        callbacks.MetricsLog(run.metrics_log, "pretraining"),
        TensorBoard(run.tensorboard, "pretraining", PRETRAINING_ROWS, shown),
        callbacks.SaveState(run.state),
    ]
    try:
        learn_bytes(model, sessions, steps, settings.seed, watchers, done)
    except tf.errors.OpError:
        tfrecord.check(sessions.shards)  # tf.data does not say which file was damaged.
        raise
    trunk.save(run.trunk, model, trunk.TrunkFacts(data, sessions.count, settings.seed, settings.filling))
    save_picture(side_by_side(shown, model), run.generated_picture)


def finetune(model: FillingGAN, settings: TrainSettings, few: FewLabels, run: RunDirectory, phase: str) -> keras.Model:
    """Phase 2 of a run, on its whole label budget; returns bytes [batch, 28, 28, 1] -> logits [batch, K]."""
    watchers = [
        callbacks.StopOnNaN("finetuning_steps"),
        callbacks.MetricsLog(run.metrics_log, phase),
        TensorBoard(run.tensorboard, phase, 2 * LABELLED_ROWS),
    ]
    learn_classes(model, few.whole_budget, few.unlabelled, settings.tuning, settings.seed, watchers, phase)
    return model.classifier()


def learn_bytes(
    model: FillingGAN,
    sessions: Unlabelled,
    steps: int,
    seed: int,
    watchers: Sequence[keras.callbacks.Callback] = (),
    epochs_done: int = 0,
) -> None:
    """Phase 1: trains both networks, which are compiled, on sessions without labels.

    watchers: callbacks; an epoch is STEPS_PER_EPOCH steps. epochs_done: of an interrupted training.
    """
    epoch_steps = min(STEPS_PER_EPOCH, steps)
    epochs = steps // epoch_steps
    rows = min(PRETRAINING_ROWS, sessions.count - sessions.count % 2)  # An even number: half of them are filled.
    title = "Phase 1, hidden and filled bytes"
    model.fit(
        pipeline.unlabelled_batches(sessions, rows, seed, epochs_done * epoch_steps),
        steps_per_epoch=epoch_steps,
        epochs=epochs,
        initial_epoch=epochs_done,
        verbose=0,
        shuffle=False,  # The pipeline has shuffled.
        callbacks=[callbacks.Progress(title, rows, epoch_steps, epochs, epochs_done), *watchers],
    )


def learn_classes(
    model: FillingGAN,
    labelled: Examples,
    unlabelled: Unlabelled,
    tuning: TuningSettings,
    seed: int,
    watchers: Sequence[keras.callbacks.Callback] = (),
    phase: str = "finetuning",
) -> None:
    """Phase 2: trains the discriminator's classifying part on labelled sessions."""
    network = FineTuned(model, tuning.fills, tuning.changed_share, tuning.consistency_weight, seed)
    network.compile(optimizer(FINETUNING_RATE, tuning.finetuning_steps, tuning.weight_average))
    network.optimizer.build(network.trainable_variables)
    batches, rows = pipeline.balanced(labelled, LABELLED_ROWS, tuning.class_balance, seed), 2 * LABELLED_ROWS
    more = None
    if tuning.consistency_weight and unlabelled.count:
        more = pipeline.unlabelled_batches(unlabelled, UNLABELLED_ROWS, seed + 1)
        rows += UNLABELLED_ROWS
    epoch_steps = min(STEPS_PER_EPOCH, tuning.finetuning_steps)
    epochs = tuning.finetuning_steps // epoch_steps
    network.fit(
        pipeline.two_streams(batches, more).prefetch(2),
        steps_per_epoch=epoch_steps,
        epochs=epochs,
        verbose=0,
        shuffle=False,  # The pipeline has shuffled.
        callbacks=[callbacks.Progress(f"Phase 2, {phase}", rows, epoch_steps, epochs), *watchers],
    )


def optimizer(rate: float, steps: int, weight_average: float = 0.0) -> keras.optimizers.Optimizer:
    """AdamW whose learning rate rises from 0 to `rate` in a tenth of the steps, and falls to 0 as a cosine does.

    weight_average: decay of an average of the weights, which take its value at the end of `fit`; 0: none.
    """
    warm_up = max(1, round(WARM_UP * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=rate, warmup_steps=warm_up
    )
    averaged = {"use_ema": True, "ema_momentum": weight_average} if weight_average else {}
    return keras.optimizers.AdamW(schedule, weight_decay=0.01, global_clipnorm=1.0, **averaged)
