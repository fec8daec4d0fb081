"""Sources to a data set; and for the modes that train, the data set which is there or is made."""

from pathlib import Path

from clgan_tf.common.errors import DataError
from clgan_tf.common.progress import warn
from clgan_tf.data import labelled_folder, prepare
from clgan_tf.data.dataset import Dataset
from clgan_tf.data.registered import open_any
from clgan_tf.reporting.prepared import captures_table, prepared_table
from clgan_tf.settings import PUBLISHED, PrepareSettings


def run(settings: PrepareSettings) -> bool:
    """Makes the data set and prints its table; a resumed run keeps the data set it has."""
    return _prepared(settings)[1]


def dataset_of(path: Path, source: PrepareSettings | None) -> tuple[Dataset, bool]:
    """The data set, which is prepared if it is not there and a source is given; whether that met a damaged capture."""
    if source is None:
        return open_any(path), False
    if path.exists():
        return _matching(open_any(path), source), False
    return _prepared(source)


def _prepared(settings: PrepareSettings) -> tuple[Dataset, bool]:
    if settings.resume and settings.dataset.exists():
        return _matching(open_any(settings.dataset), settings), False
    if settings.source_kind == "demo":
        from clgan_tf import demo

        demo.write_corpus(settings.source, settings.split_seed, settings.overwrite and not settings.resume)
    dataset = prepare.prepare(settings, warn)
    print(prepared_table(dataset))
    print_captures(dataset)
    if settings.source_kind not in PUBLISHED and not (settings.capture_labels or settings.session_labels):
        for path in labelled_folder.captures_of_no_class(settings.source):
            print(f"Left out, because it lies in no class folder: {path}")
    return dataset, any(row.is_damaged for row in dataset.captures)


def _matching(dataset: Dataset, source: PrepareSettings) -> Dataset:
    """The data set, if it was prepared as the settings say. Raises DataError where it was not."""
    if difference := prepare.differing_flag(dataset.facts, source):
        flag, then, now = difference
        # Of a file of labels a fingerprint is known, which tells nobody anything.
        otherwise = f"other --{flag} than now" if flag.endswith("_labels") else f"--{flag}={then}, not {now}"
        raise DataError(
            f"{dataset.directory} was prepared with {otherwise}; give another --dataset, or leave --source out to use "
            "it as it is."
        )
    return dataset


def print_captures(dataset: Dataset) -> None:
    """Prints the table of a data set's captures by class, if it was made of captures."""
    if table := captures_table(dataset):
        print(f"\n{table}")
