"""Where phase 1 runs: on one device, on all of a machine's, on several machines', or on a TPU's cores.

Gradients are summed over replicas, and objectives are means over the whole batch: each replica has an equal part of it,
and so of the noise. What is drawn anew in a step beside it, dropout and hidden spans, differs by replica.
"""

from functools import cache

import tensorflow as tf

from clgan_tf.common.errors import ConfigError


@cache
def strategy_of(name: str) -> tf.distribute.Strategy:
    """The strategy of that name; "multi_worker" and "tpu" must be asked for before TensorFlow computes anything.

    Args:
      name: "one", "mirrored" (this machine's GPUs), "multi_worker" (the workers that TF_CONFIG names, in each of which
        the same command runs) or "tpu" (that of TPU_NAME, or this machine's).

    Raises:
      ConfigError: there is no such device, or TF_CONFIG cannot be used.
    """
    try:
        if name == "mirrored":
            return tf.distribute.MirroredStrategy()
        if name == "multi_worker":
            return tf.distribute.MultiWorkerMirroredStrategy()
        if name == "tpu":
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
            tf.config.experimental_connect_to_cluster(resolver)
            tf.tpu.experimental.initialize_tpu_system(resolver)
            return tf.distribute.TPUStrategy(resolver)
    except (ValueError, KeyError, RuntimeError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"--strategy={name} cannot be used here: {reason.rstrip('.')}; choose another.") from error
    return tf.distribute.get_strategy()


def is_chief(name: str) -> bool:
    """Whether this process is the one that writes: alone, or the first of several workers."""
    resolver = strategy_of(name).cluster_resolver
    if name != "multi_worker" or resolver is None or not resolver.task_type:
        return True
    has_chief = "chief" in resolver.cluster_spec().as_dict()
    return resolver.task_type == "chief" or (not has_chief and resolver.task_id == 0)


def require_parts(name: str, batch_size: int, of_each: int = 1) -> None:
    """Raises ConfigError where a batch cannot be cut into equal parts of whole multiples of `of_each` rows."""
    parts = strategy_of(name).num_replicas_in_sync * of_each
    if batch_size % parts:
        raise ConfigError(f"--batch_size={batch_size} must be a multiple of {parts} with --strategy={name}.")
