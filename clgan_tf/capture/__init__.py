"""Capture files to sessions. Knows nothing of TensorFlow."""

from clgan_tf.capture.representation import REPRESENTATIONS
from clgan_tf.capture.sessions import UNITS, Sessions, concatenate, load, stream

__all__ = ["REPRESENTATIONS", "UNITS", "Sessions", "concatenate", "load", "stream"]
