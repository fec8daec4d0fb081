"""CLGAN+ as scikit-learn has classifiers: fit on arrays, some of them labelled, and predict."""

import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from clgan_tf.common.quiet import import_tensorflow
from clgan_tf.data.examples import IMAGE_BYTES, UNLABELLED

NUM_ROWS = 28
MAX_SEED = 2**31


class SemiSupervisedClassifier(ClassifierMixin, BaseEstimator):
    """CLGAN+: learns from all sessions what bytes follow which, then from the labelled ones what class they are of.

    Args:
      pretraining_epochs: of phase 1, each of 100 batches of sessions with or without a label; 0: none.
      finetuning_epochs: of phase 2, each of 100 batches of labelled sessions, or of up to 400 above 1,000 labels.
      random_state: None, an int or a numpy RandomState, as everywhere in scikit-learn; with an int, `fit` repeats.
      trunk_of: the representation of X, as "packets", where phase 1 is to go on from the trunk of made traffic that
        comes with clgan_tf; with 0 epochs it stands in place of phase 1. None: from nothing.

    Attributes:
      classes_: [K], the labels seen in `fit`, sorted, without -1.
      n_features_in_: 784.
      classifier_: the Keras model, bytes uint8 [n, 28, 28, 1] -> logits [n, K].
    """

    def __init__(
        self,
        pretraining_epochs: int = 12,
        finetuning_epochs: int = 3,
        random_state: Any = None,
        trunk_of: str | None = None,
    ) -> None:
        self.pretraining_epochs = pretraining_epochs
        self.finetuning_epochs = finetuning_epochs
        self.random_state = random_state
        self.trunk_of = trunk_of

    def fit(self, X: Any, y: Any) -> "SemiSupervisedClassifier":  # noqa: N803
        """Trains on bytes [n, 784] or [n, 28, 28], integers in 0..255, and labels [n]; -1 is no label.

        Labels may be texts or numbers; texts have no sign for an unlabelled session but the number -1 in an object
        array.

        Raises:
          ValueError: X holds what are no bytes, y does not fit it or has None or NaN, fewer than two classes have
            labels, epochs are no numbers of them, or no trunk of `trunk_of` comes with clgan_tf.
        """
        for name, least in (("pretraining_epochs", 0), ("finetuning_epochs", 1)):
            epochs = getattr(self, name)
            if not isinstance(epochs, Integral) or epochs < least:
                raise ValueError(f"{name} must be a whole number from {least}, not {epochs!r}.")
        images = self._images(X, reset=True)
        if y is None:
            raise ValueError("fit requires y to be passed, but the target y is None; give -1 to what has no label.")
        y = column_or_1d(y, warn=True)
        if y.shape != (len(images),):
            raise ValueError(f"y has the shape {y.shape}; {len(images)} sessions need as many labels.")
        values = y.tolist()
        if any(label is None or label != label for label in values):  # NaN alone is not itself.
            raise ValueError("y holds None or NaN; give -1 to what has no label.")
        is_labelled = np.array([not (isinstance(label, Real) and label == UNLABELLED) for label in values])
        shown = y[is_labelled]
        if shown.dtype == object:
            shown = np.array(shown.tolist())
        if len(shown):
            check_classification_targets(shown)
        self.classes_, labels = np.unique(shown, return_inverse=True)
        if len(self.classes_) < 2:
            found = f"{len(self.classes_)} class{'' if len(self.classes_) == 1 else 'es'}"
            raise ValueError(f"Labels of {found}; a classifier needs two classes at least.")
        self.classifier_ = self._trained(images, is_labelled, labels)
        return self

    def _trained(self, images: np.ndarray, is_labelled: np.ndarray, labels: np.ndarray) -> Any:
        import_tensorflow()
        import tensorflow as tf

        from clgan_tf.data.examples import Examples
        from clgan_tf.data.few_labels import in_memory
        from clgan_tf.settings import TuningSettings
        from clgan_tf.training import byte_phases

        tf.config.experimental.enable_op_determinism()
        seed = int(check_random_state(self.random_state).randint(MAX_SEED))
        first, second = byte_phases.usual_schedules()
        first = first._replace(epochs=self.pretraining_epochs)
        second = second._replace(epochs=self.finetuning_epochs)
        with _kept_generators():
            model = byte_phases.pretrained(images, len(self.classes_), first, seed, self.trunk_of)
            labelled, others = Examples.of_images(images[is_labelled], labels), in_memory(images[~is_labelled])
            return byte_phases.learn_classes(model, labelled, others, second, TuningSettings(), seed)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "classifier_" in state:
            state["classifier_"] = pickle.dumps(state["classifier_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "classifier_" in state:
            import_tensorflow()
            from clgan_tf.models import archive  # noqa: F401 - Keras must know our layers before it makes any.

            state = {**state, "classifier_": pickle.loads(state["classifier_"])}
        super().__setstate__(state)

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities float32 [n, K], columns as `classes_`, of bytes as `fit` takes them."""
        check_is_fitted(self)
        from clgan_tf.models.prediction import predict

        return softmax(predict(self.classifier_, self._images(X)), axis=1)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The likeliest of `classes_` for each of n sessions: [n]."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]

    def _images(self, X: Any, reset: bool = False) -> np.ndarray:  # noqa: N803
        """X as uint8 [n, 28, 28, 1]. Raises ValueError where it holds anything else."""
        if getattr(X, "shape", ())[1:] == (NUM_ROWS, NUM_ROWS):
            X = np.reshape(X, (-1, IMAGE_BYTES))  # noqa: N806
        bytes_ = validate_data(self, X, reset=reset, dtype="numeric")
        if bytes_.shape[1] != IMAGE_BYTES:
            raise ValueError(f"X has {bytes_.shape[1]} features; a session has {IMAGE_BYTES} bytes.")
        if ((bytes_ < 0) | (bytes_ > 255) | (bytes_ != np.floor(bytes_))).any():
            raise ValueError("X holds what is no byte: integers in 0..255 are expected.")
        return bytes_.astype(np.uint8).reshape(-1, NUM_ROWS, NUM_ROWS, 1)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.positive_only = True
        return tags


@contextmanager
def _kept_generators() -> Iterator[None]:
    """Leaves Python's and NumPy's global generators as they were: the networks' weights seed both."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
