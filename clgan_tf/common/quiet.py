"""Importing TensorFlow without its start-up messages."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

OF_KERAS = ("IPython", "matplotlib", "pandas", "scipy", "sklearn")


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


@contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    """Inside the block, packages that are not imported yet are as if they were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def import_tensorflow(alone: bool = False) -> None:
    """Imports TensorFlow quietly; a later `import tensorflow` finds it loaded.

    alone: without the packages that Keras (3.15) imports where they are installed, for parts of it that no mode uses;
    they are more than a third of the time. They can be imported afterwards.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with standard_error_closed(), _hidden(OF_KERAS if alone else ()):
        import tensorflow

    tensorflow.get_logger().setLevel(logging.ERROR)  # Its warnings are advice to us, on retracing say.
