"""Which sessions are worth a label next: those a classifier is in doubt about, and no two for the same reason."""

import numpy as np


def worth_labelling(probabilities: np.ndarray, features: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Rows of the sessions to label, int64 [at most count], in the order in which they were chosen.

    BADGE (Ash et al., ICLR 2020): what a label would change in the last layer, if it were the likeliest one, is the
    product of p - one-hot(p) and the features; of these products some are drawn that lie far from each other, as
    k-means++ draws its centres. A session that is surely known, or like one that was drawn, is not drawn.

    Args:
      probabilities: float [n, K]. features: float [n, d], of which the last layer makes logits.
    """
    doubts = probabilities.astype(np.float64)
    doubts[np.arange(len(doubts)), doubts.argmax(axis=1)] -= 1
    features = features.astype(np.float64)
    norms = (doubts**2).sum(axis=1) * (features**2).sum(axis=1)
    generator = np.random.default_rng(seed)
    distances = norms.copy()
    chosen: list[int] = []
    while len(chosen) < count and distances.sum() > 0:
        row = int(generator.choice(len(distances), p=distances / distances.sum()) if chosen else norms.argmax())
        chosen.append(row)
        inner = (doubts @ doubts[row]) * (features @ features[row])
        distances = np.minimum(distances, np.maximum(norms + norms[row] - 2 * inner, 0))
        distances[distances < 1e-9 * norms.max()] = 0  # the same but for rounding, itself above all
    return np.array(chosen, np.int64)
