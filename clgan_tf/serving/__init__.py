"""The saved classifier: load it and classify captures."""

from clgan_tf.serving.classifier import Classifier, load
from clgan_tf.serving.rows import Rotation, write_rows, write_stream

__all__ = ["Classifier", "Rotation", "load", "write_rows", "write_stream"]
