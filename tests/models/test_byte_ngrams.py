"""n-grams of bytes: what is counted, what it counts, and that the layer says what the vectors say."""

import math
from collections import Counter

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clgan_tf import models
from clgan_tf.models import ngram_vectors
from clgan_tf.models.byte_ngrams import COARSE, NgramLogits, numbers, rows_at_once

KINDS = ngram_vectors.KINDS


def image(payload: bytes) -> np.ndarray:
    return np.frombuffer(payload.ljust(784, b"\0"), np.uint8).reshape(1, 28, 28, 1)


def test_every_byte_begins_an_ngram_of_each_kind_and_padding_none():
    counts = ngram_vectors.counted(image(b"abab"), ngram_vectors.FINE)
    assert counts.sum() == 4 * KINDS
    # a and b come twice, ab twice; ba, b with nothing behind, aba, bab and what runs into the padding once.
    assert sorted(counts.data.tolist()) == [1] * (2 + 4 + 4) + [2] * 3
    assert ngram_vectors.counted(image(b""), COARSE).nnz == 0


@pytest.mark.parametrize("buckets", [COARSE, ngram_vectors.FINE])
def test_no_number_is_above_31_bits_and_buckets_are_filled_alike(buckets):
    bytes_, place = [np.int64(255)] * 3, np.int64(783)
    assert numbers(bytes_, place, 1 << 40) == [int(one) for one in numbers(bytes_, place, 1 << 31)]
    values = np.random.default_rng(0).integers(0, 256, (3, 1 << 20), np.int32)
    triples = numbers(list(values), np.int32(0), buckets)[2]
    assert len(np.unique(triples)) > 0.6 * min(buckets, 1 << 20)


def test_weights_are_of_the_share_of_sessions_that_have_it():
    images = np.concatenate([image(text) for text in (b"aa", b"ab", b"ac", b"zz")])
    weights = ngram_vectors.weights_of([ngram_vectors.counted(images, ngram_vectors.FINE)])
    first = {
        text: numbers(list(np.frombuffer(text, np.uint8).astype(np.int32)), 0, ngram_vectors.FINE)
        for text in (b"a\0\0", b"z\0\0")
    }
    assert weights[first[b"a\0\0"][0]] == pytest.approx(np.sqrt(np.log(4 / 3)))
    assert weights[first[b"z\0\0"][0]] == 0  # One session alone has it.


def texts_of(session: np.ndarray) -> set[tuple[object, ...]]:
    """The n-grams of a session's bytes before its padding, and bytes with their places; nothing hashed."""
    values = session.reshape(-1).tolist()
    size = max((place + 1 for place, value in enumerate(values) if value), default=0)
    padded = [*values, 0, 0]
    found: set[tuple[object, ...]] = {("at", place, values[place]) for place in range(size)}
    return found | {(length, *padded[at : at + length]) for at in range(size) for length in (1, 2, 3)}


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, (4, 784), elements=st.integers(0, 3)), st.integers(1, 60))
def test_cosines_are_those_of_sets_of_ngrams_by_the_root_of_their_inverse_frequency(images, size):
    """Few byte values: the same n-grams come many times in a session, and count once."""
    images[:, size:] = 0
    ((rows, found),) = ngram_vectors.cosines(images, images, ngram_vectors.fine_weights(images))
    assert range(4)[rows] == range(4)
    sets = [texts_of(image) for image in images]
    counts = Counter(text for one in sets for text in one)
    squares = {text: math.log(4 / count) if count > 1 else 0.0 for text, count in counts.items()}
    for row, one in enumerate(sets):
        for column, other in enumerate(sets):
            lengths = math.sqrt(sum(squares[text] for text in one) * sum(squares[text] for text in other))
            expected = sum(squares[text] for text in one & other) / lengths if lengths else 0
            assert found[row, column] == pytest.approx(expected, abs=1e-5)


def test_ngrams_that_fewer_than_a_thousandth_of_the_sessions_have_say_nothing():
    """Of 2,501 sessions three is enough, and two are too few."""
    images = np.zeros((2501, 784), np.uint8)
    images[:, 0] = np.arange(2501) % 200 + 1
    images[:2, 5:8], images[2:5, 5:8] = (251, 252, 253), (252, 254, 255)
    weights = ngram_vectors.fine_weights(images)
    too_few, enough = (
        weights[numbers([np.int32(one) for one in text], np.int32(5), ngram_vectors.FINE)[2]]
        for text in ((251, 252, 253), (252, 254, 255))
    )
    assert too_few == 0
    assert enough == pytest.approx(math.sqrt(math.log(2501 / 3)))


@pytest.mark.parametrize(("classes", "rows"), [(12, 1024), (200, 326), (500, 130)])
def test_of_many_classes_fewer_sessions_are_looked_up_at_once(classes, rows):
    image = keras.Input((28, 28, 1), dtype="uint8")
    assert rows_at_once(keras.Model(image, NgramLogits(classes)(image)), 1024) == rows


def layer_and_kernel(classes: int = 3) -> tuple[NgramLogits, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    kernel, weights = rng.normal(size=(COARSE, classes)), rng.uniform(0, 2, COARSE).astype(np.float32)
    layer = NgramLogits(classes)
    layer.build((None, 28, 28, 1))
    layer.take(kernel, weights)
    return layer, kernel, weights


def some_images() -> np.ndarray:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (6, 784), np.uint8)
    images[1, 100:] = 0
    images[2] = 0
    images[3] = 7  # one n-gram of each length, hundreds of times
    images[4, 1:] = 0
    return images.reshape(-1, 28, 28, 1)


def test_the_layer_says_what_a_linear_classifier_of_summed_vectors_says():
    layer, kernel, weights = layer_and_kernel()
    images = some_images()
    expected = ngram_vectors.summed(ngram_vectors.counted(images, COARSE), weights) @ kernel
    np.testing.assert_allclose(layer(images), expected, rtol=1e-3, atol=1e-3)
    assert not np.any(layer(images)[2])  # of no byte


def test_what_each_byte_has_of_it_adds_up():
    layer, _, _ = layer_and_kernel()
    images = some_images()
    places = layer.of_places(images).numpy()
    assert places.shape == (6, 784, 3)
    np.testing.assert_allclose(places.sum(axis=1), layer(images), rtol=1e-3, atol=1e-3)
    assert not np.any(places[1, 103:])


def test_a_layer_of_what_is_no_image_is_refused_and_a_saved_one_is_the_same(tmp_path):
    with pytest.raises(ValueError, match="n-grams are of an image"):
        NgramLogits(3).build((None, 784))
    layer, _, _ = layer_and_kernel()
    given = keras.Input((28, 28, 1), dtype="uint8")
    keras.Model(given, layer(given)).save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(some_images()), layer(some_images()))


def test_the_nearest_by_ngrams_has_most_in_common_wherever_it_lies():
    rng = np.random.default_rng(0)
    texts = rng.integers(1, 256, (2, 300), np.uint8)
    sessions = np.zeros((20, 784), np.uint8)
    for row in range(20):
        sessions[row, 3 * row : 3 * row + 300] = texts[row % 2]
    labels = np.where(np.arange(20) < 2, np.arange(20) + 5, -1)
    system = models.build_on_bytes("ngram_neighbour", 0).fit(sessions.reshape(-1, 28, 28, 1), labels)
    assert system.is_semi_supervised
    assert system.predict(sessions[::-1].reshape(-1, 28, 28, 1)).tolist() == [6, 5] * 10
    assert system.network(7) is None
