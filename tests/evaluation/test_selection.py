"""Sessions in doubt are chosen, of those that are alike one, and what is surely known never."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clgan_tf.evaluation.selection import worth_labelling


def test_of_sessions_that_are_alike_one_is_chosen_and_what_is_known_is_not():
    """Three kinds in doubt, ten of each, among a hundred that are surely known."""
    features = np.eye(4)[[0] * 10 + [1] * 10 + [2] * 10 + [3] * 100]
    probabilities = np.array([[0.5, 0.5]] * 30 + [[1.0, 0.0]] * 100)
    chosen = worth_labelling(probabilities, features, count=50, seed=0)
    assert sorted((chosen // 10).tolist()) == [0, 1, 2]


def test_the_first_is_the_one_most_in_doubt():
    probabilities = np.array([[0.9, 0.1], [0.55, 0.45], [0.7, 0.3]])
    assert worth_labelling(probabilities, np.ones((3, 2)), count=1, seed=3).tolist() == [1]


@given(count=st.integers(1, 40), rows=st.integers(1, 30), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_none_twice_and_the_same_again(count, rows, seed):
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(5), rows)
    features = generator.normal(size=(rows, 7))
    chosen = worth_labelling(probabilities, features, count, seed)
    assert len(set(chosen.tolist())) == len(chosen) == min(count, rows)
    np.testing.assert_array_equal(chosen, worth_labelling(probabilities, features, count, seed))
