"""Scores of a classifier: the paper's four columns first, then weighted means and every class."""

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from clgan_tf.runs.result import ClassScores, Means, Scores


def score(labels: np.ndarray, predicted: np.ndarray, class_names: list[str]) -> Scores:
    """Scores of one split.

    Args:
      labels, predicted: int [n] in 0..K-1, n at least 1.
      class_names: K names.

    Returns:
      See Scores. A class that is never predicted has precision 0.
    """
    numbers = np.arange(len(class_names))
    *columns, sizes = precision_recall_fscore_support(labels, predicted, labels=numbers, zero_division=0)
    weights = sizes / sizes.sum()
    macro = Means(*(float(np.mean(column)) for column in columns))
    return Scores(
        accuracy=float(np.mean(labels == predicted)),
        precision=macro.precision,
        recall=macro.recall,
        f1=macro.f1,
        weighted=Means(*(float(column @ weights) for column in columns)),
        per_class={
            name: ClassScores(float(precision), float(recall), float(f1), int(size))
            for name, precision, recall, f1, size in zip(class_names, *columns, sizes, strict=True)
        },
        confusion=confusion_matrix(labels, predicted, labels=numbers).tolist(),
        sessions=len(labels),
    )
