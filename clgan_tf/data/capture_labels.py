"""Labels of whole captures in a CSV file: which files, by name or shell pattern, are of what class."""

import glob
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from clgan_tf.common.errors import DataError
from clgan_tf.data import class_names, csv_file, labelled_folder
from clgan_tf.data.class_names import NO_LABEL
from clgan_tf.data.sources import Sources

NAMES = {
    "capture": ("capture", "file", "filename", "file_name", "path", "pcap"),
    "label": ("label", "class"),
}
MOST_PATTERNS = 1_000  # each is held against every capture


class Line(NamedTuple):
    """A line of a file: captures of this name, or that match this pattern, are of this class.

    pattern: of a capture's path below the root, or, without a /, of its last part.
    """

    path: Path
    number: int
    pattern: str
    label: str

    def __str__(self) -> str:
        return f"{self.path}, line {self.number}"


def sources_below(root: Path, files: Sequence[Path], least_classes: int = 2) -> Sources:
    """All captures below the root, whatever folder they lie in; what no line speaks of is without a label.

    Raises:
      DataError: the root is missing or holds no capture; a file cannot be used; a line is of no capture; two lines
        give one capture different labels.
    """
    lines = [
        Line(path, number, value["capture"].removeprefix("./"), value["label"])
        for path in files
        for number, value in csv_file.lines(path, NAMES, NAMES)
        if value["label"].lower() not in NO_LABEL
    ]
    names = class_names.of_labels(", ".join(map(str, files)), (line.label for line in lines), least_classes)
    found = labelled_folder.sources_of_no_class(root, names)
    exact: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        exact[line.pattern].append(line)
    patterns = [line for line in lines if glob.has_magic(line.pattern)]
    if len(patterns) > MOST_PATTERNS:
        raise DataError(f"{patterns[MOST_PATTERNS]}: more than {MOST_PATTERNS:,} patterns; name files instead.")
    used: set[Line] = set()
    labelled = []
    for source in found.sources:
        last = source.name.rpartition("/")[2]
        mine = list(dict.fromkeys(exact.get(source.name, []) + exact.get(last, [])))
        mine += [line for line in patterns if fnmatchcase(source.name if "/" in line.pattern else last, line.pattern)]
        for line in mine:
            if line.label != mine[0].label:
                raise DataError(
                    f"{mine[0]} calls {source.name} {mine[0].label}, {line} {line.label}; correct one of them."
                )
        used |= set(mine)
        labelled.append(replace(source, label=names.index(mine[0].label)) if mine else source)
    for line in lines:
        if line not in used:
            raise DataError(f"{line}: no capture below {root} is called {line.pattern!r}; correct it or take it out.")
    return replace(found, sources=labelled)
