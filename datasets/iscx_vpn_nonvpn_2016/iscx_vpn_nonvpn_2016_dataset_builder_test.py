"""Dummy captures for the raw source, dummy idx files for the published one."""

from pathlib import Path

import tensorflow_datasets as tfds
from clgan_tf_datasets.iscx_vpn_nonvpn_2016 import iscx_vpn_nonvpn_2016_dataset_builder as iscx

HERE = Path(__file__).parent


class FromCapturesTest(tfds.testing.DatasetBuilderTestCase):
    """12 classes of 50 one-packet sessions."""

    DATASET_CLASS = iscx.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["session_masked", "session_l7_6_classes", "session_masked_2_classes"]
    SPLITS = {"train": 432, "validation": 48, "test": 120}


class FlowsFromCapturesTest(tfds.testing.DatasetBuilderTestCase):
    """The same captures, one flow a session."""

    DATASET_CLASS = iscx.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["flow_l7"]
    SPLITS = {"train": 432, "validation": 48, "test": 120}


class FromPublishedImagesTest(tfds.testing.DatasetBuilderTestCase):
    """12 classes of 50 images in either part."""

    DATASET_CLASS = iscx.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["session_l7"]
    OVERLAPPING_SPLITS = ["test", "published_train", "published_test"]  # published ones: as they stand
    EXAMPLE_DIR = HERE / "dummy_idx"
    DL_DOWNLOAD_RESULT = {
        f"12class/SessionL7/{part}-{kind}-ubyte.gz": f"downloaded/12class/SessionL7/{part}-{kind}-ubyte.gz"
        for part in ("train", "t10k")
        for kind in ("images-idx3", "labels-idx1")
    }
    SPLITS = {"train": 540, "validation": 60, "test": 600, "published_train": 600, "published_test": 600}


if __name__ == "__main__":
    tfds.testing.test_main()
