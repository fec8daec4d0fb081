"""The builder makes its own traffic; here a small amount."""

import tempfile
from unittest import mock

import tensorflow_datasets as tfds
from clgan_tf_datasets.demo_traffic import demo_traffic_dataset_builder as demo_traffic

from clgan_tf import demo


class DemoTrafficTest(tfds.testing.DatasetBuilderTestCase):
    """A third of the usual corpus."""

    DATASET_CLASS = demo_traffic.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["session_masked"]
    SPLITS = {"train": 852, "validation": 96, "test": 240, "unlabelled": 120}
    EXAMPLE_DIR = tempfile.mkdtemp()  # where the builder makes its captures

    def setUp(self) -> None:
        """Makes fewer sessions."""
        super().setUp()
        whole = demo.write_corpus
        self.enter_context(
            mock.patch.object(demo, "write_corpus", lambda folder, seed: whole(folder, seed, scale=1 / 3))
        )


if __name__ == "__main__":
    tfds.testing.test_main()
