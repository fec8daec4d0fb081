"""The end of phase 2: CLGAN+'s last layer becomes the mean of what it has learned and of one fitted anew.

Phase 2 shows changed sessions and small classes more often than they come, and its steps may be too few for its last
layer to settle; what it has made of the trunk is good all the same (Kang et al., "Decoupling Representation and
Classifier for Long-Tailed Recognition", ICLR 2020). The fitted layer sees labelled sessions as they are, and is better
on sessions like them; the learned one is where sessions differ more, as those of other networks do. The mean of both
layers' weights gives the mean of their logits.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from clgan_tf.data.examples import Examples
from clgan_tf.models.filling import FillingGAN
from clgan_tf.models.prediction import predict

NEVER = float(np.log(1e-6))  # the logit of a class of which no session was shown, beside others around 0


def settle(model: FillingGAN, labelled: Examples) -> None:
    """Gives the last layer the mean of its own weights and of `fitted` ones."""
    if weights := fitted(model, labelled):
        layer = model.last_layer
        layer.set_weights([(own + other) / 2 for own, other in zip(layer.get_weights(), weights, strict=True)])


def fitted(model: FillingGAN, labelled: Examples) -> tuple[np.ndarray, np.ndarray] | None:
    """Kernel and bias of a last layer for the trunk as it is; None of one class, where nothing is to be told apart."""
    if len(set(labelled.labels.tolist())) < 2:
        return None
    features = predict(model.describer(), labelled.images)
    return logistic_regression(features, labelled.labels, model.last_layer.units)


def logistic_regression(features: np.ndarray, labels: np.ndarray, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's with its defaults, on standardised features, as a layer that takes them as they are.

    Args:
      features: float [n, d]. labels: int64 [n], of two classes at least.

    Returns:
      Kernel float64 [d, num_classes] and bias float64 [num_classes].
    """
    scaler, regression = StandardScaler(), LogisticRegression()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # More than its hundred steps changed no score.
        regression.fit(scaler.fit_transform(features.astype(np.float64)), labels)
    of_classes, biases, shown = regression.coef_, regression.intercept_, regression.classes_
    if len(shown) == 2:  # Of two classes it has the second one's logit alone.
        of_classes, biases = np.stack([0 * of_classes[0], of_classes[0]]), np.array([0.0, biases[0]])
    kernel, bias = np.zeros((features.shape[1], num_classes)), np.full(num_classes, NEVER)
    kernel[:, shown] = (of_classes / scaler.scale_).T
    bias[shown] = biases - scaler.mean_ @ kernel[:, shown]
    return kernel, bias
