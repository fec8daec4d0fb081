"""CLGAN: semi-supervised classification of encrypted traffic with TensorFlow and Keras."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["SemiSupervisedClassifier"]


def __getattr__(name: str) -> Any:
    """The estimator, imported when it is asked for: the capture room needs neither scikit-learn nor TensorFlow."""
    if name == "SemiSupervisedClassifier":
        from clgan_tf.common.quiet import import_tensorflow

        import_tensorflow()
        from clgan_tf.estimator import SemiSupervisedClassifier

        return SemiSupervisedClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
