"""ISCX VPN-nonVPN 2016: sessions of twelve classes, of six applications, or of VPN and not."""

import csv
from pathlib import Path

import tensorflow_datasets as tfds
from clgan_tf_datasets import published_files, session_builder
from clgan_tf_datasets.session_builder import SessionDatasetBuilder

from clgan_tf.data.published import ISCX_CLASSES
from clgan_tf.data.sources import Sources

NAME = "iscx_vpn_nonvpn_2016"
APPLICATIONS = ISCX_CLASSES[:6]
# Number of classes -> names, and the label of each of the twelve.
LABEL_MAPS = {
    0: (ISCX_CLASSES, list(range(12))),
    6: (APPLICATIONS, [label % 6 for label in range(12)]),
    2: (["NonVpn", "Vpn"], [label // 6 for label in range(12)]),
}


def capture_classes() -> dict[str, str]:
    """The authors' class of each of UNB's captures, by file name."""
    with open(Path(__file__).parent / "capture_classes.tsv", newline="") as file:
        return {row["capture"]: row["class"] for row in csv.DictReader(file, delimiter="\t")}


class Builder(SessionDatasetBuilder, skip_registration=not session_builder.is_registered(__name__)):
    """Raw captures in manual_dir, or else the authors' idx files of sessions."""

    BUILDER_CONFIGS = session_builder.configs((0, 6, 2))
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Optional for session_l7 and session_all_layers, whose published images are downloaded; needed for all others:
    fetch the PCAP archives of ISCX VPN-nonVPN 2016 from https://www.unb.ca/cic/datasets/vpn.html (on request) and
    unpack them, in any sub-folders, into this directory. capture_classes.tsv lists the files by name.
    """

    def class_names(self) -> list[str]:
        """Names of the configuration's classes."""
        return list(LABEL_MAPS[self.builder_config.classes][0])

    def sources(self, dl_manager: tfds.download.DownloadManager) -> Sources:
        """Captures where there is one, published images otherwise."""
        folder = session_builder.manual_dir(dl_manager)
        labels = LABEL_MAPS[self.builder_config.classes][1]
        classes = capture_classes()
        files = session_builder.files_by_name(folder, classes.__contains__)
        if files:
            to_label = {name: labels[index] for index, name in enumerate(ISCX_CLASSES)}
            return session_builder.manifest_sources(files, classes, to_label, self.class_names(), NAME)
        config = self.builder_config
        return published_files.sources(
            NAME, config, dl_manager, folder, self.MANUAL_DOWNLOAD_INSTRUCTIONS, self.class_names(), labels
        )
