"""One's own captures with the labels that people have for them: by folder, by file or by session."""

from collections.abc import Sequence
from pathlib import Path

from clgan_tf.data import capture_labels, label_file, labelled_folder
from clgan_tf.data.label_file import SessionLabels
from clgan_tf.data.sources import Sources


def own_captures(
    root: Path, of_captures: Sequence[Path] = (), of_sessions: Sequence[Path] = (), least_classes: int = 2
) -> tuple[Sources, SessionLabels | None]:
    """The captures below a folder, and the labels of their sessions where these have labels of their own.

    of_captures, of_sessions: CSV files with labels of captures, or else of sessions; without, folders name the classes.

    Raises:
      DataError: the folder or a file cannot be used; the sentence says why.
    """
    if of_sessions:
        labels = label_file.read(of_sessions, least_classes)
        return labelled_folder.sources_of_no_class(root, labels.class_names), labels
    if of_captures:
        return capture_labels.sources_below(root, of_captures, least_classes), None
    return labelled_folder.sources_below(root, least_classes), None
