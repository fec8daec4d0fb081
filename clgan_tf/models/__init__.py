"""Networks by name, and what trains them. No file access and no settings here: bytes go in and logits come out."""

from clgan_tf.models.registry import (
    AUTO,
    BASELINES,
    CANDIDATES,
    GENERATOR_LOSSES,
    LABELS_ALONE,
    LITE,
    NETWORKS,
    ON_BYTES,
    PLUS,
    SYSTEMS,
    WITH_TRUNK,
    build,
    build_on_bytes,
    check,
    takes,
    title,
)

__all__ = [
    "AUTO",
    "BASELINES",
    "CANDIDATES",
    "GENERATOR_LOSSES",
    "LABELS_ALONE",
    "LITE",
    "NETWORKS",
    "ON_BYTES",
    "PLUS",
    "SYSTEMS",
    "WITH_TRUNK",
    "build",
    "build_on_bytes",
    "check",
    "takes",
    "title",
]
