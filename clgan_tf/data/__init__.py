"""Prepared data sets: sources, de-duplication, splits, TFRecord shards and tf.data pipelines."""
