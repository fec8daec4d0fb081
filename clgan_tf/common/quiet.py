"""Importing TensorFlow without its start-up messages."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def standard_error_closed() -> Iterator[None]:
    """Sends file descriptor 2 nowhere inside the block.

    TensorFlow 2.21 writes its oneDNN notice from C++ before any log level is read, so an environment
    variable cannot stop it. A failing import still raises: only text is lost.
    """
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def import_tensorflow() -> None:
    """Imports TensorFlow quietly; a later `import tensorflow` finds it loaded."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with standard_error_closed():
        import tensorflow

    tensorflow.get_logger().setLevel(logging.ERROR)  # Its warnings are advice to us, on retracing say.
