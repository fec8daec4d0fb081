"""Sessions read as texts: which n-grams of one to three bytes they have, and which byte stands at which place.

What two sessions share need not lie at the same place in both: a host's name, a list of ciphers, the text of a request.
A search engine would compare them as here (tf-idf and the cosine; Salton and Buckley 1988), with two differences:
n-grams that hardly any session has are left out, but where they share a bucket with others, since encrypted bytes are
full of them, and a rare one counts by the root of its weight.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from clgan_tf.common.progress import bar
from clgan_tf.models.byte_ngrams import TINY, numbers
from clgan_tf.models.pixels import IMAGE_BYTES

KINDS = 4  # n-grams of one, two and three bytes, and bytes at their places
FINE = 1_048_573  # A prime: buckets that sessions are compared by; two n-grams share one on the average.
RAREST = 0.001  # share of the sessions: what falls into a bucket that fewer have says nothing
ROWS_AT_ONCE = 2048


def counted(images: np.ndarray, buckets: int) -> sparse.csr_matrix:
    """How often a session has what falls into each bucket, float32 [n, buckets]; images: uint8 [n, 784 in all].

    n-grams begin at any byte before a session's padding.
    """
    values = images.reshape(-1, IMAGE_BYTES).astype(np.int32)
    places = np.arange(IMAGE_BYTES, dtype=np.int32)
    sizes = np.where(values > 0, places + 1, 0).max(axis=1)
    rows, starts = np.nonzero(places < sizes[:, np.newaxis])
    padded = np.pad(values, ((0, 0), (0, 2)))
    ahead = [padded[rows, starts + distance] for distance in range(3)]
    columns = numbers(ahead, starts.astype(np.int32), buckets)
    ones = np.ones(KINDS * len(rows), np.float32)
    counts = sparse.csr_matrix((ones, (np.tile(rows, KINDS), np.concatenate(columns))), (len(values), buckets))
    counts.sum_duplicates()
    return counts


def parts(count: int) -> Iterator[slice]:
    """Some of so many rows at a time, with a bar: a session's n-grams take 30 times its bytes."""
    starts = range(0, count, ROWS_AT_ONCE)
    with bar("n-grams of bytes", len(starts), "") as shown:
        for start in starts:
            yield slice(start, start + ROWS_AT_ONCE)
            shown.update()


def counted_by_parts(images: np.ndarray, buckets: int) -> Iterator[sparse.csr_matrix]:
    """`counted`, of some sessions after the others."""
    return (counted(images[rows], buckets) for rows in parts(len(images)))


def weights_of(counts: Iterable[sparse.csr_matrix]) -> np.ndarray:
    """What each bucket counts, float32 [buckets]: the root of ln(sessions / sessions that have it); 0 of the rarest.

    counts: of all sessions, in one piece or several, as `counted` gives them.
    """
    have, count = np.zeros(1), 0
    for each in counts:
        have = have + np.bincount(each.indices, minlength=each.shape[1])
        count += each.shape[0]
    is_told = have >= max(2, RAREST * count)
    return np.sqrt(np.log(np.where(is_told, count / np.maximum(have, 1), 1.0))).astype(np.float32)


def fine_weights(images: np.ndarray) -> np.ndarray:
    """`weights_of` all given sessions for comparing them; images as of `counted`.

    n-grams fall into FINE buckets: where they share one, a session has neighbours that it does not resemble.
    """
    return weights_of(counted_by_parts(images, FINE))


def vectors(images: np.ndarray, weights: np.ndarray) -> sparse.csr_matrix:
    """Sessions as unit vectors float32 [n, buckets], in which an n-gram counts once: their products are cosines."""
    counts = counted(images, len(weights))
    counts.data[:] = 1
    return normalize(counts @ sparse.diags(weights)).astype(np.float32)


def cosines(images: np.ndarray, known: np.ndarray, weights: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Of sessions with known ones, for some sessions after the others: which they are, and float32 [rows, m].

    Args:
      images, known: as of `counted`.
      weights: as of `fine_weights`.
    """
    columns = vectors(known, weights).T
    for rows in parts(len(images)):
        yield rows, (vectors(images[rows], weights) @ columns).toarray()


def summed(counts: sparse.csr_matrix, weights: np.ndarray) -> sparse.csr_matrix:
    """Counted sessions as `NgramLogits` sees them, float32 [n, buckets]: an n-gram counts as often as it comes."""
    lengths = np.sqrt(np.maximum(counts @ np.square(weights), TINY))
    return (sparse.diags(1 / lengths) @ counts @ sparse.diags(weights)).astype(np.float32)
