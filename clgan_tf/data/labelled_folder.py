"""A folder of one's own captures: below root/CLASS/ with labels, below root/unlabelled/ without."""

from pathlib import Path

from clgan_tf.capture.sources import captures_below, is_capture
from clgan_tf.common.errors import DataError
from clgan_tf.data.examples import UNLABELLED, UNLABELLED_NAME
from clgan_tf.data.sources import Source, Sources, plain_name


def sources_below(root: Path) -> Sources:
    """The captures of every class folder, in the order of their names; classes are labelled in that order.

    Raises:
      DataError: the root is missing, has fewer than two classes, or a class has no capture.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; --source must hold one folder of captures per class.")
    folders = sorted(folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    captures = {folder.name: captures_below(folder) for folder in folders}
    for name, paths in captures.items():
        if not paths:
            raise DataError(f"{root / name}: no capture file; add captures or remove the folder.")
    class_names = [name for name in captures if name != UNLABELLED_NAME]
    if len(class_names) < 2:
        raise DataError(f"{root}: {len(class_names)} class folders; a classifier needs at least 2.")
    labels = {name: label for label, name in enumerate(class_names)} | {UNLABELLED_NAME: UNLABELLED}
    sources = [
        Source(str(path), plain_name(path, root), labels[name]) for name, paths in captures.items() for path in paths
    ]
    return Sources(sources, class_names, {}, [])


def captures_of_no_class(root: Path) -> list[Path]:
    """Captures that lie beside the class folders, sorted: they are not read."""
    return sorted(path for path in root.iterdir() if path.is_file() and is_capture(path))
