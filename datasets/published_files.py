"""The authors' idx files: placed in manual_dir, or downloaded at a pinned commit, and checked by SHA-256."""

import hashlib
from pathlib import Path

import tensorflow_datasets as tfds
from clgan_tf_datasets.session_builder import SessionConfig

from clgan_tf.common.errors import ConfigError, DataError
from clgan_tf.data import published
from clgan_tf.data.published import LAYOUTS
from clgan_tf.data.sources import Sources


def sources(
    name: str,
    config: SessionConfig,
    dl_manager: tfds.download.DownloadManager,
    folder: Path | None,
    instructions: str,
    class_names: list[str],
    label_map: list[int] | None = None,
) -> Sources:
    """Sources for the idx files of a published data set; those in `folder`, the manual directory, come first.

    Args:
      class_names: ours, in label order; label_map: our label of each of the authors' classes; default: the same.

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
    paths = [path for _, *both in published.file_names(layout) for path in both]
    placed = {path: folder / path for path in paths if folder and (folder / path).exists()}
    for path, file in placed.items():
        check(file, urls[path][1])
    missing = {path: urls[path][0] for path in paths if path not in placed}
    files = placed | ({path: Path(file) for path, file in dl_manager.download(missing).items()} if missing else {})
    return Sources(published.sources(layout, files, tuple(label_map) if label_map else None), class_names, {}, [])


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
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != expected:
        raise DataError(f"{path}: SHA-256 is {actual}, expected {expected}; fetch the file again.")
