"""Demo traffic: capture files in the ISCX taxonomy, made here, with genuine encryption."""

from clgan_tf.demo.corpus import CLASS_NAMES, write_corpus

__all__ = ["CLASS_NAMES", "write_corpus"]
