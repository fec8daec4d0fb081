"""The classifier that is shipped: bytes in, class probabilities out, with all that is needed to use it."""

from dataclasses import asdict
from typing import Any

import keras
import numpy as np
from keras import layers

from clgan_tf.data.description import DataFacts
from clgan_tf.models.byte_ngrams import LogitsSum
from clgan_tf.models.byte_summary import ByteSummary
from clgan_tf.models.familiarity import Familiarity
from clgan_tf.models.forest import Trees
from clgan_tf.models.prediction import predict

DESCRIBED = "described"  # the layer that puts the bytes' summary behind a network's features
OWN_NAMES = ("probabilities", "familiarity", "summary", DESCRIBED)  # of layers that a classifier adds to a network


@keras.saving.register_keras_serializable("clgan_tf")
class ClassProbabilities(layers.Layer):
    """Softmax over named classes: logits [batch, K] -> probabilities [batch, K] float32.

    It carries in its configuration, and so in the saved model, what the bytes must look like.

    Args:
      class_names: K names in label order.
      representation, representation_version: see clgan_tf.capture.representation.
      unit: "session" or "flow".
      rules: the fields of clgan_tf.capture.SessionRules; none = its defaults.
      data_fingerprint: of the data set the classifier was trained on.
    """

    def __init__(
        self,
        class_names: list[str],
        representation: str,
        representation_version: int,
        unit: str,
        data_fingerprint: str,
        rules: dict[str, Any] | None = None,
        temperature: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.class_names = list(class_names)
        self.representation = representation
        self.representation_version = representation_version
        self.unit = unit
        self.data_fingerprint = data_fingerprint
        self.rules = dict(rules or {})
        self.temperature = float(temperature)

    def call(self, logits: Any) -> Any:
        """The softmax."""
        return keras.ops.softmax(logits / self.temperature)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The same."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """All arguments."""
        return {
            **super().get_config(),
            "class_names": self.class_names,
            "representation": self.representation,
            "representation_version": self.representation_version,
            "unit": self.unit,
            "data_fingerprint": self.data_fingerprint,
            "rules": self.rules,
            "temperature": self.temperature,
        }


def build_classifier(network: keras.Model, data: DataFacts, known: np.ndarray, temperature: float = 1.0) -> keras.Model:
    """What is shipped, from a network that gives logits, or a forest, and its data.

    Args:
      known: uint8 [n, 28, 28, 1], sessions of training, labelled or not: what lies far from them is unknown.
      temperature: of its probabilities.

    Returns:
      Bytes [batch, 28, 28, 1] -> {"probabilities": [batch, K], "familiarity": [batch]}; see Familiarity.
    """
    features, logits = _features_and_logits(network.output)
    summary = ByteSummary(dtype="float32", name="summary")(network.input)
    kinds = [summary] if features is None else [features, summary]
    described = layers.Concatenate(dtype="float32", name=DESCRIBED)(kinds) if len(kinds) > 1 else summary
    head = ClassProbabilities(
        class_names=data.class_names,
        representation=data.representation,
        representation_version=data.representation_version,
        unit=data.unit,
        data_fingerprint=data.fingerprint,
        rules=asdict(data.rules),
        temperature=temperature,
        dtype="float32",
        name="probabilities",
    )
    familiarity = Familiarity(dtype="float32", name="familiarity")
    outputs = {"probabilities": head(logits), "familiarity": familiarity(described)}
    familiarity.fit(predict(keras.Model(network.input, described), known), [kind.shape[1] for kind in kinds])
    return keras.Model(network.input, outputs, name="classifier")


def _features_and_logits(output: keras.KerasTensor) -> tuple[keras.KerasTensor | None, keras.KerasTensor]:
    """What the last layer makes logits of, and the logits; also where that layer lies in a network inside.

    A forest has no such features. Where n-grams add to the logits, they are those of the network that they add to.
    """
    (given, *others), last = _made_of(output)
    if isinstance(last, Trees):
        return None, output
    if isinstance(last, LogitsSum):
        features, logits = _features_and_logits(given)
        return features, last([logits, *others])
    if not isinstance(last, keras.Model):
        return given, output
    inner = last.output["logits"] if isinstance(last.output, dict) else last.output
    inside = keras.Model(last.input, {"features": _made_of(inner)[0][0], "logits": inner}, name=last.name)(given)
    return inside["features"], inside["logits"]


def _made_of(output: keras.KerasTensor) -> tuple[list[keras.KerasTensor], keras.Layer]:
    """A layer's inputs and the layer itself, from its output."""
    # A layer that several networks share has several inputs: the history says which one made this output.
    layer, node, _ = output._keras_history
    return layer._inbound_nodes[node].input_tensors, layer
