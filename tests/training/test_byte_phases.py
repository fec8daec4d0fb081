"""CLGAN+'s phases: a trunk from sessions without labels, resumed exactly, and runs that begin from it."""

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from clgan_tf import capture, models, serving
from clgan_tf.common.errors import ConfigError
from clgan_tf.data.examples import Examples
from clgan_tf.data.few_labels import every_session, few_labels, in_memory
from clgan_tf.data.pipeline import balanced, images
from clgan_tf.main import main
from clgan_tf.models.classifier import build_classifier
from clgan_tf.runs.log import read_log
from clgan_tf.runs.result import read_result
from clgan_tf.settings import FillingSettings, TuningSettings
from clgan_tf.training import byte_phases, callbacks, warm_start
from tests.conftest import train_flags

SHORT = ("--pretraining_epochs=2", "--width=16", "--batch_size=32")


def plus_flags(prepared, run_dir, *more):
    """Two epochs of two steps in either phase: see `short_epochs`; of 48 labels none is for early stopping."""
    return train_flags(prepared, run_dir, "--model=clgan_plus", *SHORT, "--unlabelled=0", "--labels=4", *more)


def pretrain_flags(prepared, run_dir, *more):
    return ["--mode=pretrain", f"--dataset={prepared.directory}", f"--run_dir={run_dir}", *SHORT, *more]


@pytest.fixture(autouse=True)
def short_epochs(monkeypatch):
    monkeypatch.setattr(byte_phases, "STEPS_PER_EPOCH", 2)


@pytest.fixture(scope="module")
def whole(prepared, tmp_path_factory):
    """A run that nothing interrupted."""
    run = tmp_path_factory.mktemp("plus") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(byte_phases, "STEPS_PER_EPOCH", 2)
        assert main(plus_flags(prepared, run, "--baselines=supervised", "--score_on=validation")) == 0
    return run


def weights(run_dir) -> list[np.ndarray]:
    return keras.saving.load_model(run_dir / "classifier.keras", safe_mode=True).get_weights()


def assert_same(one, other) -> None:
    for first, second in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_run_has_a_trunk_a_classifier_and_scores_of_the_split_asked_for(whole, prepared):
    assert {"trunk.npz", "classifier.keras", "generated_sessions.png"} <= {path.name for path in whole.iterdir()}
    metrics = json.loads((whole / "metrics.json").read_text())
    assert list(metrics["systems"]) == ["clgan_plus", "supervised"]
    validation = prepared.read("validation")
    predicted = serving.load(whole / "classifier.keras").predict_bytes(validation.images).argmax(axis=1)
    assert np.mean(predicted == validation.labels) == pytest.approx(metrics["systems"]["clgan_plus"]["accuracy"])
    log = read_log(whole / "metrics.jsonl")
    assert [(epoch.phase, epoch.epoch) for epoch in log] == [
        (phase, epoch) for phase in ("pretraining", "finetuning", "supervised") for epoch in (1, 2)
    ]
    assert {"hidden_byte_loss", "detection_accuracy", "probability_real_filled"} <= set(log[0].values)


@pytest.mark.parametrize("phase", ["pretraining", "finetuning"])
def test_interrupted_and_resumed_it_gives_the_same_weights(whole, prepared, tmp_path, monkeypatch, phase):
    run = tmp_path / "run"
    flags = plus_flags(prepared, run)
    logged = callbacks.MetricsLog.on_epoch_end

    def interrupted(self, epoch, logs=None):
        logged(self, epoch, logs)
        if (self.phase, epoch) == (phase, 1):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.MetricsLog, "on_epoch_end", interrupted)
        assert main(flags) == 130
    assert (run / "trunk.npz").exists() == (phase == "finetuning")
    assert main([*flags, "--resume"]) == 0
    assert_same(whole, run)
    with np.load(whole / "trunk.npz") as one, np.load(run / "trunk.npz") as other:
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name])


def test_a_trunk_made_alone_is_the_runs_own(whole, prepared, tmp_path, capsys):
    assert main(pretrain_flags(prepared, tmp_path / "trunk")) == 0
    trunk = tmp_path / "trunk/trunk.npz"
    assert f"--init_from={trunk}" in capsys.readouterr().out
    assert main(plus_flags(prepared, tmp_path / "run", f"--init_from={trunk}")) == 0
    assert_same(whole, tmp_path / "run")
    assert main(pretrain_flags(prepared, tmp_path / "trunk")) == 2
    assert main(pretrain_flags(prepared, tmp_path / "trunk", "--resume", "--seed=4")) == 2


def test_phase_1_goes_on_from_a_trunk_and_an_interrupted_one_ends_the_same(
    whole, prepared, tmp_path, monkeypatch, capsys
):
    start = shutil.copy(whole / "trunk.npz", tmp_path / "trunk.npz")
    begun = f"--pretrain_from={start}"
    assert main(pretrain_flags(prepared, tmp_path / "whole", begun)) == 0
    facts = trunk_facts(tmp_path / "whole/trunk.npz")
    assert facts["begun_from"] == "trunk.npz"
    assert trunk_facts(whole / "trunk.npz")["begun_from"] == ""
    first, on = (read_log(run / "metrics.jsonl")[0].values["hidden_byte_loss"] for run in (whole, tmp_path / "whole"))
    assert on < first  # It knows what the other had to learn.
    flags = pretrain_flags(prepared, tmp_path / "stopped", begun)
    after_epoch = callbacks.SaveState.on_epoch_end

    def interrupted(self, epoch, logs=None):
        after_epoch(self, epoch, logs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.SaveState, "on_epoch_end", interrupted)
        assert main(flags) == 130
    start = shutil.move(start, tmp_path / "elsewhere.npz")
    assert main([*flags, "--resume"]) == 0  # Its own state is all that it needs.
    with np.load(tmp_path / "whole/trunk.npz") as one, np.load(tmp_path / "stopped/trunk.npz") as other:
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name])
    assert main(plus_flags(prepared, tmp_path / "run", f"--pretrain_from={start}")) == 0
    assert f"phase 1 begun from {start}" in capsys.readouterr().out


def trunk_facts(path) -> dict:
    with np.load(path) as arrays:
        return json.loads(arrays["facts"].tobytes())


@pytest.mark.parametrize("representation", ["l7", "packets"])
def test_the_trunks_that_come_with_the_package_know_what_bytes_follow_which(representation, demo_corpus):
    images = capture.load(sorted(demo_corpus.glob("unlabelled/*.pcap")), representation).images[:64, ..., np.newaxis]
    new = byte_phases.build(FillingSettings(), 0, 2)
    shipped = byte_phases.pretrained(images, 2, byte_phases.Schedule(0, 64, 1.0), 0, representation)
    losses = []
    for model in (new, shipped):
        model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
        losses += model.fit(tf.data.Dataset.from_tensors(images), verbose=0, shuffle=False).history["hidden_byte_loss"]
    assert losses[1] < losses[0] - 0.5  # nats a byte; most of a payload is encrypted, and stays near ln 256


@pytest.mark.parametrize(
    ("flags", "status", "told"),
    [
        (["--pretrain_from=none.npz"], 1, "--pretrain_from: none.npz: No such file"),
        (["--init_from=none.npz"], 1, "--init_from: none.npz: No such file"),
        (["--pretrain_from=shipped", "--pretraining_epochs=0"], 2, "--pretrain_from needs a phase 1"),
        (["--pretrain_from=shipped", "--init_from=shipped"], 2, "give one of them"),
        (["--pretrain_from=shipped"], 2, "made with --width=192, not 16"),
        (["--init_from=shipped"], 2, "made with --width=192, not 16"),
        (["--batch_size=3"], 2, "--batch_size=3 must be a multiple of 2"),
        (
            ["--model=random_forest", "--init_from=none.npz"],
            2,
            "--model=random_forest has no use for --init_from",
        ),
        (
            ["--model=auto", "--labels=2", "--labels_unit=per_class"],
            1,
            "--model=auto needs 3 labels of a class at least",
        ),
    ],
)
def test_what_phase_1_cannot_begin_from_is_refused(prepared, tmp_path, capsys, flags, status, told):
    assert main(plus_flags(prepared, tmp_path / "run", *flags)) == status
    assert told in capsys.readouterr().err
    assert not (tmp_path / "run").exists()  # so that the right command finds nothing in its way


def test_a_damaged_classifier_to_begin_from_leaves_no_run_behind(prepared, tmp_path, capsys):
    (tmp_path / "c.keras").write_bytes(b"no archive")
    assert main(plus_flags(prepared, tmp_path / "run", f"--init_from={tmp_path / 'c.keras'}")) == 1
    assert "c.keras is not a classifier of clgan_tf" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("name", "file"), [("pretrain_from", "trunk.npz"), ("init_from", "classifier.keras")])
def test_a_run_does_not_begin_from_what_it_would_replace(whole, prepared, capsys, name, file):
    assert main(plus_flags(prepared, whole, f"--{name}={whole / file}", "--overwrite")) == 2
    assert "lies in --run_dir" in capsys.readouterr().err
    assert (whole / file).exists()


def test_phase_1_does_not_go_on_from_a_classifier(whole, prepared, tmp_path, capsys):
    assert main(plus_flags(prepared, tmp_path / "run", f"--pretrain_from={whole / 'classifier.keras'}")) == 1
    assert "make it with --mode=pretrain" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_no_trunk_comes_for_every_representation(prepared, tmp_path, capsys, demo_corpus):
    dataset = [f"--dataset={tmp_path / 'masked'}", f"--source={demo_corpus}", "--representation=masked"]
    assert main(plus_flags(prepared, tmp_path / "run", *dataset, "--pretrain_from=shipped")) == 2
    assert "trunks of l7, packets come with clgan_tf, none of masked" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_temperature_is_fitted_on_labels_that_its_network_has_not_learned_from(
    whole, prepared, tmp_path, monkeypatch
):
    learned, learn = {}, byte_phases.learn_classes

    def recorded(model, labelled, unlabelled, *others):
        learned[others[4]] = set(labelled.sessions), unlabelled.count
        return learn(model, labelled, unlabelled, *others)

    monkeypatch.setattr(byte_phases, "learn_classes", recorded)
    run = tmp_path / "run"
    assert main(plus_flags(prepared, run, f"--init_from={whole / 'trunk.npz'}", "--labels=5")) == 0
    (whole_budget, pool), (others, same_pool) = learned["finetuning"], learned["held out"]
    assert (len(whole_budget), len(others), pool) == (60, 48, same_pool)
    assert others < whole_budget
    phases = [epoch.phase for epoch in read_log(run / "metrics.jsonl")]
    assert phases == ["finetuning", "finetuning", "held out", "held out"]  # The twin takes nothing from the log.
    reliability = read_result(run / "metrics.json").scores.reliability
    assert reliability.temperature == serving.load(run / "classifier.keras").head.temperature != 1
    # The same run without labels to spare is not scaled.
    assert read_result(whole / "metrics.json").scores.reliability.temperature == 1


def test_captures_without_any_label_are_enough_for_a_trunk(whole, prepared, tmp_path, capsys, demo_corpus):
    shutil.copytree(demo_corpus / "unlabelled", tmp_path / "captures/unlabelled")
    source, dataset = f"--source={tmp_path / 'captures'}", f"--dataset={tmp_path / 'data'}"
    run = tmp_path / "trunk"
    assert main(["--mode=pretrain", source, dataset, f"--run_dir={run}", *SHORT]) == 0
    for refused in (plus_flags(prepared, tmp_path / "none", dataset), ["--mode=audit", dataset]):
        assert main(refused) == 1
        assert "has no class, which serves --mode=pretrain alone" in capsys.readouterr().err
    assert main(plus_flags(prepared, tmp_path / "run", f"--init_from={run / 'trunk.npz'}")) == 0
    assert any(not np.array_equal(a, b) for a, b in zip(weights(whole), weights(tmp_path / "run"), strict=True))


def damaged(path, damage: str) -> str:
    """Spoils a copy of a trunk; returns what the sentence about it says."""
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
        return "No such file"
    if damage == "garbage":
        path.write_bytes(b"no archive")
        return "not a zip file"
    if damage == "torn":
        path.write_bytes(content[: len(content) // 2])
        return "not a zip file"
    with np.load(path) as arrays:
        values = dict(arrays)
    if damage == "other network":
        values["discriminator-3"] = values["discriminator-3"][:-1]
        told = "discriminator-3 has the shape"
    elif damage == "no facts":
        values["facts"] = np.frombuffer(b"{}", np.uint8)
        told = "missing required field `data`"
    elif damage == "pickle":
        values["facts"] = np.array([{"a": 1}], object)
        told = "allow_pickle=False"
    np.savez(path, **values)
    if damage in ("compression", "encryption"):  # of the first member, in its own header and in the directory
        spoilt, told = path.read_bytes(), "compression method" if damage == "compression" else "encrypted"
        own, listed = (8, 10) if damage == "compression" else (6, 8)
        for place in (own, spoilt.index(b"PK\x01\x02") + listed):
            spoilt = spoilt[:place] + (b"\x63" if damage == "compression" else b"\x01") + spoilt[place + 1 :]
        path.write_bytes(spoilt)
    if damage in ("claims", "header"):
        header = (
            b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000,), }"
            if damage == "claims"
            else b"(" * 80
        )
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("facts.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        told = "larger than this model's" if damage == "claims" else "not what this model needs"
    if damage == "bomb":
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("generator-0.npy", bytes(10 << 20))
        told = "larger than this model's"
    return told


@pytest.mark.parametrize(
    "damage",
    [
        *("missing", "garbage", "torn", "other network", "no facts", "pickle", "bomb"),
        *("compression", "encryption", "claims", "header"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_no_trunk_is_refused_with_a_sentence(whole, prepared, tmp_path, capsys, damage):
    trunk = tmp_path / "trunk.npz"
    trunk.write_bytes((whole / "trunk.npz").read_bytes())
    told = damaged(trunk, damage)
    assert main(plus_flags(prepared, tmp_path / "run", f"--init_from={trunk}")) == 1
    error = capsys.readouterr().err
    assert told in error
    assert str(trunk) in error
    assert (tmp_path / "run").exists() == (damage in ("other network", "bomb"))  # found where it is loaded


def test_a_trunk_of_other_networks_or_sessions_is_refused(whole, prepared, tmp_path, capsys, demo_corpus):
    flags = plus_flags(prepared, tmp_path / "run", f"--init_from={whole / 'trunk.npz'}")
    assert main([*flags, "--width=32"]) == 2
    assert "made with --width=16, not 32" in capsys.readouterr().err
    others = ["--overwrite", f"--dataset={tmp_path / 'l7'}", f"--source={demo_corpus}", "--representation=l7"]
    assert main([*flags, *others]) == 2
    assert "representation packets, not l7" in capsys.readouterr().err


def test_a_warm_start_knows_bytes_and_the_classes_of_the_same_names(whole, prepared):
    saved = serving.load(whole / "classifier.keras")
    names = ["new", *saved.class_names[:4:-1], "another"]
    model = byte_phases.build(FillingSettings(width=16), 7, len(names))
    images = prepared.read("test").images
    before = model.predict(images, verbose=0)
    former = warm_start.load(whole / "classifier.keras", model, replace(prepared.facts, class_names=names))
    said = former.predict(images, verbose=0)
    np.testing.assert_allclose(said[:, 1:-1], saved.logits(images)[:, :4:-1], atol=1e-5)
    logits = model.predict(images, verbose=0)
    learned = saved.logits(images) - saved.model.get_layer("ngrams")(images).numpy()  # which go by old classes alone
    np.testing.assert_allclose(logits[:, 1:-1], learned[:, :4:-1], atol=1e-5)
    np.testing.assert_allclose(said[:, [0, -1]], logits[:, [0, -1]], atol=1e-5)
    assert not np.allclose(logits[:, 0], before[:, 0])  # made of other features
    flat = model.network.get_layer("trunk").get_layer("logits").bias.numpy()
    assert flat[0] == flat[-1] == 0  # and of weights as new


def test_a_classifier_with_attention_does_not_start_a_network_without(prepared, tmp_path):
    attending = byte_phases.build(FillingSettings(width=16, attention=True), 0, len(prepared.facts.class_names))
    build_classifier(attending.classifier(), prepared.facts, prepared.read("validation").images).save(
        tmp_path / "a.keras"
    )
    plain = byte_phases.build(FillingSettings(width=16), 0, len(prepared.facts.class_names))
    with pytest.raises(ConfigError, match="or with --attention"):
        warm_start.load(tmp_path / "a.keras", plain, prepared.facts)


def test_a_run_starts_warm_and_refuses_what_is_no_classifier_of_its_kind(
    whole, prepared, tmp_path, capsys, demo_corpus
):
    given = shutil.copy(whole / "classifier.keras", tmp_path / "monday.keras")
    flags = plus_flags(prepared, tmp_path / "run", f"--init_from={given}")
    assert main(flags) == 0
    assert any(not np.array_equal(a, b) for a, b in zip(weights(whole), weights(tmp_path / "run"), strict=True))
    assert {epoch.phase for epoch in read_log(tmp_path / "run/metrics.jsonl")} == {"finetuning"}
    others = ["--overwrite", f"--dataset={tmp_path / 'l7'}", f"--source={demo_corpus}", "--representation=l7"]
    for change, words in (
        (["--overwrite", "--width=32"], "of another model, --width or --attention than this run's"),
        (["--overwrite", "--attention"], "of another model, --width or --attention than this run's"),
        (others, "made of sessions with representation packets, not l7"),
    ):
        assert main([*flags, *change]) == 2
        assert words in capsys.readouterr().err
    assert main(train_flags(prepared, tmp_path / "forest", "--model=random_forest", "--labels=4")) == 0
    forest = tmp_path / "forest/classifier.keras"
    assert main([*flags, "--overwrite", f"--init_from={forest}"]) == 2
    assert f"{forest} is of another model" in capsys.readouterr().err
    Path(given).write_bytes(b"no archive")
    assert main([*flags, "--overwrite"]) == 1
    assert "is not a classifier of clgan_tf" in capsys.readouterr().err


def test_phase_1_sees_every_training_session_once_and_its_sample(prepared):
    sizes = prepared.facts.sizes
    whole = every_session(prepared)
    assert whole.count == sizes["train"] + sizes["unlabelled"] == sum(1 for _ in images(whole))
    few = few_labels(prepared, 3, "per_class", 40, 0)
    assert few.every_session.count == 40 + few.facts.count == sum(1 for _ in images(few.every_session))
    few = few_labels(prepared, 3, "per_class", 0, 0)
    assert sum(1 for _ in images(few.every_session)) == whole.count


@pytest.mark.parametrize(("balance", "expected"), [(0.0, [0.9, 0.1]), (0.5, [0.75, 0.25]), (1.0, [0.5, 0.5])])
def test_small_classes_come_more_often_as_asked(prepared, balance, expected):
    train = prepared.read("train")
    first, second = (np.flatnonzero(train.labels == label) for label in (0, 1))
    labelled = train[np.concatenate([first[:27], second[:3]])]
    batches = balanced(labelled, 50, balance, seed=1).take(60)
    labels = np.concatenate([labels.numpy() for _, labels in batches])
    np.testing.assert_allclose(np.bincount(labels) / len(labels), expected, atol=0.03)


def test_the_average_of_weights_is_what_phase_2_leaves(monkeypatch):
    """After `fit` the weights are the average's, not the last step's."""
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    network.compile(byte_phases.Schedule(5, 1, 1.0).optimizer(weight_average=0.5), "mse")
    history = []
    step = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: history.append(float(network.get_weights()[0].item()))
    )
    network.fit(np.ones((10, 1)), np.ones((10, 1)), batch_size=1, verbose=0, callbacks=[step])
    expected = history[0]
    for value in history[1:]:
        expected = 0.5 * expected + 0.5 * value
    assert network.get_weights()[0].item() == pytest.approx(expected, rel=1e-5)
    assert history[-1] != pytest.approx(expected, rel=1e-5)


def test_the_learning_rate_rises_and_falls_with_the_phase():
    rate = byte_phases.Schedule(50, 1, 2.0).optimizer()._learning_rate
    assert [float(rate(step)) for step in (0, 5, 10, 100)] == pytest.approx([0, 1, 2, 0], abs=1e-6)


def test_only_clgan_plus_takes_what_is_its_own():
    assert {"width", "magnitude", "byte_weight"} <= models.takes(models.PLUS)
    assert not {"width", "magnitude", "byte_weight"} & models.takes("clgan")


def test_above_a_thousand_labels_phase_2_is_longer_so_that_each_is_seen_as_often(monkeypatch):
    monkeypatch.setattr(byte_phases, "STEPS_PER_EPOCH", 100)
    labels = (1, 1000, 1001, 2500, 4000, 26_123)
    assert [byte_phases.steps_of_finetuning(count) for count in labels] == [100, 100, 100, 250, 400, 400]


def test_its_learning_rate_falls_to_nothing_at_its_own_end(monkeypatch):
    monkeypatch.setattr(byte_phases, "MANY_LABELS", 20)
    rates = []

    class Rates(keras.callbacks.Callback):
        """The learning rate after each step."""

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            rates.append(float(self.model.optimizer.learning_rate))

    rng = np.random.default_rng(0)
    labelled = Examples.of_images(rng.integers(0, 256, (60, 28, 28, 1), np.uint8), np.arange(60) % 2)
    model = byte_phases.build(FillingSettings(width=16), 0, 2)
    schedule = byte_phases.Schedule(epochs=2, rows=8, rate=1e-3)
    byte_phases.learn_classes(model, labelled, in_memory(labelled.images[:0]), schedule, TuningSettings(), 0, [Rates()])
    assert len(rates) == 2 * 2 * 3
    assert max(rates) == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(0, abs=1e-9)
