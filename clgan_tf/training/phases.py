"""The paper's phases 1 and 2: adversarial pre-training on all sessions, fine-tuning on the labelled ones."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from clgan_tf import models
from clgan_tf.config import TrainConfig
from clgan_tf.data import pipeline, tfrecord
from clgan_tf.data.dataset import Dataset
from clgan_tf.data.examples import Examples
from clgan_tf.errors import ModelFileError
from clgan_tf.files import written_aside
from clgan_tf.models import CLGAN
from clgan_tf.models.classifier import build_logits_model
from clgan_tf.models.clgan import default_optimizer
from clgan_tf.run_directory import RunDirectory
from clgan_tf.training import callbacks, checkpoint
from clgan_tf.training.tensorboard import IMAGES_SHOWN, TensorBoard, side_by_side

PIXEL_SIDE = 5

MIN_STEPS_PER_EPOCH = 10  # With few labels an epoch is shorter than its validation; it gets at least so many steps.


def build_model(config: TrainConfig, num_classes: int) -> CLGAN:
    """The GAN, compiled, its weights a function of the run's seed."""
    keras.utils.set_random_seed(config.seed)
    model = models.build(config.model, num_classes, generator_loss=config.generator_loss, seed=config.seed)
    model.compile(default_optimizer(config.learning_rate), default_optimizer(config.learning_rate))
    return model


def build_network(config: TrainConfig, num_classes: int) -> keras.Model:
    """The network that phase 2 trains, untrained: image -> logits and features."""
    if config.model in models.SUPERVISED:
        keras.utils.set_random_seed(config.seed)
        return models.build(config.model, num_classes)
    return build_model(config, num_classes).discriminator


def pretrain(
    model: CLGAN,
    config: TrainConfig,
    dataset: Dataset,
    labelled: Examples,
    pool: Examples | None,
    validation: Examples,
    run: RunDirectory,
) -> None:
    """Phase 1, on the labelled sessions and all others, or those of `pool`.

    Continues from the run's saved state; saves both networks' weights at its end. Where those weights are there and
    the state is not, phase 1 is over and they are loaded.
    """
    if not run.state.exists() and run.generator_weights.exists() and run.discriminator_weights.exists():
        load_weights(model.generator, run.generator_weights)
        load_weights(model.discriminator, run.discriminator_weights)
        return
    done = checkpoint.restore(run.state, model) if run.state.exists() else 0
    callbacks.forget_epochs_after(run.metrics_log, "pretraining", done)
    _, steps = pipeline.adversarial(dataset, labelled, config.batch_size, config.seed, pool)
    batches, _ = pipeline.adversarial(dataset, labelled, config.batch_size, config.seed, pool, done * steps)
    rows = min(config.batch_size, len(labelled)) + 2 * config.batch_size
    # Examples lie class by class: evenly spaced rows show as many classes as there is room for.
    real = labelled.images[np.linspace(0, len(labelled) - 1, IMAGES_SHOWN).astype(int)]
    try:
        model.fit(
            batches,
            steps_per_epoch=steps,
            epochs=config.pretraining_epochs,
            initial_epoch=done,
            validation_data=pipeline.in_order(validation),
            verbose=0,
            shuffle=False,  # The pipeline has shuffled.
            callbacks=[
                callbacks.Progress("Phase 1, adversarial", rows, steps, config.pretraining_epochs, done),
                callbacks.StopOnNaN("learning_rate"),
                callbacks.MetricsLog(run.metrics_log, "pretraining"),
                TensorBoard(run.tensorboard, "pretraining", rows, real),
                callbacks.SaveState(run.state),
            ],
        )
    except tf.errors.OpError:
        # Records of the unlabelled stream are read while training; tf.data does not say which file was damaged.
        tfrecord.check([*dataset.paths("train"), *dataset.paths("unlabelled")])
        raise
    save_weights(model.generator, run.generator_weights)
    save_weights(model.discriminator, run.discriminator_weights)
    save_picture(side_by_side(real, model), run.generated_picture)


def finetune(
    discriminator: keras.Model,
    config: TrainConfig,
    labelled: Examples,
    validation: Examples,
    run: RunDirectory,
    phase: str = "finetuning",
) -> keras.Model:
    """Phase 2: trains the discriminator's K logits on labelled sessions, with early stopping on validation.

    Returns:
      Bytes [batch, 28, 28, 1] -> logits [batch, K], with the weights of the best validation accuracy.
    """
    keras.utils.set_random_seed(config.seed)
    model = build_logits_model(discriminator)
    model.compile(
        keras.optimizers.Adam(config.finetuning_learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    rows = min(config.batch_size, len(labelled))
    steps = max(MIN_STEPS_PER_EPOCH, -(-len(labelled) // rows))
    model.fit(
        pipeline.supervised(labelled, rows, config.seed).prefetch(2),
        steps_per_epoch=steps,
        epochs=config.finetuning_epochs,
        validation_data=pipeline.in_order(validation),
        verbose=0,
        shuffle=False,  # The pipeline has shuffled.
        callbacks=[
            callbacks.Progress(f"Phase 2, {phase}", rows, steps, config.finetuning_epochs),
            callbacks.StopOnNaN("finetuning_learning_rate"),
            callbacks.MetricsLog(run.metrics_log, phase),
            TensorBoard(run.tensorboard, phase, rows),
            keras.callbacks.EarlyStopping(
                "val_accuracy", mode="max", patience=config.patience, restore_best_weights=True
            ),
        ],
    )
    return model


def save_picture(pixels: np.ndarray, path: Path) -> None:
    """Writes uint8 [height, width, 1] as a PNG, every pixel as a square that eyes can see."""
    large = pixels.repeat(PIXEL_SIDE, axis=0).repeat(PIXEL_SIDE, axis=1)
    with written_aside(path) as aside:
        aside.write_bytes(tf.io.encode_png(large).numpy())


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
