"""TFRecord shards of session examples: their schema, writing and reading.

A record is a tf.train.Example with `image` (784 bytes, row by row), `label` (int64, -1 = unlabelled),
`capture` (UTF-8), `session` (UTF-8) and `num_bytes` (int64).
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from clgan_tf.common.errors import DataError
from clgan_tf.data.examples import Examples

FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
    "capture": tf.io.FixedLenFeature([], tf.string),
    "session": tf.io.FixedLenFeature([], tf.string),
    "num_bytes": tf.io.FixedLenFeature([], tf.int64),
}
IMAGE_BYTES = 784
MAX_RECORD_BYTES = 1 << 16  # an image, two short strings and two numbers; paths have at most 4,096 bytes
EXAMPLES_PER_SHARD = 20_000  # about 17 MB


def serialize(image: np.ndarray, label: int, capture: str, session: str, num_bytes: int) -> bytes:
    """One session, image uint8 [28, 28, 1], as a serialized tf.train.Example."""
    feature = {
        "image": _bytes(image.tobytes()),
        "label": _int64(label),
        "capture": _bytes(str(capture).encode()),
        "session": _bytes(str(session).encode()),
        "num_bytes": _int64(num_bytes),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def parse(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """A batch [n] of serialized examples -> `image` uint8 [n, 28, 28, 1] and the other features [n].

    Raises (inside tf.data): tf.errors.InvalidArgumentError for a record that does not fit the schema.
    """
    features = tf.io.parse_example(serialized, FEATURES)
    pixels = tf.io.decode_raw(features["image"], tf.uint8)
    features["image"] = tf.reshape(pixels, [-1, 28, 28, 1])
    # A reshape alone would accept any multiple of 784 bytes, and shift labels against images.
    with tf.control_dependencies(
        [tf.debugging.assert_equal(tf.shape(pixels)[1:], [IMAGE_BYTES], "image is not 784 bytes long")]
    ):
        features["image"] = tf.identity(features["image"])
    return features


def write_split(directory: Path, split: str, examples: Examples) -> list[str]:
    """Writes `SPLIT-00000-of-0000N.tfrecord` files into `directory`; returns their names."""
    num_shards = max(1, -(-len(examples) // EXAMPLES_PER_SHARD))
    names = [f"{split}-{shard:05d}-of-{num_shards:05d}.tfrecord" for shard in range(num_shards)]
    for shard, name in enumerate(names):
        part = examples[np.arange(shard, len(examples), num_shards)]
        try:
            with tf.io.TFRecordWriter(str(directory / name)) as writer:
                for row in zip(part.images, part.labels, part.captures, part.sessions, part.num_bytes, strict=True):
                    writer.write(serialize(*row))
        except tf.errors.OpError as error:
            raise DataError(f"{directory / name}: cannot be written ({_reason(error)}); free some space.") from error
    return names


def read_split(paths: list[Path], expected: int) -> Examples:
    """Reads all shards of one split into memory.

    Raises:
      DataError: a shard is missing, truncated, corrupt, or the records are not `expected` many.
    """
    batches, count = [], 0
    for batch in _batches(paths):
        batches.append(batch)
        count += len(batch["label"])
        if count > expected:
            break
    empty = np.zeros(0, np.int64)
    columns = {name: np.concatenate([batch[name] for batch in batches] or [empty]) for name in FEATURES}
    if count != expected:
        where = paths[0].parent if paths else "The data set"
        found = f"{count}" if count < expected else "more"
        raise DataError(
            f"{where}: dataset.json promises {expected} records of a split and its shards hold {found}; "
            "run --mode=prepare --overwrite."
        )
    return Examples(
        np.asarray(columns["image"], np.uint8).reshape(-1, 28, 28, 1),
        np.asarray(columns["label"], np.int64),
        np.array([capture.decode(errors="replace") for capture in columns["capture"]], dtype=object),
        np.array([session.decode(errors="replace") for session in columns["session"]], dtype=object),
        np.asarray(columns["num_bytes"], np.int64),
    )


def check(paths: list[Path]) -> None:
    """Reads every record once. Raises DataError as `read_split` does."""
    for _ in _batches(paths):
        pass


def check_lengths(path: Path) -> None:
    """Walks a shard's records by their lengths alone: TensorFlow allocates whatever a record claims.

    Each record is a length (uint64, little-endian), 4 bytes of checksum, the data, and 4 more bytes.

    Raises:
      DataError: the shard is missing, ends inside a record, or a record claims more than MAX_RECORD_BYTES.
    """
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            offset = 0
            while offset < size:
                file.seek(offset)
                head = file.read(12)
                length = int.from_bytes(head[:8], "little")
                if len(head) == 12 and length > MAX_RECORD_BYTES:
                    raise DataError(
                        f"{path}: at offset {offset}: a record is corrupt: it claims {length} bytes; "
                        "run --mode=prepare --overwrite."
                    )
                if len(head) < 12 or offset + 16 + length > size:
                    raise DataError(
                        f"{path}: at offset {offset}: a record is truncated; run --mode=prepare --overwrite."
                    )
                offset += 16 + length
    except FileNotFoundError as error:
        raise DataError(f"{path}: this shard is missing; run --mode=prepare --overwrite.") from error


def _batches(paths: list[Path]) -> Iterator[dict[str, np.ndarray]]:
    for path in paths:
        check_lengths(path)
        try:
            yield from tf.data.TFRecordDataset([str(path)]).batch(1024).map(parse).as_numpy_iterator()
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            raise DataError(
                f"{path}: a record is truncated or corrupt ({_reason(error)}); run --mode=prepare --overwrite."
            ) from error


def _reason(error: tf.errors.OpError) -> str:
    return error.message.split("\n")[0].split(" [Op")[0][:200]


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int64(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value)]))
