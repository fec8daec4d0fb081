"""Dummy captures for the raw source, dummy idx files for the published one."""

from pathlib import Path

import tensorflow_datasets as tfds
from clgan_tf_datasets.ustc_tfc2016 import ustc_tfc2016_dataset_builder as ustc

HERE = Path(__file__).parent


class FromCapturesTest(tfds.testing.DatasetBuilderTestCase):
    """20 classes of 50 one-packet sessions."""

    DATASET_CLASS = ustc.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["session_masked"]
    SPLITS = {"train": 720, "validation": 80, "test": 200}


class FromPublishedImagesTest(tfds.testing.DatasetBuilderTestCase):
    """20 classes of 50 images in the one part that was published."""

    DATASET_CLASS = ustc.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["session_l7"]
    OVERLAPPING_SPLITS = ["published_test"]  # the same images, as they stand
    EXAMPLE_DIR = HERE / "dummy_idx"
    DL_DOWNLOAD_RESULT = {
        f"20class/SessionL7/t10k-{kind}-ubyte.gz": f"downloaded/20class/SessionL7/t10k-{kind}-ubyte.gz"
        for kind in ("images-idx3", "labels-idx1")
    }
    SPLITS = {"train": 720, "validation": 80, "test": 200, "published_test": 1000}


if __name__ == "__main__":
    tfds.testing.test_main()
