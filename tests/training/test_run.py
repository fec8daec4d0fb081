"""A run directory: what stands in it, and what training does with labels."""

import json
import re
import subprocess
import time
from dataclasses import replace

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from clgan_tf import serving
from clgan_tf.common.errors import TrainingError
from clgan_tf.main import main
from clgan_tf.models.on_bytes import OnBytes
from clgan_tf.runs import environment as run_environment
from clgan_tf.runs.log import read_log
from clgan_tf.runs.result import read_result
from clgan_tf.training import callbacks, phases
from clgan_tf.training.callbacks import StopOnNaN
from tests.conftest import UNLABELLED, train_flags


def test_a_run_directory_holds_everything(finished_run):
    names = {str(path.relative_to(finished_run)) for path in finished_run.rglob("*") if path.is_file()}
    assert {
        *("run.flags", "config.json", "data.json", "environment.json", "metrics.json", "metrics.jsonl"),
        *("model_card.md", "classifier.keras", "training_curves.png", "confusion_matrix.png", "confusion_matrix.csv"),
        *("reliability.png", "class_scores.png", "bytes.png", "report.html"),
        *(
            "generated_sessions.png",
            "checkpoints/generator.weights.h5",
            "checkpoints/discriminator.weights.h5",
            "checkpoints/state.npz",
        ),
        *("confusion_matrix_supervised.png", "confusion_matrix_random_forest.csv"),
    } <= names
    assert not [name for name in names if "partial" in name]


@pytest.mark.parametrize("name", ["dcgan", "bytesgan", "autoencoder", "cnn_lstm"])
def test_every_compared_system_runs_the_same_phases_and_its_classifier_loads(prepared, tmp_path, name):
    trees = "--baselines=extra_trees,nearest_neighbour,ngram_neighbour,self_trained_forest,label_spreading"
    flags = train_flags(prepared, tmp_path / "run", f"--model={name}", "--pretraining_epochs=1", trees)
    assert main(flags) == 0
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert list(metrics["systems"]) == [name, *trees.removeprefix("--baselines=").split(",")]
    assert {epoch.phase for epoch in read_log(tmp_path / "run/metrics.jsonl")} == (
        {"finetuning"} if name == "cnn_lstm" else {"pretraining", "finetuning"}
    )
    assert (tmp_path / "run/training_curves.png").exists()
    test = prepared.read("test")
    predicted = serving.load(tmp_path / "run/classifier.keras").predict_bytes(test.images).argmax(axis=1)
    assert np.mean(predicted == test.labels) == pytest.approx(metrics["systems"][name]["accuracy"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cnn_lstm", "--model=cnn_lstm has no phase 1, so that the baseline `supervised` is the same"),
        ("clgan_lite", "--model=clgan_lite learns from clgan_plus"),
        ("random_forest", "--model=random_forest has no network for the baseline `supervised`"),
    ],
)
def test_a_baseline_that_is_none_for_this_model_is_refused_before_there_is_a_run(
    prepared, tmp_path, capsys, name, reason
):
    assert main(train_flags(prepared, tmp_path / "run", f"--model={name}", "--baselines=supervised")) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_metrics_stand_with_seeds_budget_split_and_fingerprint(finished_run, prepared):
    metrics = json.loads((finished_run / "metrics.json").read_text())
    assert list(metrics["systems"]) == ["clgan", "supervised", "random_forest"]
    assert list(metrics["systems"]["clgan"])[:4] == ["accuracy", "precision", "recall", "f1"]
    assert (metrics["settings"]["seed"], metrics["data"]["split"]["seed"]) == (0, 0)
    assert metrics["data"]["fingerprint"] == prepared.facts.fingerprint
    labels = metrics["labels"]
    assert (labels["budget"], labels["unit"], labels["count"], labels["validation"]) == (5, "per_class", 60, 12)
    assert labels["unlabelled"] == UNLABELLED
    for scores in metrics["systems"].values():
        assert scores["sessions"] == prepared.facts.sizes["test"]
        assert np.sum(scores["confusion"]) == scores["sessions"]
    assert metrics["systems"]["random_forest"]["accuracy"] > 3 / 12


def test_the_log_has_a_line_an_epoch_and_both_losses(finished_run):
    log = read_log(finished_run / "metrics.jsonl")
    assert [(epoch.phase, epoch.epoch) for epoch in log] == [
        *(("pretraining", epoch) for epoch in (1, 2)),
        *((phase, epoch) for phase in ("finetuning", "supervised") for epoch in (1, 2)),
    ]
    assert {"discriminator_loss", "generator_loss", "probability_real", "val_accuracy"} <= set(log[0].values)


def test_tensorboard_has_what_people_look_for(finished_run):
    def tags(name: str) -> tuple[set[str], set[str]]:
        events = EventAccumulator(str(finished_run / "tensorboard" / name)).Reload()
        tensors = events.Tags()["tensors"]
        kinds = {tag: events.SummaryMetadata(tag).plugin_data.plugin_name for tag in tensors}
        return {tag for tag in kinds if kinds[tag] == "scalars"}, {tag for tag in kinds if kinds[tag] == "images"}

    scalars, images = tags("pretraining")
    assert {
        *("losses/discriminator_loss", "losses/generator_loss", "probability_real/unlabelled"),
        *("probability_real/generated", "accuracy/validation", "learning_rate/discriminator"),
        *("learning_rate/generator", "throughput/sessions_per_second"),
    } <= scalars
    assert images == {"sessions/real_above_generated"}
    events = EventAccumulator(str(finished_run / "tensorboard/pretraining")).Reload()
    (text,) = events.Tensors("sessions/first_bytes")[-1].tensor_proto.string_val
    assert len(text.decode().split()) == 2 * 8 * 32
    scalars, images = tags("test")
    assert {"test/accuracy", "test/f1"} <= scalars
    assert images == {"test/confusion_matrix"}


def test_tensorboard_names_trials_after_their_run_and_holds_every_baseline(finished_run):
    trials = {}
    for system in ("test", "supervised", "random_forest"):
        events = EventAccumulator(str(finished_run / "tensorboard" / system)).Reload()
        content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        start = HParamsPluginData.FromString(content).session_start_info
        trials[start.group_name] = start.hparams["model"].string_value
        assert "test/f1" in events.Tags()["tensors"]
    assert trials == {
        "finished": "clgan",
        "finished: same network, labels alone": "supervised",
        "finished: RandomForest": "random_forest",
    }


def test_tensorboards_projector_has_the_features_of_the_test_sessions_by_class(finished_run, prepared):
    folder = finished_run / "tensorboard/test"
    config = (folder / "projector_config.pbtxt").read_text()
    assert 'tensor_path: "features.tsv"' in config
    assert 'metadata_path: "classes.tsv"' in config
    test = prepared.read("test")
    features, classes = np.loadtxt(folder / "features.tsv"), (folder / "classes.tsv").read_text().splitlines()
    expected = serving.load(finished_run / "classifier.keras").features(test.images)
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-4)
    assert classes == [prepared.facts.class_names[label] for label in test.labels]


def test_a_diverging_training_stops_with_a_sentence_and_no_classifier(prepared, tmp_path, capsys, monkeypatch):
    run = tmp_path / "run"
    monkeypatch.setattr(phases, "default_optimizer", lambda rate: keras.optimizers.SGD(float("nan")))
    assert main(train_flags(prepared, run)) == 1
    assert "The discriminator loss is not finite after epoch 1: lower --learning_rate" in capsys.readouterr().err
    assert not (run / "checkpoints/state.npz").exists()
    assert not (run / "classifier.keras").exists()
    with pytest.raises(TrainingError, match="lower --learning_rate"):
        StopOnNaN("learning_rate").on_epoch_end(0, {"loss": float("nan")})


def test_with_few_labels_a_fixed_schedule_takes_the_place_of_early_stopping(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(phases, "FIXED_EPOCHS", 2)
    run = tmp_path / "run"
    flags = ["--labels=3", "--model=cnn_lstm", "--finetuning_epochs=9"]
    assert main(train_flags(prepared, run, *flags)) == 0
    log = read_log(run / "metrics.jsonl")
    assert [epoch.phase for epoch in log] == ["finetuning", "finetuning"]
    assert not any("val_accuracy" in epoch.values for epoch in log)
    labels = json.loads((run / "metrics.json").read_text())["labels"]
    assert (labels["count"], labels["validation"]) == (36, 0)
    assert (run / "training_curves.png").exists()


def test_trees_learn_from_the_whole_budget_and_leave_a_classifier_with_the_same_scores(
    prepared, demo_corpus, tmp_path, monkeypatch, capsys
):
    seen, fit = [], OnBytes.fit
    monkeypatch.setattr(
        OnBytes, "fit", lambda self, images, labels: seen.append(len(labels)) or fit(self, images, labels)
    )
    run = tmp_path / "run"
    assert main(train_flags(prepared, run, "--model=random_forest", "--baselines=extra_trees")) == 0
    assert seen == [60, 48, 60]  # In between, what the temperature is fitted on.
    trained = read_result(run / "metrics.json").scores
    assert main(["--mode=evaluate", f"--run_dir={run}", f"--dataset={prepared.directory}"]) == 0
    again = read_result(run / "metrics.json").scores
    assert replace(again, reliability=None) == replace(trained, reliability=None)
    assert again.reliability.ece == pytest.approx(trained.reliability.ece, abs=1e-4)
    assert 0.2 <= trained.reliability.temperature < 1  # Shares of trees are less sure than right.
    assert serving.load(run / "classifier.keras").head.temperature == trained.reliability.temperature
    capture = demo_corpus / "unseen.pcap"
    assert main(["--mode=classify", f"--run_dir={run}", f"--captures={capture}", "--reject=0.05"]) == 0
    labels = {json.loads(line)["label"] for line in capsys.readouterr().out.splitlines() if line.startswith("{")}
    assert labels <= {*prepared.facts.class_names, "unknown"}
    assert len(labels) > 3


def test_a_phase_shows_loss_and_validation_and_leaves_a_line(capsys, monkeypatch):
    moments = iter((0.0, 1.0, 2.0, 3.5))
    monkeypatch.setattr(time, "perf_counter", lambda: next(moments))
    progress = callbacks.Progress("Phase 1", 10, 1, 2)
    progress.on_train_begin()
    progress.on_train_batch_end(0)
    progress.on_epoch_end(0, {"discriminator_loss": 1.5, "val_accuracy": 0.25})
    progress.on_train_batch_end(1)
    assert progress.bar.postfix == "10 sessions/s, loss 1.500, validation accuracy 0.250"
    progress.on_train_end()
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith("Phase 1: 2 steps, 4 s, loss 1.500, validation accuracy 0.250")


def test_the_runs_flagfile_repeats_it(finished_run, prepared, tmp_path):
    again = tmp_path / "again"
    assert main([f"--flagfile={finished_run / 'run.flags'}", f"--run_dir={again}"]) == 0
    one, other = (json.loads((path / "metrics.json").read_text()) for path in (finished_run, again))
    assert one["systems"] == other["systems"]


def test_the_environment_names_the_day_and_the_commit(tmp_path, monkeypatch):
    found = run_environment.environment()
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", found.date)
    # A process asks once: what it has loaded does not change.
    monkeypatch.setattr(run_environment, "_commit", run_environment._commit.__wrapped__)
    monkeypatch.setattr(run_environment, "__file__", str(tmp_path / "clgan_tf/runs/environment.py"))
    assert run_environment.environment().commit is None
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a", "--allow-empty"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    commit = run_environment.environment().commit
    assert re.fullmatch(r"[0-9a-f]{7,}", commit)
    (tmp_path / "a").write_text("a")
    subprocess.run(["git", "-C", str(tmp_path), "add", "a"], check=True)
    assert run_environment.environment().commit == f"{commit}-dirty"


@pytest.mark.parametrize(
    ("commit", "short"),
    [("0123456789abcdef", "0123456"), ("0123456789abcdef-dirty", "0123456-dirty"), (None, "unknown")],
)
def test_a_short_commit_says_that_files_had_been_changed(commit, short):
    assert replace(run_environment.environment(), commit=commit).short_commit == short
