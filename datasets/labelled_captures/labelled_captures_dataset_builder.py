"""One's own captures: manual_dir/CLASS/*.pcap with labels, manual_dir/unlabelled/ without."""

import tensorflow_datasets as tfds
from absl import logging
from clgan_tf_datasets import session_builder
from clgan_tf_datasets.session_builder import SessionDatasetBuilder

from clgan_tf.common.errors import DataError
from clgan_tf.data import labelled_folder
from clgan_tf.data.sources import Sources


class Builder(SessionDatasetBuilder, skip_registration=not session_builder.is_registered(__name__)):
    """The class names are the folders' names."""

    OWN_CAPTURES = True
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Put captures (pcap or pcapng, also inside gzip, zstd or xz) into one folder per class in this directory, and those
    without labels into a folder `unlabelled`.
    """

    def sources(self, dl_manager: tfds.download.DownloadManager) -> Sources:
        """Every capture below the class folders."""
        folder = session_builder.manual_dir(dl_manager)
        if folder is None:
            instructions = " ".join(self.MANUAL_DOWNLOAD_INSTRUCTIONS.split())
            raise DataError(f"The manual directory is missing or empty; pass --manual_dir. {instructions}")
        for path in labelled_folder.captures_of_no_class(folder):
            logging.warning("Left out, because it lies in no class folder: %s", path)
        return labelled_folder.sources_below(folder)
