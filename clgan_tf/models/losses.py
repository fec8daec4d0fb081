"""The K+1 objective (DESIGN: Salimans et al. 2016, arXiv 1606.03498, section 5) as pure functions of logits.

A discriminator with K logits l(x) stands for a K+1 softmax whose last logit, "fake", is fixed at 0:
with Z(x) = sum_k exp l_k(x), p(real | x) = Z / (Z + 1). Everything is computed from
log Z = logsumexp(l) and softplus, never from the logarithm of a softmax.
"""

import math

import tensorflow as tf


def log_probability_real(logits: tf.Tensor) -> tf.Tensor:
    """Log p(real | x) = -softplus(-log Z). logits: [batch, K] float; returns [batch]."""
    return -tf.nn.softplus(-tf.reduce_logsumexp(logits, axis=-1))


def log_probability_generated(logits: tf.Tensor) -> tf.Tensor:
    """log(1 - p(real | x)) = -softplus(log Z). logits: [batch, K] float; returns [batch]."""
    return -tf.nn.softplus(tf.reduce_logsumexp(logits, axis=-1))


def labelled_loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean cross entropy of the K classes, given real. labels: [batch] int; logits: [batch, K]; scalar."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def unlabelled_loss(logits: tf.Tensor) -> tf.Tensor:
    """-E log p(real) over unlabelled rows. logits: [batch, K]; scalar."""
    return -tf.reduce_mean(log_probability_real(logits))


def generated_loss(logits: tf.Tensor) -> tf.Tensor:
    """-E log(1 - p(real)) over generated rows. logits: [batch, K]; scalar."""
    return -tf.reduce_mean(log_probability_generated(logits))


def feature_matching(real_features: tf.Tensor, generated_features: tf.Tensor) -> tf.Tensor:
    """|| E f(x) - E f(G(z)) ||_2^2, as the source's code has it. Features: [batch, units]; scalar.

    The squared norm: the plain norm has no gradient where both means meet.
    The real mean is a target, so no gradient flows into it.
    """
    difference = tf.stop_gradient(_mean_of_rows(real_features)) - _mean_of_rows(generated_features)
    return tf.reduce_sum(tf.square(difference))


def _mean_of_rows(features: tf.Tensor) -> tf.Tensor:
    """Over the whole batch, of which a replica may have a part only. Features: [rows, units]; returns [units]."""
    # float32 whatever the policy: the mean of many half-precision features loses their small differences.
    mean = tf.reduce_mean(tf.cast(features, tf.float32), axis=0)
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return mean
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, mean)


def non_saturating(generated_logits: tf.Tensor) -> tf.Tensor:
    """-E log p(real | G(z)), the generator's other loss. generated_logits: [batch, K]; scalar."""
    return unlabelled_loss(generated_logits)


def byte_losses(values: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross entropy of each byte. values: [batch, p] int in 0..255; logits: [batch, p, 256]; returns [batch, p].

    Written out, since TensorFlow's own operation takes twice as long on a CPU.
    """
    return tf.reduce_logsumexp(logits, axis=-1) - tf.gather(logits, values, batch_dims=2)


def predictability(byte_loss: tf.Tensor) -> tf.Tensor:
    """How much of the loss to spend on a byte: 1.05 - loss / ln 256, at least 0.05; no gradient flows through it.

    Most of an encrypted payload stays near ln 256 whatever is learned and teaches nothing (FlowSem-MAE, arXiv
    2603.10051, spends it on predictable fields alone). byte_loss: any shape, returned.
    """
    return tf.maximum(0.05, 1.05 - tf.stop_gradient(byte_loss) / math.log(256))


def mean_of(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Their weighted mean, 0 where all weights are. values, weights: of one shape; scalar."""
    return tf.math.divide_no_nan(tf.reduce_sum(values * weights), tf.reduce_sum(weights))


def detection_losses(is_real: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross entropy of each byte's being the session's own. is_real: float, 1 or 0; logits alike; returns alike."""
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=is_real, logits=logits)
