"""Capture files to sessions. Knows nothing of TensorFlow."""

from clgan_tf.capture.live import Live
from clgan_tf.capture.parallel import workers_for
from clgan_tf.capture.representation import DEFAULT_REPRESENTATION, REPRESENTATIONS
from clgan_tf.capture.rules import TUNNELS, SessionRules
from clgan_tf.capture.session_key import PROTOCOLS
from clgan_tf.capture.sessions import UNITS, CaptureSummary, Sessions, concatenate, load, stream, undirected

__all__ = [
    "DEFAULT_REPRESENTATION",
    "PROTOCOLS",
    "REPRESENTATIONS",
    "TUNNELS",
    "UNITS",
    "CaptureSummary",
    "Live",
    "SessionRules",
    "Sessions",
    "concatenate",
    "load",
    "stream",
    "undirected",
    "workers_for",
]
