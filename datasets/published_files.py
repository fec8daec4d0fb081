"""The authors' idx files: placed in manual_dir, or downloaded at a pinned commit, and checked by SHA-256."""

import hashlib
from pathlib import Path

import tensorflow_datasets as tfds
from clgan_tf_datasets.session_builder import SessionConfig
from clgan_tf_datasets.session_pipeline import Source

from clgan_tf.data.published import LAYOUTS
from clgan_tf.errors import ConfigError, DataError

PUBLISHED_PART = {"train": "train", "t10k": "test"}


def sources(
    name: str, config: SessionConfig, dl_manager: tfds.download.DownloadManager, folder: Path | None, instructions: str
) -> list[Source]:
    """Sources for the idx files of a published data set; those in `folder`, the manual directory, come first.

    Raises:
      ConfigError: the data set was not published so; `instructions` say what to fetch.
      DataError: a file's SHA-256 is not the one that is known.
    """
    if config.unit != "session" or (name, config.representation) not in LAYOUTS:
        raise ConfigError(
            f"{name} was published as session_l7 and session_all_layers; {config.name} needs its raw captures, and the "
            f"manual directory {folder or '(missing or empty; pass --manual_dir)'} holds none: "
            f"{' '.join(instructions.split())}"
        )
    layout = LAYOUTS[name, config.representation]
    urls = known_urls(name)
    paths = [
        f"{layer}/{part}-{kind}-ubyte.gz"
        for layer in layout.folders
        for part in layout.parts
        for kind in ("images-idx3", "labels-idx1")
    ]
    placed = {path: folder / path for path in paths if folder and (folder / path).exists()}
    for path, file in placed.items():
        check(file, urls[path][1])
    missing = {path: urls[path][0] for path in paths if path not in placed}
    found = placed | {path: Path(file) for path, file in dl_manager.download(missing).items()} if missing else placed
    return [
        Source(
            str(found[f"{layer}/{part}-images-idx3-ubyte.gz"]),
            f"{layer}/{part}",
            offset,
            str(found[f"{layer}/{part}-labels-idx1-ubyte.gz"]),
            PUBLISHED_PART[part],
        )
        for layer, offset in layout.folders.items()
        for part in layout.parts
    ]


def known_urls(name: str) -> dict[str, tuple[str, str]]:
    """URL and SHA-256 by path below the data set's folder, from its checksums.tsv."""
    known = {}
    for line in (Path(__file__).parent / name / "checksums.tsv").read_text().splitlines():
        url, _, digest, _ = line.split("\t")
        known["/".join(url.split("/")[-3:])] = url, digest
        known["/".join(url.split("/")[-4:])] = url, digest
    return known


def check(path: Path, expected: str) -> None:
    """Raises DataError where the file's SHA-256 is another."""
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise DataError(f"{path}: SHA-256 is {found}, expected {expected}; fetch the file again.")
