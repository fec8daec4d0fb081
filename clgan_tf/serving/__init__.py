"""The saved classifier: load it and classify captures."""

from clgan_tf.common.quiet import import_tensorflow

import_tensorflow()

from clgan_tf.serving.classifier import Classifier, load  # noqa: E402
from clgan_tf.serving.export import export  # noqa: E402
from clgan_tf.serving.rows import write_rows, write_stream  # noqa: E402

__all__ = ["Classifier", "export", "load", "write_rows", "write_stream"]
