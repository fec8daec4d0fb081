import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clgan_tf.data.dataset import prove_no_leak
from clgan_tf.data.examples import UNLABELLED, Examples, fingerprint
from clgan_tf.data.splits import choose_labelled, deduplicate, split_off
from clgan_tf.errors import DataError


def examples(contents: list[int], labels: list[int], sessions: list[str] | None = None) -> Examples:
    count = len(contents)
    images = np.zeros((count, 28, 28, 1), np.uint8)
    images[:, 0, 0, 0] = contents
    names = sessions or [f"s{row}" for row in range(count)]
    return Examples(
        images,
        np.array(labels, np.int64),
        np.array(["c"] * count, dtype=object),
        np.array(names, dtype=object),
        np.ones(count, np.int64),
    )


rows = st.lists(st.tuples(st.integers(0, 12), st.integers(-1, 2)), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None)
@given(rows=rows)
def test_after_deduplication_every_image_is_there_once_with_one_label(rows):
    contents, labels = zip(*rows, strict=True)
    data = examples(list(contents), list(labels))
    found = deduplicate(data)
    assert np.array_equal(found.kept.astype(int) + found.duplicates + found.conflicts, np.ones(len(data)))
    seen = {}
    for content, label in rows:
        seen.setdefault(content, set()).add(label)
    for content, its_labels in seen.items():
        here = data.images[:, 0, 0, 0] == content
        known = its_labels - {UNLABELLED}
        if len(known) > 1:
            assert found.conflicts[here].all()
        else:
            assert found.kept[here].sum() == 1
            # A labelled copy wins over unlabelled ones.
            assert set(data.labels[found.kept & here]) == (known or {UNLABELLED})


def test_of_equal_images_a_published_test_row_stays():
    data = examples([5, 5, 6], [0, 0, 1])
    assert deduplicate(data, np.array([False, True, False])).kept.tolist() == [False, True, True]


def test_a_session_with_two_images_stays_once():
    data = examples([1, 2, 3], [0, 0, 0], ["same", "same", "other"])
    found = deduplicate(data)
    assert found.kept.sum() == 2
    assert found.duplicates.sum() == 1


@settings(max_examples=60, deadline=None)
@given(rows=rows, order=st.randoms(use_true_random=False), seed=st.integers(0, 5))
def test_splits_share_nothing_and_do_not_depend_on_order(rows, order, seed):
    contents, labels = zip(*rows, strict=True)
    data = examples(list(contents), list(labels))
    shuffled = data[np.array(order.sample(range(len(data)), len(data)))]

    def split(these: Examples) -> dict[str, Examples]:
        these = these[deduplicate(these).kept]
        test = split_off(these, 0.3, seed, "test")
        validation = split_off(these[~test], 0.3, seed, "validation")
        return {"test": these[test], "validation": these[~test][validation], "train": these[~test][~validation]}

    splits = split(data)
    assert prove_no_leak(splits) == {"shared_images": 0, "shared_sessions": 0}
    assert sum(map(len, splits.values())) == deduplicate(data).kept.sum()
    assert UNLABELLED not in splits["test"].labels
    assert fingerprint(splits) == fingerprint(split(shuffled))


def test_a_session_of_two_classes_is_a_conflict_even_with_different_images():
    data = examples([1, 2, 3], [0, 1, 1], ["same", "same", "other"])
    assert deduplicate(data).conflicts.tolist() == [True, True, False]


@given(seed=st.integers(0, 50))
def test_both_flows_of_a_session_fall_into_one_split(seed):
    data = examples(list(range(40)), [0] * 20 + [1] * 20, [f"s{row // 2}#{row % 2}" for row in range(40)])
    test = split_off(data, 0.3, seed, "test")
    assert test[0::2].tolist() == test[1::2].tolist()
    assert np.bincount(data.labels[test]).tolist() == [6, 6]


def test_every_class_gives_its_share():
    data = examples(list(range(100)), [0] * 60 + [1] * 40)
    test = split_off(data, 0.25, 0, "test")
    assert np.bincount(data.labels[test]).tolist() == [15, 10]
    assert not np.array_equal(test, split_off(data, 0.25, 1, "test"))


def test_a_leak_is_found():
    with pytest.raises(DataError, match="'shared_images': 1"):
        prove_no_leak({"train": examples([1, 2], [0, 0]), "test": examples([2], [0], ["t"])})
    with pytest.raises(DataError, match="'shared_sessions': 1"):
        prove_no_leak({"train": examples([1], [0], ["t"]), "test": examples([2], [0], ["t"])})


NAMES = ["a", "b", "c"]
LABELS = np.array([0] * 50 + [1] * 30 + [2] * 20 + [UNLABELLED] * 10)
SESSIONS = np.array([f"s{row}" for row in range(len(LABELS))], dtype=object)


@given(small=st.integers(1, 100), large=st.integers(1, 100), seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_smaller_budgets_lie_inside_larger_ones(small, large, seed):
    small, large = sorted((small, large))
    few = choose_labelled(SESSIONS, LABELS, small, "total", seed, NAMES)
    many = choose_labelled(SESSIONS, LABELS, large, "total", seed, NAMES)
    assert few.sum() == small
    assert not (few & ~many).any()
    assert not (many & (LABELS == UNLABELLED)).any()


@pytest.mark.parametrize(
    ("budget", "unit", "per_class"),
    [(20, "total", [10, 6, 4]), (0.2, "fraction", [10, 6, 4]), (7, "per_class", [7, 7, 7])],
)
def test_units_of_a_budget(budget, unit, per_class):
    chosen = choose_labelled(SESSIONS, LABELS, budget, unit, 0, NAMES)
    assert np.bincount(LABELS[chosen]).tolist() == per_class


@pytest.mark.parametrize(
    ("budget", "unit", "words"),
    [(21, "per_class", "Class c has 20 training sessions"), (101, "total", "the training split has 100")],
)
def test_too_large_a_budget_names_the_class_or_the_total(budget, unit, words):
    with pytest.raises(DataError, match=words):
        choose_labelled(SESSIONS, LABELS, budget, unit, 0, NAMES)


def test_the_flows_of_a_session_that_two_captures_hold_stay_in_one_split():
    """One capture has a label and one direction, the other both: its other direction would be unlabelled."""
    data = examples([1, 2, 3, 4, 3], [0, -1, -1, -1, -1], ["s#0", "s#0", "s#1", "t#0", "u#0"])
    data.captures[:] = ["a", "b", "b", "b", "b"]
    # What goes with the other capture's copy does not take the image of another session with it.
    assert deduplicate(data).kept.tolist() == [True, False, False, True, True]
