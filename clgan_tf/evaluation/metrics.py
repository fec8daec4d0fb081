"""Scores of a classifier: the paper's four columns first, then weighted means and every class."""

from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

PAPER_COLUMNS = ("accuracy", "precision", "recall", "f1")


def score(labels: np.ndarray, predicted: np.ndarray, class_names: list[str]) -> dict[str, Any]:
    """Scores of one split.

    Args:
      labels, predicted: int [n] in 0..K-1, n at least 1.
      class_names: K names.

    Returns:
      "accuracy", "precision", "recall", "f1" (all three macro means), "weighted" (the same three,
      weighted by class size), "per_class" ({name: the three and "sessions"}), "confusion" (rows: true
      class, columns: predicted) and "sessions". A class that is never predicted has precision 0.
    """
    numbers = np.arange(len(class_names))
    per_class = precision_recall_fscore_support(labels, predicted, labels=numbers, zero_division=0)
    weights = per_class[3] / per_class[3].sum()
    names = ("precision", "recall", "f1")
    return {
        "accuracy": float(np.mean(labels == predicted)),
        **{name: float(np.mean(values)) for name, values in zip(names, per_class, strict=False)},
        "weighted": {name: float(values @ weights) for name, values in zip(names, per_class, strict=False)},
        "per_class": {
            class_name: {
                **{name: float(values[row]) for name, values in zip(names, per_class, strict=False)},
                "sessions": int(per_class[3][row]),
            }
            for row, class_name in enumerate(class_names)
        },
        "confusion": confusion_matrix(labels, predicted, labels=numbers).tolist(),
        "sessions": len(labels),
    }
