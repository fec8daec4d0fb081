"""Names of classes as people write them: which look alike, and which say that there is none."""

import unicodedata
from collections.abc import Iterable, Sequence

from clgan_tf.common.errors import DataError
from clgan_tf.data.examples import UNLABELLED_NAME

UNLABELLED_SPELLINGS = {UNLABELLED_NAME, "unlabeled"}
NO_LABEL = {"", "unknown", "no label", "needmanuallabel"}  # classify writes the second, CICFlowMeter the others


def plain_form(name: str) -> str:
    """A class's name without what people do not see: names with one plain form look alike."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def of_labels(files: str, labels: Iterable[str], least: int) -> list[str]:
    """The classes among the labels that files give, sorted.

    Raises:
      DataError: there are fewer than `least`; names look alike to people, or are none.
    """
    names = sorted(set(labels))
    _refuse_odd(files, names)
    if len(names) < least:
        raise DataError(f"{files}: labels of {len(names)} classes; at least {least} are needed.")
    return names


def _refuse_odd(files: str, names: Sequence[str]) -> None:
    alike: dict[str, str] = {}
    for name in names:
        if not name.isprintable():
            raise DataError(f"{files}: {name!r} is no name of a class; give it one without control characters.")
        plain = plain_form(name)
        if plain in UNLABELLED_SPELLINGS:
            raise DataError(f"{files}: {name!r} would be a class; leave what has no label empty.")
        if plain in alike:
            raise DataError(
                f"{files}: {alike[plain]!r} and {name!r} differ in case or spaces alone; write one of them."
            )
        alike[plain] = name
