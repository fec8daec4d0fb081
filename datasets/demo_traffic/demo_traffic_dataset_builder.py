"""Demo traffic: six applications, each plain and inside a tunnel, made on this machine with genuine encryption."""

from pathlib import Path

import tensorflow_datasets as tfds
from clgan_tf_datasets import session_builder
from clgan_tf_datasets.session_builder import SessionDatasetBuilder

from clgan_tf import demo
from clgan_tf.data import labelled_folder
from clgan_tf.data.sources import Sources


class Builder(SessionDatasetBuilder, skip_registration=not session_builder.is_registered(__name__)):
    """Captures are made in the download directory, once; no download."""

    def class_names(self) -> list[str]:
        """The demo's classes."""
        return sorted(demo.CLASS_NAMES)

    def sources(self, dl_manager: tfds.download.DownloadManager) -> Sources:
        """Every capture of the corpus."""
        folder = Path(dl_manager.download_dir) / f"demo_traffic_{self.builder_config.seed}"
        demo.write_corpus(folder, self.builder_config.seed)
        return labelled_folder.sources_below(folder)
