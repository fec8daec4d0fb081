"""--model=auto: what it has not seen is what it is judged on, and the best of that is what is kept."""

from dataclasses import replace

import numpy as np
import pytest

from clgan_tf import models, serving
from clgan_tf.data.examples import Examples
from clgan_tf.data.few_labels import FewLabels, LabelFacts, in_memory
from clgan_tf.main import main
from clgan_tf.runs.result import read_result
from clgan_tf.training import byte_phases
from clgan_tf.training.choice import FOLDS, choose
from tests.conftest import train_flags

NAMES = ["a", "b", "c"]


@pytest.fixture
def few():
    """Thirty sessions of three classes, each recognised by its first byte, of which every fifth is for stopping."""
    labels = np.arange(30) % 3
    images = np.zeros((30, 28, 28, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(30)
    sessions = np.array([f"session {number}" for number in range(30)])
    budget = Examples(images, labels, sessions, sessions, np.full(30, 784))
    stopping = np.arange(30) % 5 == 4
    return FewLabels(budget[~stopping], budget[stopping], in_memory(images[:0]), LabelFacts(30, "total", 30, 6, 0, ""))


def test_every_label_is_held_out_once_and_never_learned_from_then(few):
    seen = []

    def trained(name, budget, phase):
        learned = set(budget.whole_budget.images[:, 0, 0, 0].tolist())

        def logits(images):
            numbers = images[:, 0, 0, 0].tolist()
            seen.append((name, phase, numbers))
            assert not learned & set(numbers)
            assert len(learned) + len(numbers) == 30
            right = np.eye(3)[np.array(numbers) % 3]
            return right * (5 if name == "good" else -5)

        return logits

    choice = choose(["bad", "good", "as good"], few, NAMES, 0, trained)
    assert choice.model == "good"
    assert choice.f1["good"] == 1 > choice.f1["bad"]
    assert choice.temperature < 1
    for name in ("bad", "good"):
        numbers = [number for one, _, held_out in seen if one == name for number in held_out]
        assert sorted(numbers) == list(range(30))
    assert len({phase for _, phase, _ in seen}) == FOLDS


def test_a_class_of_a_single_label_does_not_decide_how_sure_to_be(few):
    """In its fold nothing is learned of it, and its logit says so, right or wrong."""
    single = few.whole_budget[np.arange(30) <= 24]
    single = single[(single.labels < 2) | (np.arange(25) == 2)]
    few = replace(few, labelled=single, validation=single[:0])

    def trained(name, budget, phase):
        shown = np.isin(np.arange(3), budget.whole_budget.labels)
        return lambda images: np.where(shown, 5.0 * np.eye(3)[images[:, 0, 0, 0] % 3], -1000.0)

    assert choose(["good"], few, NAMES, 0, trained).temperature < 1


def test_of_equals_the_first_is_chosen(few):
    choice = choose(["one", "other"], few, NAMES, 0, lambda *_: lambda images: np.zeros((len(images), 3)))
    assert (choice.model, set(choice.f1)) == ("one", {"one", "other"})


def test_a_run_keeps_the_best_and_says_by_how_much(prepared, demo_corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(byte_phases, "STEPS_PER_EPOCH", 1)  # Forests are better than that.
    run = tmp_path / "run"
    flags = [
        "--model=auto",
        "--nosettles_last_layer",
        "--unlabelled=0",
        "--width=16",
        "--pretraining_epochs=1",
        "--finetuning_epochs=1",
    ]
    assert main(train_flags(prepared, run, *flags)) == 0
    result = read_result(run / "metrics.json")
    assert list(result.systems) == ["auto"]
    assert set(result.choice) == set(models.CANDIDATES)
    best = max(result.choice, key=result.choice.get)
    assert best in ("random_forest", "extra_trees")
    printed = capsys.readouterr().out
    assert f"Chosen: {models.title(best)}, macro-F1 {100 * result.choice[best]:.1f} on labels held out" in printed
    classifier = serving.load(run / "classifier.keras")
    assert classifier.model.get_layer("trees")
    test = prepared.read("test")
    predicted = classifier.predict_bytes(test.images).argmax(axis=1)
    assert np.mean(predicted == test.labels) == pytest.approx(result.scores.accuracy)
    assert f"Chosen: {models.title(best)}" in (run / "model_card.md").read_text()
