"""The phases of CLGAN+: pre-training on the bytes of all sessions, without a label, then fine-tuning on labelled ones.

Both have a fixed length and a learning rate that rises and falls with it, so that no label is spent on stopping.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from clgan_tf import models
from clgan_tf.data import pipeline, tfrecord
from clgan_tf.data.description import DataFacts
from clgan_tf.data.examples import Examples
from clgan_tf.data.few_labels import FewLabels, Unlabelled, in_memory
from clgan_tf.models.byte_ngrams import MOST_CLASSES
from clgan_tf.models.filling import FillingGAN
from clgan_tf.models.finetuned import FineTuned
from clgan_tf.runs.directory import RunDirectory
from clgan_tf.runs.log import PRETRAINING, keep_pretraining
from clgan_tf.settings import SCHEDULES, FillingSettings, PretrainSettings, TrainSettings, TuningSettings
from clgan_tf.training import callbacks, checkpoint, last_layer, trunk, warm_start
from clgan_tf.training.strategy import is_chief, strategy_of
from clgan_tf.training.tensorboard import IMAGES_SHOWN, TensorBoard, save_picture, side_by_side

WARM_UP = 0.1  # of a phase's steps
STEPS_PER_EPOCH = 100
ROWS_OF_EACH = 2  # Half of each replica's rows are filled.
MANY_LABELS, MOST_STEPS_PER_EPOCH = 1000, 400  # of phase 2


class Schedule(NamedTuple):
    """How long a phase is, rows a step, and its highest learning rate."""

    epochs: int
    rows: int
    rate: float

    def optimizer(self, weight_average: float = 0.0, steps_per_epoch: int | None = None) -> keras.optimizers.Optimizer:
        """AdamW whose rate rises from 0 in the first tenth of the phase, and falls to 0 as a cosine does.

        weight_average: decay of an average of the weights, which take its value at the end of `fit`; 0: none.
        steps_per_epoch: None: STEPS_PER_EPOCH.
        """
        steps = self.epochs * (steps_per_epoch or STEPS_PER_EPOCH)
        warm_up = max(1, round(WARM_UP * steps))
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - warm_up), warmup_target=self.rate, warmup_steps=warm_up
        )
        averaged = {"use_ema": True, "ema_momentum": weight_average} if weight_average else {}
        return keras.optimizers.AdamW(rate, weight_decay=0.01, global_clipnorm=1.0, **averaged)


def usual_schedules() -> tuple[Schedule, Schedule]:
    """Of both phases, where no settings say otherwise."""
    usual = SCHEDULES[models.PLUS]
    epochs, rows, rate = (usual[name] for name in ("pretraining_epochs", "batch_size", "learning_rate"))
    first = Schedule(int(epochs), int(rows), rate)
    return first, Schedule(int(usual["finetuning_epochs"]), int(rows), usual["finetuning_learning_rate"])


def steps_of_finetuning(labels: int) -> int:
    """Steps of an epoch of phase 2: above MANY_LABELS they grow with the labels, so that each is seen as often."""
    return min(MOST_STEPS_PER_EPOCH, STEPS_PER_EPOCH * max(labels, MANY_LABELS) // MANY_LABELS)


def train(
    settings: TrainSettings, data: DataFacts, few: FewLabels, run: RunDirectory, phase: str = "finetuning"
) -> keras.Model:
    """Both phases; phase 2 begins from the trunk's file, whoever made it, or from a classifier.

    A trunk leaves logits new; after a classifier, which has no generator, spans are hidden where others are filled.

    Args:
      phase: name of phase 2 in logs.

    Returns:
      Bytes [batch, 28, 28, 1] -> logits [batch, K].

    Raises:
      ConfigError, ModelFileError: what to begin from is neither, or of other networks or sessions.
    """
    model, former = build(settings.filling, settings.seed, len(data.class_names)), None
    if settings.init_from:
        start = trunk.file_of("init_from", settings.init_from, data.representation)
        if start.suffix == ".keras":
            former = warm_start.load(start, model, data)
            settings = replace(settings, tuning=replace(settings.tuning, fills=False))  # There is no generator.
        else:
            trunk.load(start, model, data, settings.filling)
    elif settings.pretraining_epochs:
        pretrain(settings, data, few.every_session, run)
        trunk.load(run.trunk, model, data, settings.filling)
    return finetune(model, settings, few, run, phase, former)


def build(filling: FillingSettings, seed: int, num_classes: int) -> FillingGAN:
    """Both networks, their weights a function of the seed."""
    keras.utils.set_random_seed(seed)
    options = {name: value for name, value in asdict(filling).items() if name in models.takes(models.PLUS)}
    return models.build(models.PLUS, num_classes, seed=seed, **options)


def pretrain(settings: PretrainSettings, data: DataFacts, sessions: Unlabelled, run: RunDirectory) -> None:
    """Phase 1 of a run: makes its trunk, if it has none; continues from its saved state, if there is one."""
    if run.trunk.exists():
        return
    schedule = Schedule(settings.pretraining_epochs, settings.batch_size, settings.learning_rate)
    strategy, writes = strategy_of(settings.strategy), is_chief(settings.strategy)
    with strategy.scope():
        model = build(settings.filling, settings.seed, max(2, len(data.class_names)))  # Logits are not in the trunk.
        if (start := settings.pretrain_from) and not checkpoint.exists(run.state):
            trunk.load(trunk.file_of("pretrain_from", start, data.representation), model, data, settings.filling)
        model.compile(schedule.optimizer(), schedule.optimizer())
    done = checkpoint.restore(run.state, model)
    if writes:
        keep_pretraining(run.metrics_log, done)
    shown = next(iter(pipeline.unlabelled_batches(sessions, min(IMAGES_SHOWN, sessions.count), settings.seed))).numpy()
    watchers = [
        callbacks.StopOnNaN("learning_rate"),
        callbacks.MetricsLog(run.metrics_log, PRETRAINING),
        TensorBoard(run.tensorboard, PRETRAINING, schedule.rows, shown),
        callbacks.SaveState(run.state),
    ]
    try:
        learn_bytes(model, sessions, schedule, settings.seed, watchers if writes else None, done, strategy)
    except tf.errors.OpError:
        tfrecord.check(sessions.shards)  # tf.data does not say which file was damaged.
        raise
    if not writes:
        return
    begun_from = settings.pretrain_from.name if settings.pretrain_from else ""
    facts = trunk.TrunkFacts(data, sessions.count, settings.seed, settings.filling, begun_from)
    trunk.save(run.trunk, model, facts)
    save_picture(side_by_side(shown, model), run.generated_picture)


def finetune(
    model: FillingGAN,
    settings: TrainSettings,
    few: FewLabels,
    run: RunDirectory,
    phase: str,
    former: keras.Model | None = None,
) -> keras.Model:
    """Phase 2 of a run, on its whole label budget; see `learn_classes`."""
    schedule = Schedule(settings.finetuning_epochs, settings.batch_size, settings.finetuning_learning_rate)
    watchers = [
        callbacks.StopOnNaN("finetuning_learning_rate"),
        callbacks.MetricsLog(run.metrics_log, phase),
        TensorBoard(run.tensorboard, phase, schedule.rows),
    ]
    return learn_classes(
        model, few.whole_budget, few.unlabelled, schedule, settings.tuning, settings.seed, watchers, phase, former
    )


def pretrained(
    images: np.ndarray, num_classes: int, schedule: Schedule, seed: int, shipped: str | None = None
) -> FillingGAN:
    """The usual networks after phase 1 on sessions in memory, uint8 [n, 28, 28, 1]; logits have learned nothing.

    shipped: phase 1 goes on from the trunk of this representation that comes with clgan_tf. It may have no epochs.

    Raises:
      ConfigError: no such trunk comes with clgan_tf.
    """
    model = build(FillingSettings(), seed, num_classes)
    if shipped:
        trunk.load_shipped(model, shipped)
    if schedule.epochs:
        model.compile(schedule.optimizer(), schedule.optimizer())
        learn_bytes(model, in_memory(images), schedule, seed)
    return model


def learn_bytes(
    model: FillingGAN,
    sessions: Unlabelled,
    schedule: Schedule,
    seed: int,
    watchers: Sequence[keras.callbacks.Callback] | None = (),
    epochs_done: int = 0,
    strategy: tf.distribute.Strategy | None = None,
) -> None:
    """Phase 1: trains both networks, which are compiled, on sessions without labels.

    watchers: callbacks beside a bar; None: of a worker that shows nothing. epochs_done: of an interrupted training.
    strategy: in whose scope the networks are.
    """
    strategy = strategy or tf.distribute.get_strategy()
    rows = min(schedule.rows, sessions.count)
    rows -= rows % (ROWS_OF_EACH * strategy.num_replicas_in_sync)
    title = "Phase 1, hidden and filled bytes"
    progress = callbacks.Progress(title, rows, STEPS_PER_EPOCH, schedule.epochs, epochs_done)
    batches = pipeline.unlabelled_batches(sessions, rows, seed, epochs_done * STEPS_PER_EPOCH)
    model.fit(
        pipeline.distributed(batches, strategy),
        steps_per_epoch=STEPS_PER_EPOCH,
        epochs=schedule.epochs,
        initial_epoch=epochs_done,
        verbose=0,
        shuffle=False,  # The pipeline has shuffled.
        callbacks=[callbacks.Stoppable()] if watchers is None else [progress, *watchers],
    )


def learn_classes(
    model: FillingGAN,
    labelled: Examples,
    unlabelled: Unlabelled,
    schedule: Schedule,
    tuning: TuningSettings,
    seed: int,
    watchers: Sequence[keras.callbacks.Callback] = (),
    phase: str = "finetuning",
    former: keras.Model | None = None,
) -> keras.Model:
    """Phase 2: trains the discriminator's classifying part on labelled sessions, half a batch in two views each.

    At its end the last layer is settled; see `last_layer`.

    Args:
      former: of a warm start, as `warm_start.load` gives it. It names sessions without a label, once it is trained;
        where there are none, it is what is returned.

    Returns:
      Bytes [batch, 28, 28, 1] -> logits [batch, K]; it shares the model's weights.
    """
    network = FineTuned(model, tuning.fills, tuning.changed_share, tuning.consistency_weight, seed)
    steps = steps_of_finetuning(len(labelled))
    network.compile(schedule.optimizer(tuning.weight_average, steps))
    network.optimizer.build(network.trainable_variables)
    batches, more = pipeline.balanced(labelled, schedule.rows // 2, tuning.class_balance, seed), None
    if tuning.consistency_weight and unlabelled.count:
        more = pipeline.unlabelled_batches(unlabelled, min(schedule.rows, unlabelled.count), seed + 1)
    title = f"Phase 2, {phase}"
    network.fit(
        pipeline.two_streams(batches, more).prefetch(2),
        steps_per_epoch=steps,
        epochs=schedule.epochs,
        verbose=0,
        shuffle=False,  # The pipeline has shuffled.
        callbacks=[callbacks.Progress(title, schedule.rows, steps, schedule.epochs), *watchers],
    )
    has_others = tuning.names_others and unlabelled.count > 0
    if not tuning.settles_last_layer or (former is not None and not has_others):
        return model.classifier() if former is None else former
    others = pipeline.sample(unlabelled, last_layer.MOST_NAMED, seed) if has_others else labelled.images[:0]
    reads_ngrams = tuning.reads_ngrams and model.num_classes <= MOST_CLASSES
    return model.classifier(last_layer.settle(model, labelled, others, reads_ngrams, seed, former))
