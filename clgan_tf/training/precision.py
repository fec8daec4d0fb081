"""In what numbers networks compute while they are trained. Weights, losses and what is saved are float32 always."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import keras

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Networks that are built meanwhile compute so; bfloat16 needs no scaling of losses: its range is float32's."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def in_float32(network: keras.Model) -> keras.Model:
    """The same network with the same weights, which computes in float32 alone, as every machine does well."""
    written = json.dumps(keras.saving.serialize_keras_object(network))
    if POLICIES["bfloat16"] not in written:
        return network
    same = keras.saving.deserialize_keras_object(json.loads(written.replace(POLICIES["bfloat16"], "float32")))
    same.set_weights(network.get_weights())
    return same
