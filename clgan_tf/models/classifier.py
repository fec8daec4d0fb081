"""The classifier that is shipped: bytes in, class probabilities out, with all that is needed to use it."""

from typing import Any

import keras
import numpy as np
from keras import layers


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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.class_names = list(class_names)
        self.representation = representation
        self.representation_version = representation_version
        self.unit = unit
        self.data_fingerprint = data_fingerprint
        self.rules = dict(rules or {})

    def call(self, logits: Any) -> Any:
        """The softmax."""
        return keras.ops.softmax(logits)

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
        }


def build_logits_model(discriminator: keras.Model) -> keras.Model:
    """Bytes [batch, 28, 28, 1] uint8 -> logits [batch, K]; shares the discriminator's weights. For phase 2."""
    image = keras.Input((28, 28, 1), dtype="uint8", name="bytes")
    scaled = layers.Rescaling(1 / 127.5, offset=-1.0, name="scaling")(image)
    return keras.Model(image, discriminator(scaled)["logits"], name="classifier")


def build_classifier(logits_model: keras.Model, **facts: Any) -> keras.Model:
    """Bytes -> probabilities; `facts` are the arguments of ClassProbabilities."""
    probabilities = ClassProbabilities(**facts, dtype="float32", name="probabilities")(logits_model.output)
    return keras.Model(logits_model.input, probabilities, name="classifier")


def predict(classifier: keras.Model, images: np.ndarray, batch_size: int = 1024) -> np.ndarray:
    """Probabilities float32 [n, K] of uint8 images [n, 28, 28] or [n, 28, 28, 1]; n may be 0."""
    images = images.reshape(-1, 28, 28, 1)
    if not len(images):
        return np.zeros((0, classifier.output_shape[-1]), np.float32)
    return classifier.predict(images, batch_size=batch_size, verbose=0)
