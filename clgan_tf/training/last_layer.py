"""The end of phase 2: CLGAN+'s last layer is fitted anew, to more than it was trained on.

It sees n-grams of bytes beside the network's features, and besides the labelled sessions others, each with the label of
the labelled one that is nearest to it. Two sessions are near if they have n-grams in common, and alike features: what
names a session may lie anywhere in it, and is learnt by heart where a network, few sessions at hand, finds no rule.
So few sessions are not enough to learn from n-grams, but their neighbours are: it is co-training (Blum and Mitchell
1998) of two views, each of which knows what the other does not.
"""

import warnings

import keras
import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.svm import LinearSVC

from clgan_tf.common.progress import bar
from clgan_tf.data.examples import Examples
from clgan_tf.models import ngram_vectors
from clgan_tf.models.byte_ngrams import COARSE, NgramLogits
from clgan_tf.models.calibration import temperature_as_sure
from clgan_tf.models.filling import FillingGAN, ngrams_layer
from clgan_tf.models.prediction import predict
from clgan_tf.training.precision import in_float32

MOST_NAMED = 10_000  # sessions without a label: enough, and each takes 0.1 MB while a machine is fitted
MOST_LABELLED = 30_000
MOST_ASKED = 2_000  # labelled sessions, whether others tell them: so the share is known to a point
NGRAMS_SHARE = 0.8  # of n-grams' cosine in how near two sessions are; the rest is that of features
PENALTY = 0.1  # scikit-learn's C
NEVER = float(np.log(1e-6))  # the logit of a class of which no session was shown, beside others around 0


def settle(
    model: FillingGAN,
    labelled: Examples,
    others: np.ndarray,
    reads_ngrams: bool,
    seed: int,
    former: keras.Model | None = None,
) -> NgramLogits | None:
    """Gives the model a last layer that is fitted anew; of one class, where nothing is to be told apart, none.

    Args:
      others: sessions without a label, uint8 [n, 28, 28, 1]; n may be 0.
      reads_ngrams: whether n-grams are seen. Sessions are near by features alone where they are not.
      former: bytes -> logits, of a classifier that knows more labels than these: it names sessions without a label.

    Returns:
      What n-grams add to the logits that the model gives, if they are seen.
    """
    if len(set(labelled.labels.tolist())) < 2:
        return None
    labelled = labelled[some_of_each(labelled.labels, seed)]
    images = np.concatenate([labelled.images, others])
    scaler = StandardScaler()
    describer = in_float32(model.describer())  # as it is saved, whatever it was trained in
    features = scaler.fit_transform(predict(describer, images).astype(np.float64))
    fine = ngram_vectors.fine_weights(images)
    if former is None:
        names = named(images, features, labelled.labels, fine if reads_ngrams else None)
    else:
        names = np.concatenate([labelled.labels, predict(former, others).argmax(axis=1)])
    sureness = told_by_the_others(labelled, fine, seed)
    reach = 1 / np.sqrt(features.shape[1])  # A session's features are about as long as its n-grams.
    columns = [sparse.csr_matrix(reach * features)]
    if reads_ngrams:
        counts = sparse.vstack(list(ngram_vectors.counted_by_parts(images, COARSE)))
        weights = ngram_vectors.weights_of([counts])
        columns.append(ngram_vectors.summed(counts, weights))
        del counts
    kernel, bias = fitted(sparse.hstack(columns).tocsr(), names, sureness, model.num_classes, seed)
    of_features = reach * kernel[: features.shape[1]] / scaler.scale_[:, np.newaxis]
    model.last_layer.set_weights([of_features, bias - scaler.mean_ @ of_features])
    if not reads_ngrams:
        return None
    ngrams = ngrams_layer(model.num_classes)
    ngrams.take(kernel[features.shape[1] :], weights)
    return ngrams


def some_of_each(labels: np.ndarray, seed: int) -> np.ndarray:
    """Places of all labels int64 [n], or of MOST_LABELLED at random, each class's first among them."""
    if len(labels) <= MOST_LABELLED:
        return np.arange(len(labels))
    drawn = np.random.default_rng(seed).permutation(len(labels))
    first = np.unique(labels[drawn], return_index=True)[1]
    return np.concatenate([drawn[first], np.delete(drawn, first)])[:MOST_LABELLED]


def named(images: np.ndarray, features: np.ndarray, labels: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Each session's own label, or else that of the nearest labelled one, int64 [n].

    Args:
      images: uint8 [n, 28, 28, 1]; features: float [n, d], standardised; labels: int64 [m], of the first m.
      weights: of n-grams, as of `ngram_vectors.fine_weights`; without them sessions are near by features alone.
    """
    known = len(labels)
    if known == len(images):
        return labels
    directions = normalize(features).astype(np.float32)
    if weights is None:
        return np.concatenate([labels, labels[(directions[known:] @ directions[:known].T).argmax(axis=1)]])
    names = [labels]
    for rows, cosines in ngram_vectors.cosines(images[known:], images[:known], weights):
        near = NGRAMS_SHARE * cosines + (1 - NGRAMS_SHARE) * (directions[known:][rows] @ directions[:known].T)
        names.append(labels[near.argmax(axis=1)])
    return np.concatenate(names)


def told_by_the_others(labelled: Examples, weights: np.ndarray, seed: int) -> float:
    """How many labelled sessions are told by the nearest other one by n-grams, as a share.

    So many of new sessions the last layer is right about, and some more, since it knows a label more. Features would
    promise too much: phase 2 has moved those of sessions with the same label together. Sessions that are alone in
    their class are not asked; one right and one wrong answer are added, which counts where few are.

    Args:
      weights: as of `ngram_vectors.fine_weights`.
    """
    labels = labelled.labels
    asked = np.flatnonzero(np.bincount(labels)[labels] > 1)
    asked = np.random.default_rng(seed).permutation(asked)[:MOST_ASKED]
    right = 0
    for rows, cosines in ngram_vectors.cosines(labelled.images[asked], labelled.images, weights):
        cosines[np.arange(len(cosines)), asked[rows]] = -1
        right += int((labels[cosines.argmax(axis=1)] == labels[asked[rows]]).sum())
    return (right + 1) / (len(asked) + 2)


def fitted(
    columns: sparse.csr_matrix, names: np.ndarray, sureness: float, num_classes: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """A linear support vector machine for each class against all others, as logits.

    Args:
      columns: float [n, d]; names: int64 [n].
      sureness: what the likeliest class's probability is to be, in the mean over these sessions.

    Returns:
      Kernel float64 [d, num_classes] and bias float64 [num_classes].
    """
    kernel, bias = np.zeros((columns.shape[1], num_classes)), np.full(num_classes, NEVER)
    shown = np.unique(names)
    with bar("Last layer", len(shown), " classes") as moved, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # Where a thousand passes do not end it, it is near enough.
        for label in shown:
            machine = LinearSVC(C=PENALTY, tol=1e-3, random_state=seed).fit(columns, names == label)
            kernel[:, label], bias[label] = machine.coef_[0], machine.intercept_[0]
            moved.update()
    unit = temperature_as_sure(columns @ kernel[:, shown] + bias[shown], sureness)
    bias[shown] /= unit
    return kernel / unit, bias
