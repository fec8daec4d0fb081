"""Distillation: what is drawn, that the small network learns its teacher, and a run of both."""

import json
import math

import keras
import numpy as np

from clgan_tf import models, serving
from clgan_tf.main import main
from clgan_tf.runs.log import read_log
from clgan_tf.training import byte_phases, distillation
from clgan_tf.training.byte_phases import Schedule
from tests.conftest import train_flags


def test_sessions_of_small_classes_are_drawn_more_often_and_the_seed_repeats_the_draw():
    images = np.arange(1000, dtype=np.uint16).view(np.uint8).reshape(1000, 2)
    targets = np.zeros((1000, 3))
    targets[:, 0], targets[900:, 0], targets[900:, 2] = 0.8, 0.1, 0.9
    schedule = Schedule(epochs=1, rows=50, rate=1.0)
    first, again = (list(distillation.batches(images, targets, schedule, 4).as_numpy_iterator()) for _ in range(2))
    assert len(first) == byte_phases.STEPS_PER_EPOCH
    for (rows, shares), (others, _) in zip(first, again, strict=True):
        np.testing.assert_array_equal(rows, others)
        np.testing.assert_allclose(shares, targets[rows.copy().view(np.uint16)[:, 0]])
    likeliest = np.concatenate([shares.argmax(axis=1) for _, shares in first])
    np.testing.assert_allclose(np.bincount(likeliest) / len(likeliest), [0.75, 0, 0.25], atol=0.02)


def test_a_run_trains_the_teacher_then_what_learns_from_it(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(byte_phases, "STEPS_PER_EPOCH", 2)
    monkeypatch.setattr(distillation, "STEPS_PER_EPOCH", 25)
    monkeypatch.setattr(distillation, "SCHEDULE", Schedule(epochs=4, rows=64, rate=5e-3))
    # A teacher that has learned this little has one trait: the session's first byte.
    image = keras.Input((28, 28, 1), dtype="uint8")
    # A row's first byte is 5 over TCP and 9 over UDP of the packet that begins a session: -1 and 1.
    protocol = keras.layers.Flatten()(keras.layers.Rescaling(1 / 2, offset=-3.5)(image[:, :1, :1]))
    told = keras.layers.Dense(12, kernel_initializer=keras.initializers.RandomNormal(stddev=2.0, seed=1))(protocol)
    teacher = keras.Model(image, told)
    monkeypatch.setattr(byte_phases, "train", lambda *_given: teacher)
    run = tmp_path / "run"
    flags = train_flags(prepared, run, "--model=clgan_lite", "--unlabelled=0")
    assert main(flags) == 0
    metrics = json.loads((run / "metrics.json").read_text())
    assert list(metrics["systems"]) == ["clgan_lite", "clgan_plus"]
    log = read_log(run / "metrics.jsonl")
    assert [epoch.phase for epoch in log] == ["distillation"] * 4
    classifier = serving.load(run / "classifier.keras")
    trained, of_paper = (
        sum(math.prod(weight.shape) for weight in network.trainable_weights)
        for network in (classifier.model, models.build("clgan", 12).network)
    )
    assert 10 * trained < of_paper
    test = prepared.read("test").images
    ours, theirs = classifier.predict_bytes(test), keras.ops.softmax(teacher.predict(test, verbose=0))
    assert len(set(np.argmax(theirs, axis=1))) == 2
    assert np.mean(ours.argmax(axis=1) == np.argmax(theirs, axis=1)) > 0.9


def test_its_baseline_without_phase_1_is_the_teachers(prepared, tmp_path, capsys):
    assert main(train_flags(prepared, tmp_path / "run", "--model=clgan_lite", "--baselines=supervised")) == 2
    assert "give --model=clgan_plus for the baseline `supervised`" in capsys.readouterr().err
