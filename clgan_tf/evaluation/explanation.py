"""What a system goes by, and where it is wrong: for people who must decide whether to trust it."""

from dataclasses import dataclass, field
from itertools import pairwise

import keras
import numpy as np
from scipy.special import softmax

from clgan_tf.capture import REPRESENTATIONS
from clgan_tf.data.description import DataFacts
from clgan_tf.data.examples import IMAGE_BYTES, Examples
from clgan_tf.evaluation import Predictor
from clgan_tf.evaluation.attribution import integrated_gradients, parts_of

MISTAKES = 5
SESSIONS_ASKED = 64
FINE_BYTES, FINE, COARSE = 64, 4, 16  # headers lie in the first bytes, a word each; payload behind them


@dataclass(frozen=True)
class Mistake:
    """A session that is called something else, and the training session that has most of its bytes.

    probability: of the wrong label; alike: share of bytes that both have in the same position; images: uint8 [784].
    """

    true: str
    said: str
    probability: float
    capture: str
    image: np.ndarray
    nearest: str
    nearest_capture: str
    nearest_image: np.ndarray
    alike: float


@dataclass(frozen=True)
class Explanation:
    """What a system goes by.

    mistakes: the worst, surest first; worth: of each byte, float [784], see `worth_of_bytes`; added: of a network, what
    each byte adds to the probability of the true class in the mean, without its sign, float [784], see
    `integrated_gradients`; shares: of that, by what the bytes are.
    """

    mistakes: list[Mistake]
    worth: np.ndarray
    added: np.ndarray | None = None
    shares: dict[str, float] = field(default_factory=dict)


def explain(
    predictor: Predictor,
    logits: np.ndarray,
    scored: Examples,
    train: Examples,
    facts: DataFacts,
    seed: int,
    classifier: keras.Model | None = None,
) -> Explanation | None:
    """Of a system that gives logits [n, K], here of the sessions that are scored; None of one that does not.

    classifier: the same system as it is saved, if it is.
    """
    if predictor.temperature is None:
        return None
    probabilities = softmax(logits / predictor.temperature, axis=1)
    mistakes = worst_mistakes(probabilities, scored, train, facts.class_names)
    worth = worth_of_bytes(predictor, scored, seed)
    asked = scored[np.random.default_rng(seed).permutation(len(scored))[:SESSIONS_ASKED]]
    added = integrated_gradients(classifier, asked.images, asked.labels) if classifier else None
    if added is None:
        return Explanation(mistakes, worth)
    sizes = np.abs(added)
    parts = parts_of(asked.images, REPRESENTATIONS[facts.representation])
    shares = {name: float(sizes[part].sum() / sizes.sum()) for name, part in parts.items()}
    return Explanation(mistakes, worth, sizes.mean(axis=0), shares)


def worst_mistakes(
    probabilities: np.ndarray, scored: Examples, train: Examples, class_names: list[str]
) -> list[Mistake]:
    """At most MISTAKES sessions with another label than theirs, those with the greatest probability [n, K] first."""
    said, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(said != scored.labels)
    known = train.images.reshape(len(train), IMAGE_BYTES)
    mistakes = []
    for row in wrong[np.argsort(-sure[wrong], kind="stable")][:MISTAKES]:
        image = scored.images[row].reshape(IMAGE_BYTES)
        alike = (known == image).mean(axis=1)
        nearest = int(alike.argmax())
        mistakes.append(
            Mistake(
                true=class_names[scored.labels[row]],
                said=class_names[said[row]],
                probability=float(sure[row]),
                capture=str(scored.captures[row]),
                image=image,
                nearest=class_names[train.labels[nearest]],
                nearest_capture=str(train.captures[nearest]),
                nearest_image=known[nearest],
                alike=float(alike[nearest]),
            )
        )
    return mistakes


def worth_of_bytes(predictor: Predictor, scored: Examples, seed: int) -> np.ndarray:
    """How much less probable the true class is, in the mean, where bytes are those of another session: float [784].

    Bytes of the first FINE_BYTES are exchanged FINE at a time, those behind COARSE at a time, each block alone
    (Breiman's permutation importance). A sample of SESSIONS_ASKED sessions.
    """
    generator = np.random.default_rng(seed)
    rows = generator.permutation(len(scored))[:SESSIONS_ASKED]
    images, labels = scored.images[rows].reshape(len(rows), IMAGE_BYTES), scored.labels[rows]
    edges = [*range(0, FINE_BYTES, FINE), *range(FINE_BYTES, IMAGE_BYTES, COARSE), IMAGE_BYTES]
    exchanged = [images]
    for begin, end in pairwise(edges):
        changed = images.copy()
        changed[:, begin:end] = images[generator.permutation(len(rows)), begin:end]
        exchanged.append(changed)
    logits = predictor.predict(np.concatenate(exchanged).reshape(-1, 28, 28, 1)) / predictor.temperature
    chances = softmax(logits, axis=1).reshape(len(exchanged), len(rows), -1)
    of_true = chances[:, np.arange(len(rows)), labels].mean(axis=1)
    return np.repeat(of_true[0] - of_true[1:], np.diff(edges))
