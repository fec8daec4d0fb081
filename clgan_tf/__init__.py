"""CLGAN: semi-supervised classification of encrypted traffic with TensorFlow and Keras."""

__version__ = "0.1.0"
