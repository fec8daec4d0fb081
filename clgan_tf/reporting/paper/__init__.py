"""The paper's tables and figures from sweeps' results, with what the paper lacks: spread, trees, circumstances."""

from clgan_tf.reporting.paper.page import page, write

__all__ = ["page", "write"]
