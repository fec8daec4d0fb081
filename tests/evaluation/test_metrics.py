from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clgan_tf.evaluation.metrics import score
from clgan_tf.reporting.tables import systems_table
from clgan_tf.runs.result import Means, Scores


def test_numbers_worked_out_by_hand():
    scores = score(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0]), ["a", "b", "c"])
    assert scores.accuracy == pytest.approx(4 / 6)
    assert scores.precision == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert scores.recall == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert scores.f1 == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)
    assert scores.weighted.f1 == pytest.approx((3 * 2 / 3 + 2 * 4 / 5) / 6)
    one = scores.per_class["b"]
    assert (one.precision, one.recall, one.f1, one.sessions) == pytest.approx((2 / 3, 1.0, 0.8, 2))
    assert scores.confusion == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_accuracy_is_the_weighted_recall(rows):
    labels, predicted = map(np.array, zip(*rows, strict=True))
    scores = score(labels, predicted, list("abcd"))
    assert scores.accuracy == pytest.approx(scores.weighted.recall)
    assert sum(map(sum, scores.confusion)) == scores.sessions == len(rows)


def test_the_table_has_the_papers_columns_first_and_mean_with_spread():
    def run(accuracy: float) -> SimpleNamespace:
        scores = Scores(accuracy, 0.5, 0.5, 0.5, Means(0.5, 0.5, 0.5), {}, [], 0)
        return SimpleNamespace(systems={"clgan": scores})

    one, several = systems_table([run(0.8)]).splitlines(), systems_table([run(0.8), run(0.9)]).splitlines()
    assert one[0].startswith("| System | Accuracy | Precision | Recall | F1")
    assert one[2].startswith("| CLGAN | 80.0 |")
    assert several[2].startswith("| CLGAN | 85.0 ± 7.1 |")
