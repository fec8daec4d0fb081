"""The published idx images of ISCX VPN-nonVPN 2016 and USTC-TFC2016, as their authors laid them out."""

from dataclasses import dataclass
from pathlib import Path

from clgan_tf.common.errors import ConfigError, DataError
from clgan_tf.data.sources import Source, Sources

ISCX_CLASSES = [
    *("Chat", "Email", "File", "P2P", "Streaming", "VoIP"),
    *("Vpn_Chat", "Vpn_Email", "Vpn_File", "Vpn_P2P", "Vpn_Streaming", "Vpn_VoIP"),
]
USTC_CLASSES = [
    *("BitTorrent", "Facetime", "FTP", "Gmail", "MySQL", "Outlook", "Skype", "SMB", "Weibo", "WorldOfWarcraft"),
    *("Cridex", "Geodo", "Htbot", "Miuref", "Neris", "Nsis-ay", "Shifu", "Tinba", "Virut", "Zeus"),
]
PART_NAMES = {"train": "train", "t10k": "test"}


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


def layout_of(name: str, representation: str) -> Layout:
    """The layout. Raises ConfigError where the data set was not published in this representation."""
    if (name, representation) not in LAYOUTS:
        published = [known for source, known in LAYOUTS if source == name]
        raise ConfigError(
            f"{name} was published as {' and '.join(published)}; --representation={representation} needs its raw "
            "captures and --source_kind=captures."
        )
    return LAYOUTS[name, representation]


def file_names(layout: Layout) -> list[tuple[str, str, str]]:
    """Of every part of a layout: its name, and the paths of its images and labels, below the data set's root."""
    return [
        (f"{folder}/{part}", f"{folder}/{part}-images-idx3-ubyte.gz", f"{folder}/{part}-labels-idx1-ubyte.gz")
        for folder in layout.folders
        for part in layout.parts
    ]


def sources(layout: Layout, files: dict[str, Path], label_map: tuple[int, ...] | None = None) -> list[Source]:
    """The sources of a layout, of whose published test part, if it has a train part too, is_test is true.

    Args:
      files: where each of `file_names` lies. label_map: our label of each class of the layout; default: the same.
    """
    pairs = []
    for name, images, labels in file_names(layout):
        folder, part = name.rsplit("/", 1)
        pairs.append(
            Source(
                str(files[images]),
                name,
                layout.folders[folder],
                labels_path=str(files[labels]),
                part=PART_NAMES[part],
                label_map=label_map or tuple(range(len(layout.class_names))),
                is_test=PART_NAMES[part] == "test" and "train" in layout.parts,
            )
        )
    return pairs


def sources_below(root: Path, name: str, representation: str) -> Sources:
    """The sources of a published data set in the folder that holds it, its files packed or not.

    Raises:
      ConfigError: see `layout_of`. DataError: a file is missing.
    """
    layout = layout_of(name, representation)
    files = {path: _existing(root / path) for _, *paths in file_names(layout) for path in paths}
    return Sources(sources(layout, files), list(layout.class_names), {}, [])


def _existing(path: Path) -> Path:
    for candidate in (path, path.with_suffix("")):
        if candidate.exists():
            return candidate
    raise DataError(f"{path} is missing; --source must be the data set's folder as it was published.")
