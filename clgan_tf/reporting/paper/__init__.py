"""The paper's tables and figures from sweeps' results, with what the paper lacks: spread, trees, circumstances."""

from clgan_tf.reporting.paper.page import is_of_it, page, write

__all__ = ["is_of_it", "page", "write"]
