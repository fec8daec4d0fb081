"""Makes a data set for choosing settings out of another one's training split, so that its test split stays unread.

python experiments/studies/tuning_split.py runs/iscx_session_l7/dataset runs/tuning/dataset
python -m clgan_tf.main --flagfile=experiments/iscx_session_l7.flags --source= --dataset=runs/tuning/dataset \
        --run_dir=runs/tuning/batch256 --batch_size=256 --learning_rate=2e-4
"""

import sys
from pathlib import Path

from clgan_tf.quiet import import_tensorflow

import_tensorflow()

from clgan_tf.data.dataset import open_dataset, write  # noqa: E402
from clgan_tf.data.splits import split_off  # noqa: E402

SEED, TEST_FRACTION, VALIDATION_FRACTION = 0, 0.1, 0.1


def main(source: Path, target: Path) -> None:
    """Splits the training split of `source` into train, validation and test, and writes them to `target`."""
    description = open_dataset(source).description
    examples = open_dataset(source).read("train")
    held_out = split_off(examples, TEST_FRACTION, SEED, "tuning")
    rest = examples[~held_out]
    validation = split_off(rest, VALIDATION_FRACTION, SEED, "validation")
    splits = {
        "train": rest[~validation],
        "validation": rest[validation],
        "test": examples[held_out],
        "unlabelled": examples[:0],
    }
    kept = ("source_kind", "class_names", "representation", "unit", "rules")
    facts = {name: getattr(description, name) for name in kept}
    written = write(
        target,
        splits,
        overwrite=True,
        source=str(source),
        representation_version=description.representation_version,
        split={"rule": f"training split of {description.fingerprint[:16]}", "seed": SEED},
        **facts,
    )
    print(f"{target}: {written.description.sizes}, fingerprint {written.description.fingerprint[:16]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
