"""The saved classifier: load it and classify captures."""

from importlib import import_module
from typing import Any

from clgan_tf.common.quiet import import_tensorflow

import_tensorflow()

from clgan_tf.serving.classifier import Classifier, load  # noqa: E402
from clgan_tf.serving.export import export  # noqa: E402
from clgan_tf.serving.rows import write_rows, write_stream  # noqa: E402

__all__ = ["Classifier", "export", "judge", "load", "suggest", "write_rows", "write_stream"]

LATER = {"judge": "clgan_tf.serving.labelled", "suggest": "clgan_tf.serving.suggestion"}


def __getattr__(name: str) -> Any:
    """What needs scikit-learn, imported when it is asked for: `classify` starts without it."""
    if name in LATER:
        return getattr(import_module(LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
