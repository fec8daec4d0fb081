"""The published idx images of ISCX VPN-nonVPN 2016 and USTC-TFC2016, as their authors laid them out."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clgan_tf.data import idx
from clgan_tf.data.examples import Examples
from clgan_tf.errors import ConfigError, DataError

ISCX_CLASSES = [
    *("Chat", "Email", "File", "P2P", "Streaming", "VoIP"),
    *("Vpn_Chat", "Vpn_Email", "Vpn_File", "Vpn_P2P", "Vpn_Streaming", "Vpn_VoIP"),
]
USTC_CLASSES = [
    *("BitTorrent", "Facetime", "FTP", "Gmail", "MySQL", "Outlook", "Skype", "SMB", "Weibo", "WorldOfWarcraft"),
    *("Cridex", "Geodo", "Htbot", "Miuref", "Neris", "Nsis-ay", "Shifu", "Tinba", "Virut", "Zeus"),
]


@dataclass(frozen=True)
class Layout:
    """Folders below the data set's root and what is added to their labels; which idx parts are there."""

    class_names: list[str]
    folders: dict[str, int]
    parts: tuple[str, ...]


LAYOUTS = {
    ("iscx_vpn_nonvpn_2016", "l7"): Layout(ISCX_CLASSES, {"12class/SessionL7": 0}, ("train", "t10k")),
    ("iscx_vpn_nonvpn_2016", "all_layers"): Layout(
        ISCX_CLASSES, {"6class/NovpnSessionAllLayers": 0, "6class/VpnSessionAllLayers": 6}, ("train", "t10k")
    ),
    ("ustc_tfc2016", "l7"): Layout(USTC_CLASSES, {"20class/SessionL7": 0}, ("t10k",)),
    ("ustc_tfc2016", "all_layers"): Layout(
        USTC_CLASSES, {"10class/Benign/SessionAllLayers": 0, "10class/Malware/SessionAllLayers": 10}, ("t10k",)
    ),
}
NAMES = tuple(dict.fromkeys(name for name, _ in LAYOUTS))


def read(name: str, root: Path, representation: str) -> tuple[Examples, np.ndarray, list[str]]:
    """Reads a published data set.

    The files do not say which session an image came from, so the image's own hash and its place stand
    for the session, and `num_bytes` is the image without its trailing zeros: a lower bound.

    Returns:
      All examples; bool [n], true for the published test part where a train part exists too (nowhere
      for USTC, of which only the t10k part is at hand); the class names in label order.

    Raises:
      ConfigError: the data set was not published in this representation.
      DataError: a file is missing or damaged, or images and labels differ in number.
    """
    if (name, representation) not in LAYOUTS:
        raise ConfigError(
            f"{name} was published as l7 and all_layers; --representation={representation} needs its raw captures "
            "and --source_kind=captures."
        )
    layout = LAYOUTS[name, representation]
    parts, is_test = [], []
    for folder, label_offset in layout.folders.items():
        for part in layout.parts:
            examples = _read_part(root / folder, folder, part, label_offset, len(layout.class_names))
            parts.append(examples)
            is_test.append(np.full(len(examples), part == "t10k" and "train" in layout.parts))
    return Examples.concatenate(parts), np.concatenate(is_test), layout.class_names


def _read_part(directory: Path, folder: str, part: str, label_offset: int, num_classes: int) -> Examples:
    images = idx.read_images(_existing(directory / f"{part}-images-idx3-ubyte"))
    labels_path = _existing(directory / f"{part}-labels-idx1-ubyte")
    labels = idx.read_labels(labels_path) + label_offset
    if len(images) != len(labels):
        raise DataError(f"{labels_path}: {len(labels)} labels stand beside {len(images)} images; fetch both again.")
    if len(labels) and labels.max() >= num_classes:
        raise DataError(
            f"{labels_path}: label {labels.max() - label_offset} at offset {8 + int(labels.argmax())} is no class of "
            "this data set; fetch it again."
        )
    sessions = [
        f"{hashlib.sha256(image.tobytes()).hexdigest()[:32]}/{folder}/{part}/{row}" for row, image in enumerate(images)
    ]
    flat = images.reshape(len(images), -1)
    num_bytes = np.where(flat.any(axis=1), flat.shape[1] - np.argmax(flat[:, ::-1] != 0, axis=1), 0)
    return Examples(
        images,
        labels,
        np.full(len(images), f"{folder}/{part}", dtype=object),
        np.array(sessions, dtype=object),
        num_bytes.astype(np.int64),
    )


def _existing(path: Path) -> Path:
    for candidate in (path.with_name(path.name + ".gz"), path):
        if candidate.exists():
            return candidate
    raise DataError(f"{path}.gz is missing; --source must be the data set's folder as it was published.")
