"""TensorBoard: losses, p(real), accuracy, learning rate, throughput, images, hyperparameters and features."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins import projector
from tensorboard.plugins.hparams import api as hparams

from clgan_tf.common.files import written_aside
from clgan_tf.models.two_networks import TwoNetworks

IMAGES_SHOWN = 8
PIXEL_SIDE = 5
BYTES_SHOWN = 32
# Scalars of phase 1 by the names they have in CLGAN, grouped into the charts people compare.
CHARTS = {
    "discriminator_loss": "losses/discriminator_loss",
    "generator_loss": "losses/generator_loss",
    "labelled_loss": "discriminator/labelled_loss",
    "unlabelled_loss": "discriminator/unlabelled_loss",
    "generated_loss": "discriminator/generated_loss",
    "probability_real": "probability_real/unlabelled",
    "probability_real_generated": "probability_real/generated",
    "accuracy": "accuracy/labelled",
    "val_accuracy": "accuracy/validation",
    "reconstruction_loss": "losses/reconstruction_loss",
    "hidden_byte_loss": "losses/hidden_byte_cross_entropy",
    "detection_loss": "detection/loss",
    "detection_accuracy": "detection/accuracy",
    "session_loss": "losses/session_loss",
    "probability_real_filled": "probability_real/filled",
    "loss": "losses/loss",
    "val_loss": "losses/validation_loss",
}


class TensorBoard(keras.callbacks.Callback):
    """Writes one phase's scalars after every epoch and, for a GAN, generated sessions beside real ones.

    Args:
      directory: the run's log directory; each phase has its own folder below it.
      phase: "pretraining" or "finetuning".
      rows_per_step: sessions that one step sees, for the throughput.
      real: uint8 [IMAGES_SHOWN, 28, 28, 1], real sessions to show above generated ones; None: no images.
    """

    def __init__(self, directory: Path, phase: str, rows_per_step: int, real: np.ndarray | None = None):
        super().__init__()
        self.directory, self.rows_per_step, self.real = directory / phase, rows_per_step, real

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Opens the event file."""
        self.writer = tf.summary.create_file_writer(str(self.directory))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self.started, self.steps = time.perf_counter(), 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts steps and their time, so that validation is not in the throughput."""
        self.steps += 1
        self.seconds = time.perf_counter() - self.started

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes scalars and images of one epoch."""
        with self.writer.as_default(step=epoch + 1):
            for name, value in (logs or {}).items():
                tf.summary.scalar(CHARTS.get(name, name), value)
            tf.summary.scalar("learning_rate/discriminator", self.model.optimizer.learning_rate)
            if isinstance(self.model, TwoNetworks):
                tf.summary.scalar("learning_rate/generator", self.model.partner_optimizer.learning_rate)
            tf.summary.scalar("throughput/sessions_per_second", self.steps * self.rows_per_step / self.seconds)
            if self.real is not None:
                tf.summary.image("sessions/real_above_generated", side_by_side(self.real, self.model)[np.newaxis])
                tf.summary.text("sessions/first_bytes", first_bytes(self.real, self.model))
        self.writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes the event file."""
        self.writer.close()


def side_by_side(real: np.ndarray, model: keras.Model) -> np.ndarray:
    """A row of real sessions above what the model shows beside them: uint8 [2 * 28 + 2, n * 30 - 2, 1]."""
    generated = model.beside(real).numpy()
    rows = []
    for images in (real, generated):
        padded = np.pad(images, ((0, 0), (0, 0), (0, 2), (0, 0)), constant_values=255)
        rows.append(np.concatenate(list(padded), axis=1)[:, :-2])
    gap = np.full((2, rows[0].shape[1], 1), 255, np.uint8)
    return np.concatenate([rows[0], gap, rows[1]])


def first_bytes(real: np.ndarray, model: keras.Model) -> str:
    """The first bytes of real sessions, each above what the model shows beside it, in hexadecimal as Markdown."""
    lines = []
    for images in zip(real, model.beside(real).numpy(), strict=True):
        lines += [f"    {image.tobytes()[:BYTES_SHOWN].hex(' ')}" for image in images] + [""]
    return "\n".join(lines)


def save_picture(pixels: np.ndarray, path: Path) -> None:
    """Writes uint8 [height, width, 1] as a PNG, every pixel as a square that eyes can see."""
    large = pixels.repeat(PIXEL_SIDE, axis=0).repeat(PIXEL_SIDE, axis=1)
    with written_aside(path) as aside:
        aside.write_bytes(tf.io.encode_png(large).numpy())


def write_result(
    directory: Path, trial: str, settings: dict[str, Any], scores: dict[str, float], confusion: np.ndarray
) -> None:
    """Writes a system's hyperparameters with its scores, and the confusion matrix as an image.

    Args:
      trial: its name among HParams' trials. confusion: the picture, uint8 [height, width, 3].
    """
    with tf.summary.create_file_writer(str(directory)).as_default(step=1):
        shown = {name: value for name, value in settings.items() if isinstance(value, int | float | str)}
        hparams.hparams(shown, trial_id=trial)
        for name, value in scores.items():
            tf.summary.scalar(f"test/{name}", value)
        tf.summary.image("test/confusion_matrix", confusion[np.newaxis])


def write_projection(directory: Path, features: np.ndarray, class_names: Sequence[str]) -> None:
    """Writes features [n, d] of sessions, and the class of each, for TensorBoard's projector."""
    directory.mkdir(parents=True, exist_ok=True)
    config = projector.ProjectorConfig()
    shown = config.embeddings.add(tensor_name="features", tensor_path="features.tsv", metadata_path="classes.tsv")
    np.savetxt(directory / shown.tensor_path, features, "%.5g", delimiter="\t")
    lines = (" ".join(name.split()) for name in class_names)
    (directory / shown.metadata_path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    projector.visualize_embeddings(str(directory), config)
