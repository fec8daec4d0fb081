"""USTC-TFC2016: sessions of ten benign applications and ten kinds of malware."""

import re
from pathlib import Path

import tensorflow_datasets as tfds
from clgan_tf_datasets import published_files, session_builder
from clgan_tf_datasets.session_builder import SessionDatasetBuilder

from clgan_tf.data.published import USTC_CLASSES
from clgan_tf.data.sources import Sources

NAME = "ustc_tfc2016"
ARCHIVES = Path(__file__).parent / "archives.txt"


def class_of(name: str) -> str | None:
    """The class of a capture by its file name: CLASS.pcap, or CLASS-1.pcap and so on where an archive holds several."""
    match = re.fullmatch(r"(.+?)(-\d+)?\.pcap(ng)?", name)
    return next((known for known in USTC_CLASSES if match and known.lower() == match[1].lower()), None)


class Builder(SessionDatasetBuilder, skip_registration=not session_builder.is_registered(__name__)):
    """Raw captures in manual_dir, or else the authors' published tenth as idx files."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Optional for session_l7 and session_all_layers, whose published images are downloaded; needed for all others:
    fetch the files that archives.txt lists from https://github.com/echowei/DeepTraffic (folder
    1.malware_traffic_classification/1.DataSet(USTC-TFC2016)) and unpack the .7z ones, in any sub-folders, into this
    directory.
    """

    def class_names(self) -> list[str]:
        """The authors' names."""
        return list(USTC_CLASSES)

    def sources(self, dl_manager: tfds.download.DownloadManager) -> Sources:
        """Captures where there is one, published images otherwise."""
        folder = session_builder.manual_dir(dl_manager)
        files = session_builder.files_by_name(folder, class_of)
        if not files:
            config = self.builder_config
            return published_files.sources(
                NAME, config, dl_manager, folder, self.MANUAL_DOWNLOAD_INSTRUCTIONS, self.class_names()
            )
        # Of classes without a capture, the archive that would hold it stands for what is missing.
        classes = {name: str(class_of(name)) for name in files}
        for line in ARCHIVES.read_text().splitlines():
            archive = Path(line).name
            name = Path(archive).stem
            if name not in classes.values():
                classes[archive] = name
        to_label = {name: label for label, name in enumerate(USTC_CLASSES)}
        return session_builder.manifest_sources(files, classes, to_label, self.class_names(), NAME)
