"""The label budget: what it holds, which labels are for early stopping, and that smaller ones lie inside larger ones."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clgan_tf.common.errors import DataError
from clgan_tf.data.examples import UNLABELLED, Examples
from clgan_tf.data.few_labels import choose, few_labels, ranks_within_class, sample_of

NAMES = ["a", "b", "c"]
LABELS = np.array([0] * 50 + [1] * 30 + [2] * 20 + [UNLABELLED] * 10)
SESSIONS = np.array([f"s{row}" for row in range(len(LABELS))], dtype=object)


def chosen(budget, unit, seed=0):
    return choose(LABELS, SESSIONS, ranks_within_class(SESSIONS, LABELS, seed), budget, unit, NAMES)


@given(small=st.integers(3, 100), large=st.integers(3, 100), seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_smaller_budgets_lie_inside_larger_ones_and_every_class_has_one(small, large, seed):
    small, large = sorted((small, large))
    few, many = chosen(small, "total", seed), chosen(large, "total", seed)
    assert few.sum() == small
    assert set(LABELS[few]) == {0, 1, 2}
    assert not (few & ~many).any()
    assert not (many & (LABELS == UNLABELLED)).any()


@pytest.mark.parametrize(
    ("budget", "unit", "per_class"),
    [
        (20, "total", [10, 6, 4]),
        (0.2, "fraction", [10, 6, 4]),
        (7, "per_class", [7, 7, 7]),
        (7, "per_class_at_most", [7, 7, 7]),
        (25, "per_class_at_most", [25, 25, 20]),
        (3, "total", [1, 1, 1]),
    ],
)
def test_units_of_a_budget(budget, unit, per_class):
    assert np.bincount(LABELS[chosen(budget, unit)]).tolist() == per_class


@pytest.mark.parametrize(
    ("budget", "unit", "words"),
    [
        (21, "per_class", "Class c has 20 training sessions.*--labels_unit=per_class_at_most"),
        (101, "total", "the training split has 100 .*give --labels=100 or less"),
        (2, "total", "--labels=2 gives 2 labels, and 3 classes need one each at least; raise it to 3"),
        (0.02, "fraction", "3 classes need one each"),
    ],
)
def test_a_budget_that_cannot_be_served_names_the_class_or_the_total(budget, unit, words):
    with pytest.raises(DataError, match=words):
        chosen(budget, unit)


def dataset():
    """What few_labels needs of a data set: 100 labelled and 10 unlabelled sessions."""
    images = np.arange(110, dtype=np.uint8)[:, None, None, None] * np.ones((1, 28, 28, 1), np.uint8)
    whole = Examples(images, LABELS, SESSIONS, SESSIONS, np.ones(110, np.int64))
    parts = {"train": whole[LABELS >= 0], "unlabelled": whole[LABELS < 0]}
    facts = SimpleNamespace(class_names=NAMES, sizes={name: len(part) for name, part in parts.items()})
    return SimpleNamespace(facts=facts, read=parts.__getitem__, paths=lambda split: [])


@given(budget=st.integers(3, 100), seed=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_the_budget_holds_all_labels_that_a_run_may_see(budget, seed):
    few = few_labels(dataset(), budget, "total", 0, seed)
    assert len(few.labelled) + len(few.validation) == budget == few.facts.count
    assert not set(few.labelled.sessions) & set(few.validation.sessions)
    assert set(few.labelled.labels) == {0, 1, 2}
    assert set(few.unlabelled.shown) == {*few.labelled.sessions, *few.validation.sessions}
    assert few.unlabelled.count == 110 - budget
    assert set(few.whole_budget.sessions) == set(few.unlabelled.shown)
    if budget < 15:
        assert not len(few.validation)
    else:
        of_class = np.bincount(LABELS[chosen(budget, "total", seed)])
        assert np.bincount(few.validation.labels, minlength=3).tolist() == (of_class // 5).tolist()


@given(small=st.integers(15, 100), large=st.integers(15, 100))
@settings(max_examples=30, deadline=None)
def test_the_labels_for_early_stopping_are_nested_too(small, large):
    few, many = (few_labels(dataset(), budget, "total", 0, 1) for budget in sorted((small, large)))
    assert set(few.validation.sessions) <= set(many.validation.sessions)
    assert set(few.labelled.sessions) <= set(many.labelled.sessions)


def test_a_sample_of_unlabelled_sessions_holds_no_session_of_the_budget_and_is_nested():
    few = few_labels(dataset(), 20, "total", 40, 0)
    assert few.unlabelled.count == len(few.unlabelled.sample) == few.facts.unlabelled == 40
    assert not set(few.unlabelled.sample.sessions) & set(few.unlabelled.shown)
    assert few_labels(dataset(), 20, "total", 90, 0).unlabelled.sample is None  # all that are left
    assert not (sample_of(SESSIONS, 10, 0) & ~sample_of(SESSIONS, 30, 0)).any()
