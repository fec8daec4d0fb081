"""Which of several systems serves a label budget best: cross-validation within that budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clgan_tf.common.errors import DataError
from clgan_tf.data.few_labels import FewLabels, ranks_within_class
from clgan_tf.evaluation.metrics import score
from clgan_tf.models.calibration import fitted_temperature
from clgan_tf.runs.log import HELD_OUT

FOLDS = 3
Logits = Callable[[np.ndarray], np.ndarray]  # of images uint8 [n, 28, 28, 1]: float [n, K]


@dataclass(frozen=True)
class Choice:
    """The system with the best macro-F1, that of every candidate, and the chosen one's temperature."""

    model: str
    f1: dict[str, float]
    temperature: float


def require_folds(few: FewLabels) -> None:
    """Raises DataError where some fold would have no session: no class has a label for each."""
    budget = few.whole_budget
    if np.bincount(budget.labels).max() < FOLDS:
        raise DataError(f"--model=auto needs {FOLDS} labels of a class at least; raise --labels, or choose a model.")


def choose(
    candidates: Sequence[str],
    few: FewLabels,
    class_names: list[str],
    seed: int,
    trained: Callable[[str, FewLabels, str], Logits],
) -> Choice:
    """Each candidate names every labelled session after it has learned from the two thirds that it is not in.

    Args:
      trained: gives what a candidate, by its name, makes of a budget; and a phase's name, for logs.
    """
    budget = few.whole_budget
    folds = ranks_within_class(budget.sessions, budget.labels, seed) % FOLDS
    f1, temperatures = {}, {}
    for name in candidates:
        logits, is_shown = np.zeros((len(budget), len(class_names)), np.float32), np.ones(len(budget), bool)
        for fold in range(FOLDS):
            held_out = folds == fold
            others = replace(few.without_validation, labelled=budget[~held_out])
            is_shown[held_out] = np.isin(budget.labels[held_out], others.labelled.labels)
            logits[held_out] = trained(name, others, f"{HELD_OUT} {fold + 1}")(budget.images[held_out])
        f1[name] = score(budget.labels, logits.argmax(axis=1), class_names).f1
        # How sure to be says no session of a class that nothing was learned of, as of a single one.
        temperatures[name] = fitted_temperature(logits[is_shown], budget.labels[is_shown])
    best = max(f1, key=lambda name: f1[name])  # of equals the first
    return Choice(best, f1, temperatures[best])
