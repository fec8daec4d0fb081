"""Leak-free splits: de-duplication, then whole sessions to train, validation and test, then label budgets.

Every choice is a function of a seed and a session's identifier, never of the order of input, so the
same sessions give the same splits from any number of files or workers.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from clgan_tf.data.examples import UNLABELLED, Examples, session_groups
from clgan_tf.errors import DataError

LEAST_CAPTURES = 3  # of a class that is split by capture: one for each split


@dataclass(frozen=True)
class Deduplicated:
    """What de-duplication kept, and masks of what it removed: bool [n] over its input."""

    kept: np.ndarray
    duplicates: np.ndarray
    conflicts: np.ndarray


def deduplicate(examples: Examples, keep_first: np.ndarray | None = None) -> Deduplicated:
    """Keeps one session of every distinct image, and none of an image or a session that carries two labels.

    A session identifier that comes twice with different images also stays once.

    Of equal images the one kept is, in this order: one marked in `keep_first` (bool [n]; the rows of a
    published test split), a labelled one, the one with the smallest session identifier. An
    unlabelled copy of a labelled image is a duplicate, not a conflict.
    """
    count = len(examples)
    first = np.zeros(count, bool) if keep_first is None else keep_first
    hashes = examples.image_hashes()
    unlabelled = examples.labels == UNLABELLED
    order = np.lexsort((examples.sessions, unlabelled, ~first))
    # A session that several captures hold stays as one of them has it: its flows must not come apart.
    names, captures = session_groups(examples.sessions).astype(str)[order], examples.captures.astype(str)[order]
    _, first_of_session, session = np.unique(names, return_index=True, return_inverse=True)
    order = order[captures == captures[first_of_session][session]]
    _, group = np.unique(hashes, return_inverse=True)
    duplicates = np.ones(count, bool)
    _, first_of_group = np.unique(group[order], return_index=True)
    duplicates[order[first_of_group]] = False
    # Two captures of one session may hold different parts of it: different images, the same session.
    remaining = order[~duplicates[order]]
    _, first_of_session = np.unique(examples.sessions[remaining].astype(str), return_index=True)
    repeated = np.setdiff1d(np.arange(len(remaining)), first_of_session)
    duplicates[remaining[repeated]] = True

    _, session = np.unique(examples.sessions.astype(str), return_inverse=True)
    conflicts = _carry_two_labels(group, examples.labels) | _carry_two_labels(session, examples.labels)
    return Deduplicated(~duplicates & ~conflicts, duplicates & ~conflicts, conflicts)


def _carry_two_labels(group: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Marks the rows, bool [n], whose group (int [n], counted from 0) has rows of two different labels."""
    labelled = labels != UNLABELLED
    lowest = np.full(group.max(initial=-1) + 1, np.iinfo(np.int64).max)
    highest = np.full(group.max(initial=-1) + 1, -1)
    np.minimum.at(lowest, group[labelled], labels[labelled])
    np.maximum.at(highest, group[labelled], labels[labelled])
    return (highest > lowest)[group]


def order_within_class(sessions: np.ndarray, labels: np.ndarray, seed: int, purpose: str) -> np.ndarray:
    """Each row's rank, 0 first, in its class, in an order that seed and purpose decide: int64 [n].

    Rows of one group (both flows of a session, or rows given equal identifiers) have one rank.
    """
    keys = np.array([hashlib.sha256(f"{purpose}/{seed}/{session}".encode()).hexdigest() for session in sessions])
    ranks = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        ranks[rows] = np.unique(keys[rows], return_inverse=True)[1]
    return ranks


def split_off(examples: Examples, fraction: float, seed: int, purpose: str) -> np.ndarray:
    """Marks `fraction` of every class's sessions (rounded), bool [n]; unlabelled sessions are never marked.

    Both flows of a session are marked or neither.
    """
    ranks = order_within_class(session_groups(examples.sessions), examples.labels, seed, purpose)
    labelled = examples.labels != UNLABELLED
    sizes = np.zeros(examples.labels.max(initial=0) + 1, np.int64)
    np.maximum.at(sizes, examples.labels[labelled], ranks[labelled] + 1)
    wanted = np.round(sizes * fraction)
    return labelled & (ranks < wanted[np.where(labelled, examples.labels, 0)])


def choose_labelled(
    sessions: np.ndarray, labels: np.ndarray, budget: float, unit: str, seed: int, class_names: list[str]
) -> np.ndarray:
    """Which training sessions show their label, bool [n]; for one seed, smaller budgets lie inside larger ones.

    Args:
      sessions: str [n]; labels: int64 [n], rows labelled UNLABELLED are never chosen.
      budget: how many sessions in all ("total") or of each class ("per_class"), or which share of the
        labelled sessions ("fraction", 0 < budget <= 1). Totals follow the classes' proportions.
      unit: "total", "per_class" or "fraction".

    Raises:
      DataError: there are fewer labelled sessions than the budget asks for.
    """
    available = labels != UNLABELLED
    sizes = np.bincount(labels[available], minlength=len(class_names))
    ranks = order_within_class(sessions, labels, seed, "labels")
    if unit == "per_class":
        for name, size in zip(class_names, sizes, strict=True):
            if size < budget:
                raise DataError(
                    f"Class {name} has {size} training sessions, fewer than --labels={budget:g} per class; "
                    "lower --labels or add captures of that class."
                )
        return available & (ranks < budget)
    total = round(budget * int(available.sum())) if unit == "fraction" else int(budget)
    if total < 1:
        raise DataError(f"--labels={budget:g} of {available.sum()} training sessions is none; raise --labels.")
    if total > available.sum():
        raise DataError(
            f"--labels={total} labelled sessions were asked for and the training split has {available.sum()}; "
            "lower --labels or add captures."
        )
    # (rank + 1/2) / class size walks all classes at the same pace, so any prefix has their proportions.
    pace = np.full(len(labels), np.inf)
    pace[available] = (ranks[available] + 0.5) / sizes[labels[available]]
    chosen = np.zeros(len(labels), bool)
    chosen[np.lexsort((sessions, pace))[:total]] = True
    return chosen


def sample(sessions: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Marks a uniform sample of `count` sessions, bool [n]; for one seed, smaller samples lie inside larger ones."""
    keys = [hashlib.sha256(f"unlabelled/{seed}/{session}".encode()).hexdigest() for session in sessions]
    chosen = np.zeros(len(sessions), bool)
    chosen[np.argsort(keys, kind="stable")[:count]] = True
    return chosen


def split_captures(
    captures: dict[int, list[str]], test_fraction: float, validation_fraction: float, seed: int
) -> tuple[dict[str, str], list[int]]:
    """Whole captures to splits, so that no capture is in two of them.

    Args:
      captures: the captures of every label. test_fraction: of captures; validation_fraction: of what test leaves.

    Returns:
      The split of each capture, and the labels that cannot be served: they have fewer than LEAST_CAPTURES.

    Raises:
      DataError: no label can be served twice: there is nothing to tell apart.
    """
    splits: dict[str, str] = {}
    not_served = []
    for label, names in sorted(captures.items()):
        ordered = sorted(set(names), key=lambda name: hashlib.sha256(f"capture/{seed}/{name}".encode()).hexdigest())
        if len(ordered) < LEAST_CAPTURES:
            not_served.append(label)
            continue
        tests = max(1, round(test_fraction * len(ordered)))
        validations = max(1, round(validation_fraction * (len(ordered) - tests)))
        for place, name in enumerate(ordered):
            splits[name] = "test" if place < tests else "validation" if place < tests + validations else "train"
    if len(captures) - len(not_served) < 2:
        raise DataError(
            f"{len(captures) - len(not_served)} classes have the {LEAST_CAPTURES} captures that a split by capture "
            "needs, one for each split; add captures, or split by session."
        )
    return splits, not_served
