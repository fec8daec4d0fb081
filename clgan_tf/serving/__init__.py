"""The saved classifier: load it and classify captures."""

from clgan_tf.serving.classifier import Classifier, load, write_rows

__all__ = ["Classifier", "load", "write_rows"]
