"""A folder of one's own captures: below root/CLASS/ with labels, below root/unlabelled/ without."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from clgan_tf.capture.sources import captures_below, is_capture
from clgan_tf.common.errors import DataError
from clgan_tf.common.files import readable_name
from clgan_tf.data.class_names import UNLABELLED_SPELLINGS, plain_form
from clgan_tf.data.examples import UNLABELLED, UNLABELLED_NAME
from clgan_tf.data.sources import Source, Sources, plain_name


def sources_below(root: Path, least_classes: int = 2) -> Sources:
    """The captures of every class folder, in the order of their names; classes are labelled in that order.

    Raises:
      DataError: the root is missing; it has too few classes, unless it has nothing but unlabelled captures; two
        names for one class, or one that is not UTF-8; or a class has no capture.
    """
    if not root.is_dir():
        raise DataError(f"{root}: {_no_folder(root)}; name the one that holds a folder of captures per class.")
    folders = sorted(folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    for folder in folders:
        if readable_name(folder.name) != folder.name:
            raise DataError(f"{root}: the name of the folder {folder.name!a} is not UTF-8; give it another one.")
    _refuse_twins(root, [folder.name for folder in folders])
    captures = {folder.name: captures_below(folder) for folder in folders}
    for name, paths in captures.items():
        if not paths:
            raise DataError(f"{root / name}: no capture file; add captures or remove the folder.")
    class_names = [name for name in captures if name != UNLABELLED_NAME]
    is_unlabelled = list(captures) == [UNLABELLED_NAME]  # Sessions without labels are there to pre-train.
    if len(class_names) < least_classes and not is_unlabelled:
        raise DataError(
            f"{root}: {len(class_names)} class folders; at least {least_classes} are needed, or labels of "
            "files (--capture_labels) or single sessions (--session_labels)."
        )
    labels = {name: label for label, name in enumerate(class_names)} | {UNLABELLED_NAME: UNLABELLED}
    sources = [
        Source(str(path), plain_name(path, root), labels[name]) for name, paths in captures.items() for path in paths
    ]
    return Sources(sources, class_names, {}, [])


def sources_of_no_class(root: Path, class_names: list[str]) -> Sources:
    """All captures below the root, whatever folder they lie in: their sessions are labelled one by one.

    Raises:
      DataError: the root is missing or holds no capture.
    """
    if not root.is_dir():
        raise DataError(f"{root}: {_no_folder(root)}; name the one that holds the captures.")
    paths = captures_below(root)
    if not paths:
        raise DataError(f"{root}: no capture in this folder or below it; add captures.")
    return Sources([Source(str(path), plain_name(path, root), UNLABELLED) for path in paths], class_names, {}, [])


def captures_of_no_class(root: Path) -> list[Path]:
    """Captures that lie beside the class folders, sorted: they are not read."""
    return sorted(path for path in root.iterdir() if path.is_file() and is_capture(path))


def _refuse_twins(root: Path, names: Iterable[str]) -> None:
    """Raises DataError where folders' names look alike to people: each would become a class of its own."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[plain_form(name)].append(name)
    for plain, twins in alike.items():
        if plain in UNLABELLED_SPELLINGS and twins != [UNLABELLED_NAME]:
            raise DataError(
                f"{root}: {', '.join(map(repr, twins))} would be a class; call the folder of captures without a label "
                f"{UNLABELLED_NAME}, or give the class another name."
            )
        if len(twins) > 1:
            raise DataError(
                f"{root}: {' and '.join(map(ascii, twins))} differ only in case, spaces or the form of a letter; "
                "join them, or give one another name."
            )


def _no_folder(root: Path) -> str:
    return "a file and no folder" if root.exists() else "no such folder"
