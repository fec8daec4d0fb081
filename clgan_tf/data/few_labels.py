"""The sessions of one run: few with their label, many without; made in one place from a budget, its unit and a seed."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from clgan_tf.common.errors import DataError
from clgan_tf.data.dataset import Dataset
from clgan_tf.data.examples import UNLABELLED, Examples

STOPPING_SHARE = 5  # every fifth label of a class is for early stopping


@dataclass(frozen=True)
class Unlabelled:
    """The training sessions that do not show their label, and those of the unlabelled split.

    count: how many; shards: the files to read them from; shown: sessions, str [n], that are there but not among these;
    sample: the sessions themselves, where not all are used, in place of those files.
    """

    count: int
    shards: list[Path]
    shown: np.ndarray
    sample: Examples | None = None


@dataclass(frozen=True)
class LabelFacts:
    """What stands beside every figure about its labels.

    budget, unit: as asked for; count: all labels that the run may see; validation: those of them that are for early
    stopping; unlabelled: sessions without a label; fingerprint: SHA-256 of the labelled sessions' names.
    """

    budget: float
    unit: str
    count: int
    validation: int
    unlabelled: int
    fingerprint: str


@dataclass(frozen=True)
class FewLabels:
    """What a run trains on.

    labelled: sessions that show their label; validation: more of them, for early stopping, empty where the budget is
    too small to spare any; unlabelled: all others.
    """

    labelled: Examples
    validation: Examples
    unlabelled: Unlabelled
    facts: LabelFacts

    @property
    def whole_budget(self) -> Examples:
        """All labels, for systems that need no early stopping."""
        return Examples.concatenate([self.labelled, self.validation])

    @property
    def without_validation(self) -> "FewLabels":
        """For what is to be judged on the labels for early stopping: it must not learn from them."""
        return replace(self, validation=self.validation[np.arange(0)])

    @property
    def every_session(self) -> Unlabelled:
        """All sessions without their labels, those that show one too."""
        everything = self.unlabelled
        count = everything.count + self.facts.count
        sample = everything.sample
        if sample is not None:
            sample = Examples.concatenate([sample, self.whole_budget])
        return Unlabelled(count, everything.shards, np.array([], str), sample)


def in_memory(images: np.ndarray) -> Unlabelled:
    """Sessions of which nothing but their images, uint8 [n, 28, 28, 1], is known."""
    return Unlabelled(len(images), [], np.array([], str), Examples.of_images(images))


def every_session(dataset: Dataset) -> Unlabelled:
    """All training sessions and those of the unlabelled split, without labels."""
    sizes = dataset.facts.sizes
    return Unlabelled(sizes["train"] + sizes["unlabelled"], _shards(dataset), np.array([], str))


def _shards(dataset: Dataset) -> list[Path]:
    return [path for split in ("train", "unlabelled") for path in dataset.paths(split)]


def few_labels(dataset: Dataset, budget: float, unit: str, most_unlabelled: int, seed: int) -> FewLabels:
    """Chooses a run's labels from the training split.

    Args:
      budget, unit: see `choose`. It holds all labels that the run may see: of each class every fifth is for early
        stopping. With fewer than five a class on average none is, and phase 2 follows a fixed schedule.
      most_unlabelled: at most so many unlabelled sessions, a uniform sample; 0 = all.
      seed: for one seed smaller budgets lie inside larger ones, their labels for early stopping too.

    Raises:
      DataError: the training split does not serve the budget.
    """
    train = dataset.read("train")
    class_names = dataset.facts.class_names
    ranks = ranks_within_class(train.sessions, train.labels, seed)
    chosen = choose(train.labels, train.sessions, ranks, budget, unit, class_names)
    for_stopping = chosen & (ranks % STOPPING_SHARE == STOPPING_SHARE - 1)
    if chosen.sum() < STOPPING_SHARE * len(class_names):
        for_stopping &= False
    labelled, validation = train[chosen & ~for_stopping], train[for_stopping]
    count = len(train) - int(chosen.sum()) + dataset.facts.sizes["unlabelled"]
    unlabelled = Unlabelled(count, _shards(dataset), train.sessions[chosen])
    if 0 < most_unlabelled < unlabelled.count:
        whole = Examples.concatenate([train[~chosen], dataset.read("unlabelled")])
        sample = whole[sample_of(whole.sessions, most_unlabelled, seed)]
        unlabelled = replace(unlabelled, count=most_unlabelled, sample=sample)
    names = "\n".join(sorted(train.sessions[chosen]))
    facts = LabelFacts(
        budget,
        unit,
        int(chosen.sum()),
        len(validation),
        unlabelled.count,
        hashlib.sha256(names.encode()).hexdigest(),
    )
    return FewLabels(labelled, validation, unlabelled, facts)


def ranks_within_class(sessions: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """Each session's rank, 0 first, in its class, in an order that the seed decides: int64 [n]."""
    keys = np.array([hashlib.sha256(f"labels/{seed}/{session}".encode()).hexdigest() for session in sessions])
    ranks = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        ranks[rows[np.argsort(keys[rows])]] = np.arange(len(rows))
    return ranks


def choose(
    labels: np.ndarray, sessions: np.ndarray, ranks: np.ndarray, budget: float, unit: str, class_names: list[str]
) -> np.ndarray:
    """Which sessions show their label, bool [n].

    Args:
      labels: int64 [n], rows labelled UNLABELLED are never chosen; sessions: str [n]; ranks: see `ranks_within_class`.
      budget: how many in all ("total"), of each class ("per_class"; "per_class_at_most" takes all of a class that has
        fewer), or which share of the labelled sessions ("fraction", 0 < budget <= 1). Totals follow the classes'
        proportions, with one of each class at least.
      unit: one of these four names.

    Raises:
      DataError: there are fewer labelled sessions than the budget asks for, or it is too small for one of each class.
    """
    available = labels != UNLABELLED
    sizes = np.bincount(labels[available], minlength=len(class_names))
    if unit == "per_class":
        for name, size in zip(class_names, sizes, strict=True):
            if size < budget:
                raise DataError(
                    f"Class {name} has {size} training sessions, fewer than --labels={budget:g} per class; lower "
                    "--labels, add captures of that class, or take all it has: --labels_unit=per_class_at_most."
                )
    if unit in ("per_class", "per_class_at_most"):
        return available & (ranks < budget)
    total = round(budget * int(available.sum())) if unit == "fraction" else int(budget)
    if total < len(class_names):
        raise DataError(
            f"--labels={budget:g} gives {total} labels, and {len(class_names)} classes need one each at least; "
            f"raise it to {len(class_names)} labels or more."
        )
    if total > available.sum():
        raise DataError(
            f"--labels={total} labelled sessions were asked for and the training split has {available.sum()} (others "
            f"are held back in validation and test); give --labels={available.sum()} or less, lower --test_fraction or "
            "--validation_fraction, or add captures."
        )
    # (rank + 1/2) / class size walks all classes at the same pace, so any prefix has their proportions.
    pace = np.full(len(labels), np.inf)
    pace[available] = (ranks[available] + 0.5) / sizes[labels[available]]
    pace[available & (ranks == 0)] = 0.0  # one of each class comes first
    chosen = np.zeros(len(labels), bool)
    chosen[np.lexsort((sessions, pace))[:total]] = True
    return chosen


def sample_of(sessions: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Marks a uniform sample of `count` sessions, bool [n]; for one seed, smaller samples lie inside larger ones."""
    keys = [hashlib.sha256(f"unlabelled/{seed}/{session}".encode()).hexdigest() for session in sessions]
    chosen = np.zeros(len(sessions), bool)
    chosen[np.argsort(keys, kind="stable")[:count]] = True
    return chosen
