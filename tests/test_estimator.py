"""SemiSupervisedClassifier beside scikit-learn's own: its checks where they apply, the same behaviour where not."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from clgan_tf import SemiSupervisedClassifier
from clgan_tf.training import byte_phases


@pytest.fixture(autouse=True, scope="module")
def short_epochs():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(byte_phases, "STEPS_PER_EPOCH", 5)
        yield


BYTES_ONLY = "it fits sessions of 784 bytes alone, and the check's data has other features; below it is done with bytes"
DOES_NOT_APPLY = dict.fromkeys(
    [
        *("check_fit_score_takes_y", "check_estimators_overwrite_params", "check_dont_overwrite_parameters"),
        *("check_estimators_fit_returns_self", "check_readonly_memmap_input", "check_n_features_in_after_fitting"),
        *("check_positive_only_tag_during_fit", "check_estimators_dtypes", "check_dtype_object"),
        *("check_pipeline_consistency", "check_estimators_nan_inf", "check_estimators_pickle"),
        *("check_f_contiguous_array_estimator", "check_classifier_data_not_an_array", "check_classifiers_one_label"),
        *("check_classifiers_classes", "check_classifiers_train", "check_classifiers_regression_target"),
        *("check_supervised_y_2d", "check_methods_sample_order_invariance", "check_methods_subset_invariance"),
        *("check_fit2d_1sample", "check_fit2d_1feature", "check_dict_unchanged", "check_fit_idempotent"),
        *("check_fit_check_is_fitted", "check_n_features_in", "check_fit2d_predict1d", "check_requires_y_none"),
    ],
    BYTES_ONLY,
)


@parametrize_with_checks(
    [SemiSupervisedClassifier(pretraining_epochs=1, finetuning_epochs=1)],
    expected_failed_checks=lambda _: DOES_NOT_APPLY,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def sessions(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Two classes whose first bytes differ, of which few show their label."""
    rng = np.random.default_rng(0)
    kinds = np.arange(count) % 2
    rows = rng.integers(0, 256, (count, 784)).astype(np.uint8)
    rows[:, :200] = np.where(kinds[:, np.newaxis], 7, 200)
    return rows, kinds


@pytest.fixture(scope="module")
def fitted():
    rows, kinds = sessions()
    labels = np.where(np.arange(len(kinds)) < 10, kinds + 3, -1)
    return SemiSupervisedClassifier(pretraining_epochs=2, finetuning_epochs=6, random_state=5).fit(rows, labels)


def test_it_learns_from_labelled_and_unlabelled_sessions(fitted):
    rows, kinds = sessions(80)
    assert fitted.classes_.tolist() == [3, 4]
    assert fitted.n_features_in_ == 784
    assert fitted.score(rows, kinds + 3) == 1.0
    probabilities = fitted.predict_proba(rows.reshape(-1, 28, 28))
    assert probabilities.shape == (80, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(probabilities.argmax(axis=1) + 3, fitted.predict(rows.tolist()))


def test_a_pickled_one_predicts_the_same_and_a_clone_is_not_fitted(fitted):
    rows, _ = sessions(8)
    fitted.predict_proba(sessions(12)[0])  # TensorFlow compiles anew for a second number of rows.
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(rows), fitted.predict_proba(rows))
    script = "import pickle, sys, numpy; model, rows = pickle.load(sys.stdin.buffer); sys.stdout.buffer.write("
    script += "model.predict_proba(rows).astype('f4').tobytes())"
    done = subprocess.run(
        [sys.executable, "-c", script], input=pickle.dumps((fitted, rows)), capture_output=True, check=True
    )
    np.testing.assert_array_equal(np.frombuffer(done.stdout, "f4").reshape(8, 2), fitted.predict_proba(rows))
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict(rows)


def test_texts_are_labels_and_the_seed_repeats_a_fit():
    rows, kinds = sessions(12)
    names = np.array(["Chat", "VoIP"], object)[kinds]
    names[6:] = -1
    estimator = SemiSupervisedClassifier(pretraining_epochs=0, finetuning_epochs=1, random_state=1)
    first, second = (clone(estimator).fit(rows, names) for _ in range(2))
    assert first.classes_.tolist() == ["Chat", "VoIP"]
    np.testing.assert_array_equal(first.predict_proba(rows), second.predict_proba(rows))


@pytest.mark.parametrize(
    ("rows", "labels", "told"),
    [
        (np.zeros((4, 783)), [0, 1, 0, 1], "783 features; a session has 784 bytes"),
        (np.full((4, 784), 256), [0, 1, 0, 1], "what is no byte"),
        (np.full((4, 784), -1), [0, 1, 0, 1], "what is no byte"),
        (np.full((4, 784), 0.5), [0, 1, 0, 1], "what is no byte"),
        (np.full((4, 784), np.nan), [0, 1, 0, 1], "contains NaN"),
        (np.zeros((4, 784)), [0, 1], "4 sessions need as many labels"),
        (np.zeros((4, 784)), [0, -1, -1, 0], "Labels of 1 class"),
        (np.zeros((4, 784)), [-1, -1, -1, -1], "Labels of 0 classes"),
        (np.zeros((4, 784)), [0.5, 1.5, 0.2, 0.1], "Unknown label type"),
        (np.zeros((4, 784)), None, "requires y to be passed"),
        (np.zeros((4, 784)), [-1.0, -1.0, -1.0, 0.0], "Labels of 1 class"),
        (np.zeros((4, 784)), np.array(["a", "b", None, "a"], object), "y holds None or NaN; give -1"),
        (np.zeros((4, 784)), np.array(["a", "b", np.nan, "a"], object), "y holds None or NaN; give -1"),
    ],
)
def test_what_it_cannot_learn_from_is_said(rows, labels, told):
    with pytest.raises(ValueError, match=told):
        SemiSupervisedClassifier().fit(rows, labels)


@pytest.mark.parametrize("epochs", [{"pretraining_epochs": -1}, {"finetuning_epochs": 0}, {"finetuning_epochs": 1.5}])
def test_epochs_are_whole_numbers(epochs):
    with pytest.raises(ValueError, match=f"{next(iter(epochs))} must be a whole number from"):
        SemiSupervisedClassifier(**epochs).fit(*sessions(4))


def test_a_float_says_no_label_as_a_whole_number_does_and_global_generators_stay_as_they_were():
    rows, kinds = sessions(12)
    np.random.seed(3)
    expected = np.random.rand(2)
    np.random.seed(3)
    first = np.random.rand()
    fitted = SemiSupervisedClassifier(0, 1, random_state=1).fit(rows, np.where(np.arange(12) < 8, kinds, -1.0))
    assert [first, np.random.rand()] == expected.tolist()
    assert fitted.classes_.tolist() == [0, 1]


def test_phase_1_goes_on_from_a_trunk_of_the_package_where_one_is_asked_for():
    rows, kinds = sessions(12)
    new, begun = (
        SemiSupervisedClassifier(0, 1, random_state=1, trunk_of=start).fit(rows, kinds) for start in (None, "l7")
    )
    assert not np.array_equal(new.predict_proba(rows), begun.predict_proba(rows))
    with pytest.raises(ValueError, match="trunks of l7, packets come with clgan_tf, none of masked"):
        SemiSupervisedClassifier(trunk_of="masked").fit(rows, kinds)
