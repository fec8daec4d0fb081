"""Distillation: a small network learns to say of all sessions what a trained one says (Hinton et al. 2015).

The trained one's probabilities tell more than labels: which classes a session resembles, and of every session.
"""

import keras
import numpy as np
import tensorflow as tf

from clgan_tf import models
from clgan_tf.data import pipeline
from clgan_tf.data.few_labels import FewLabels
from clgan_tf.models.prediction import predict
from clgan_tf.runs.directory import RunDirectory
from clgan_tf.training import callbacks
from clgan_tf.training.byte_phases import STEPS_PER_EPOCH, Schedule
from clgan_tf.training.tensorboard import TensorBoard

PHASE = "distillation"
SCHEDULE = Schedule(epochs=15, rows=128, rate=3e-3)
WEIGHT_AVERAGE = 0.99
CLASS_BALANCE = 0.5  # as phase 2 of CLGAN+ draws labelled sessions, by the class that the teacher names
MOST_SESSIONS = 200_000  # held in memory: more of them than a network of this size can learn from


def distil(
    teacher: keras.Model, name: str, num_classes: int, few: FewLabels, run: RunDirectory, seed: int
) -> keras.Model:
    """Trains a network on the teacher's probabilities of all sessions, those that show their label among them.

    Args:
      teacher: bytes [batch, 28, 28, 1] -> logits [batch, K]; name: of the network to build, in `models.NETWORKS`.

    Returns:
      Bytes [batch, 28, 28, 1] -> logits [batch, K].
    """
    images = pipeline.sample(few.every_session, MOST_SESSIONS, seed)
    targets = keras.ops.convert_to_numpy(keras.ops.softmax(predict(teacher, images)))
    keras.utils.set_random_seed(seed)
    network = models.build(name, num_classes, seed=seed)
    network.compile(SCHEDULE.optimizer(WEIGHT_AVERAGE), keras.losses.CategoricalCrossentropy(from_logits=True))
    network.fit(
        batches(images, targets, SCHEDULE, seed),
        steps_per_epoch=STEPS_PER_EPOCH,
        epochs=SCHEDULE.epochs,
        verbose=0,
        shuffle=False,  # They are drawn at random.
        callbacks=[
            callbacks.Progress("Phase 3, distillation", SCHEDULE.rows, STEPS_PER_EPOCH, SCHEDULE.epochs),
            callbacks.MetricsLog(run.metrics_log, PHASE),
            TensorBoard(run.tensorboard, PHASE, SCHEDULE.rows),
        ],
    )
    return network


def batches(images: np.ndarray, targets: np.ndarray, schedule: Schedule, seed: int) -> tf.data.Dataset:
    """All of a phase's batches (images [rows, 28, 28, 1] uint8, probabilities [rows, K] float32).

    A session is drawn with the size of the class that is likeliest for it, to the power of -CLASS_BALANCE.
    """
    likeliest = targets.argmax(axis=1)
    weights = np.bincount(likeliest, minlength=targets.shape[1])[likeliest] ** -CLASS_BALANCE
    shape = (schedule.epochs * STEPS_PER_EPOCH, schedule.rows)
    drawn = np.random.default_rng(seed).choice(len(images), shape, p=weights / weights.sum())
    sessions, probabilities = tf.constant(images), tf.constant(targets, tf.float32)
    stream = tf.data.Dataset.from_tensor_slices(drawn)
    return stream.map(lambda rows: (tf.gather(sessions, rows), tf.gather(probabilities, rows))).prefetch(2)
