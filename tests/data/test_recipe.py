"""The recipe as prepare applies it, its rules one by one, and that both ways to a data set give the same one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clgan_tf.common.errors import DataError
from clgan_tf.data import recipe
from clgan_tf.data.dataset import fingerprint, proof
from clgan_tf.data.examples import UNLABELLED, Examples
from clgan_tf.data.prepare import fates_of, split
from clgan_tf.data.recipe import Fate, Member, Plan


def examples(contents: list[int], labels: list[int], sessions: list[str] | None = None, captures: str = "") -> Examples:
    count = len(contents)
    images = np.zeros((count, 28, 28, 1), np.uint8)
    images[:, 0, 0, 0] = contents
    return Examples(
        images,
        np.array(labels, np.int64),
        np.array(list(captures or "c" * count), dtype=object),
        np.array(sessions or [f"s{row}" for row in range(count)], dtype=object),
        np.ones(count, np.int64),
    )


def kept(data: Examples, is_test: list[bool] | None = None) -> list[bool]:
    return [fate is Fate.KEPT for fate in fates_of(data, None if is_test is None else np.array(is_test))]


rows = st.lists(st.tuples(st.integers(0, 12), st.integers(-1, 2)), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None)
@given(rows=rows)
def test_afterwards_every_image_is_there_once_with_one_label(rows):
    contents, labels = zip(*rows, strict=True)
    fates = np.array(fates_of(examples(list(contents), list(labels))))
    seen = {}
    for content, label in rows:
        seen.setdefault(content, set()).add(label)
    for content, its_labels in seen.items():
        here = np.array(contents) == content
        known = its_labels - {UNLABELLED}
        if len(known) > 1:
            assert set(fates[here]) == {Fate.CONFLICT}
        else:
            assert (fates[here] == Fate.KEPT).sum() == 1
            # A labelled copy wins over unlabelled ones.
            assert set(np.array(labels)[here & (fates == Fate.KEPT)]) == (known or {UNLABELLED})


def test_of_equal_images_a_published_test_row_stays():
    assert kept(examples([5, 5, 6], [0, 0, 1]), [False, True, False]) == [False, True, True]


def test_a_session_with_two_images_stays_once():
    assert fates_of(examples([1, 2, 3], [0, 0, 0], ["same", "same", "other"])) == ["kept", "duplicates", "kept"]


def test_a_session_of_two_classes_is_a_conflict_even_with_different_images():
    data = examples([1, 2, 3], [0, 1, 1], ["same", "same", "other"])
    assert fates_of(data) == ["conflicts", "conflicts", "kept"]


def test_both_flows_of_a_session_are_a_conflict_if_one_carries_two_labels():
    data = examples([1, 2, 3], [0, 0, 1], ["s#0", "s#1", "s#0"], "aab")
    assert fates_of(data) == ["conflicts", "conflicts", "conflicts"]


def test_an_image_of_two_labels_is_a_conflict_even_where_one_copy_goes_anyway():
    """Session s is in captures a and b; its copy in b is a duplicate, and shows that the image carries two labels."""
    data = examples([1, 2, 2], [0, 0, 1], ["s", "s", "t"], "abc")
    assert fates_of(data) == ["kept", "conflicts", "conflicts"]


def test_the_flows_of_a_session_that_two_captures_hold_stay_in_one_split():
    """One capture has a label and one direction, the other both: its other direction would be unlabelled."""
    data = examples([1, 2, 3, 4, 3], [0, -1, -1, -1, -1], ["s#0", "s#0", "s#1", "t#0", "u#0"], "abbbb")
    # What goes with the other capture's copy does not take the image of another session with it.
    assert kept(data) == [True, False, False, True, True]


@settings(max_examples=60, deadline=None)
@given(rows=rows, order=st.randoms(use_true_random=False), seed=st.integers(0, 5))
def test_splits_share_nothing_and_do_not_depend_on_order(rows, order, seed):
    contents, labels = zip(*rows, strict=True)
    data = examples(list(contents), list(labels))
    shuffled = data[np.array(order.sample(range(len(data)), len(data)))]
    plan = Plan(seed, 0.3, 0.3)
    splits, other = (split(these, None, fates_of(these), plan) for these in (data, shuffled))
    assert proof(splits) == {"shared_images": 0, "shared_sessions": 0}
    assert sum(map(len, splits.values())) == sum(kept(data))
    assert all(UNLABELLED not in splits[name].labels for name in recipe.OWN_SPLITS)
    assert fingerprint(splits) == fingerprint(other)


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5), seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_every_class_gives_its_exact_share_and_every_split_one_if_there_are_three(sizes, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes).tolist()
    data = examples(list(range(len(labels))), labels)
    splits = split(data, None, [Fate.KEPT] * len(data), Plan(seed, 0.2, 0.1))
    for label, size in enumerate(sizes):
        tests, validations = (int((splits[name].labels == label).sum()) for name in ("test", "validation"))
        assert tests == max(round(0.2 * size), int(size >= 3))
        assert validations == max(round(0.1 * (size - tests)), int(size - tests >= 2))


@given(seed=st.integers(0, 50))
def test_both_flows_of_a_session_fall_into_one_split(seed):
    data = examples(list(range(40)), [0] * 20 + [1] * 20, [f"s{row // 2}#{row % 2}" for row in range(40)])
    splits = split(data, None, [Fate.KEPT] * 40, Plan(seed, 0.3, 0.1))
    assert proof(splits) == {"shared_images": 0, "shared_sessions": 0}
    assert np.bincount(splits["test"].labels).tolist() == [6, 6]


def test_a_published_test_part_is_the_test_split():
    data = examples(list(range(20)), [0] * 20)
    is_test = np.arange(20) < 5
    splits = split(data, is_test, [Fate.KEPT] * 20, Plan(0, 0.5, 0.2, has_published_test=True))
    assert set(splits["test"].sessions) == set(data.sessions[:5])
    assert len(splits["validation"]) == 3


def test_a_cap_is_the_same_sample_whatever_the_splits():
    data = examples(list(range(60)), [0] * 50 + [1] * 10)
    capped = [split(data, None, [Fate.KEPT] * 60, Plan(0, share, 0.2, cap_per_class=20)) for share in (0.2, 0.5)]
    for splits in capped:
        assert sum((splits[name].labels == 0).sum() for name in recipe.OWN_SPLITS) == 20
        assert sum((splits[name].labels == 1).sum() for name in recipe.OWN_SPLITS) == 10
    one, other = (
        {*splits["train"].sessions, *splits["validation"].sessions, *splits["test"].sessions} for splits in capped
    )
    assert one == other


def test_whole_captures_are_split_and_classes_with_too_few_are_told():
    captures = {0: list("abcdefghij"), 1: ["x", "y"], 2: ["k", "l", "m"]}
    splits, not_served = recipe.split_captures(captures, 0.2, 0.1, seed=0)
    assert not_served == [1]
    assert [[splits[name] for name in captures[0]].count(split) for split in recipe.OWN_SPLITS] == [7, 1, 2]
    assert sorted(splits[name] for name in captures[2]) == ["test", "train", "validation"]
    with pytest.raises(DataError, match="1 classes have the 3 captures"):
        recipe.split_captures({0: list("abc"), 1: ["x"]}, 0.2, 0.1, seed=0)


def test_a_leak_is_found():
    shared = proof({"train": examples([1, 2], [0, 0]), "test": examples([2], [0], ["t"])})
    assert shared == {"shared_images": 1, "shared_sessions": 0}
    shared = proof({"train": examples([1], [0], ["t#0"]), "test": examples([2], [0], ["t#1"])})
    assert shared == {"shared_images": 0, "shared_sessions": 1}
    with pytest.raises(DataError, match="share 0 images and 1 sessions"):
        recipe.check_proof(**shared)


def test_the_fingerprint_tells_split_session_label_and_image():
    base = (("train", "s", 0, bytes(784)), ("test", "t", 1, bytes(784)))
    whole = recipe.fingerprint(recipe.digest(*one) for one in base)
    assert len(whole) == 64
    assert whole == recipe.fingerprint([sum(recipe.digest(*one) for one in base[::-1])])
    for changed in (("test", "s", 0, bytes(784)), ("train", "u", 0, bytes(784)), ("train", "s", 1, bytes(784))):
        assert whole != recipe.fingerprint(recipe.digest(*one) for one in (changed, base[1]))
    assert whole != recipe.fingerprint([recipe.digest(*base[0])])


def test_a_member_is_preferred_by_published_test_label_and_name():
    members = [
        Member(-1, "a", "c"),
        Member(0, "z", "c"),
        Member(0, "b", "c"),
        Member(0, "y", "c", is_published_test=True),
    ]
    assert sorted(members, key=lambda member: member.preference) == [members[3], members[2], members[1], members[0]]


def test_all_classes_that_lack_a_session_in_some_split_are_named_at_once():
    sizes = {"train": {"a": 5, "b": 1}, "validation": {"a": 1, "d": 1}, "test": {"a": 1, "b": 1}}
    with pytest.raises(DataError) as error:
        recipe.check_classes(sizes, ["a", "b", "c", "d"])
    assert str(error.value) == (
        "Class c has no session in the train split: it has 0 after de-duplication, and every split needs one; add some, "
        "or take the class out. Too few too: d with 1, b with 2."
    )
