"""Two classes of three captures, and one capture without labels."""

import tensorflow_datasets as tfds
from clgan_tf_datasets.labelled_captures import labelled_captures_dataset_builder as labelled_captures


class FromFoldersTest(tfds.testing.DatasetBuilderTestCase):
    """Split by session."""

    DATASET_CLASS = labelled_captures.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["session_masked"]
    SPLITS = {"train": 68, "validation": 8, "test": 20, "unlabelled": 16}


class ByCaptureTest(tfds.testing.DatasetBuilderTestCase):
    """One capture of each class in every split."""

    DATASET_CLASS = labelled_captures.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["session_l7_by_capture"]
    SPLITS = {"train": 32, "validation": 32, "test": 32, "unlabelled": 16}


if __name__ == "__main__":
    tfds.testing.test_main()
