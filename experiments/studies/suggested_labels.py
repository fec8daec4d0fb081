"""What 100 labels are worth if half of them are of sessions that --mode=suggest chose.

    python experiments/studies/suggested_labels.py DATASET TRUNK RESULTS [--seeds=5]

DATASET: a prepared directory; TRUNK: of --mode=pretrain on it, which has seen no label. For each seed: 50 labels of
sessions drawn uniformly, CLGAN+'s phase 2, then 50 more: drawn uniformly too, or chosen by that classifier among all
other training sessions as `clgan_tf/evaluation/selection.py` does. CLGAN+ and a random forest learn from each hundred
and are scored on the test split. RESULTS: a file that gets a JSON line for each; what it has is not run again. Prints
the table. On one core 2 minutes a phase 2, three a seed.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from clgan_tf.common.quiet import import_tensorflow

import_tensorflow()

import numpy as np  # noqa: E402

from clgan_tf import models  # noqa: E402
from clgan_tf.common import typed_json  # noqa: E402
from clgan_tf.data.dataset import Dataset, open_dataset  # noqa: E402
from clgan_tf.data.examples import Examples  # noqa: E402
from clgan_tf.data.few_labels import in_memory  # noqa: E402
from clgan_tf.evaluation.metrics import score  # noqa: E402
from clgan_tf.evaluation.selection import worth_labelling  # noqa: E402
from clgan_tf.models.classifier import build_classifier  # noqa: E402
from clgan_tf.reporting import markdown  # noqa: E402
from clgan_tf.reporting.tables import per_cent  # noqa: E402
from clgan_tf.serving import Classifier  # noqa: E402
from clgan_tf.settings import FillingSettings, TuningSettings  # noqa: E402
from clgan_tf.training import byte_phases, trunk  # noqa: E402

FIRST, MORE = 50, 50
KNOWN = 2_000  # sessions that familiarity is measured on; it plays no part here
FOREST = "random_forest"


@dataclass(frozen=True)
class Line:
    """A line of RESULTS. way: how the second half was chosen; classes: how many have a label; scores in [0, 1]."""

    way: str
    model: str
    seed: int
    classes: int
    accuracy: float
    f1: float
    fingerprint: str


def classifier(dataset: Dataset, path: Path, labelled: Examples, others: Examples, seed: int) -> Classifier:
    """CLGAN+ from the trunk, after phase 2 on these labels."""
    model = byte_phases.build(FillingSettings(), seed, len(dataset.facts.class_names))
    trunk.load(path, model, dataset.facts, FillingSettings())
    schedule = byte_phases.usual_schedules()[1]
    pool = in_memory(others.images)
    trained = byte_phases.learn_classes(model, labelled, pool, schedule, TuningSettings(), seed)
    network = build_classifier(trained, dataset.facts, others.images[:KNOWN])
    return Classifier(network, network.get_layer("probabilities"))


def lines_of(dataset: Dataset, path: Path, seed: int) -> list[Line]:
    """Both ways and both systems, of one seed."""
    train, test, names = dataset.read("train"), dataset.read("test"), dataset.facts.class_names
    order = np.random.default_rng(seed).permutation(len(train))
    first, rest = order[:FIRST], order[FIRST:]
    begun = classifier(dataset, path, train[first], train[rest], seed)
    images = train.images[rest]
    chosen = worth_labelling(begun.predict_bytes(images), begun.features(images), MORE, seed)
    lines = []
    for way, more in (("at random", rest[:MORE]), ("suggested", rest[chosen])):
        rows = np.concatenate([first, more])
        labelled, others = train[rows], train[np.setdiff1d(order, rows)]
        predicted = {
            models.PLUS: classifier(dataset, path, labelled, others, seed).predict_bytes(test.images).argmax(axis=1),
            FOREST: models.build_on_bytes(FOREST, seed).fit(labelled.images, labelled.labels).predict(test.images),
        }
        for model, labels in predicted.items():
            found = score(test.labels, labels, names)
            classes = len(np.unique(labelled.labels))
            lines.append(Line(way, model, seed, classes, found.accuracy, found.f1, dataset.facts.fingerprint))
    return lines


def table(lines: list[Line]) -> str:
    """Mean and spread over seeds."""
    rows = []
    for model, way in sorted({(line.model, line.way) for line in lines}):
        of = [line for line in lines if (line.model, line.way) == (model, way)]
        accuracy, f1 = (per_cent([getattr(line, name) for line in of]) for name in ("accuracy", "f1"))
        classes = f"{np.mean([line.classes for line in of]):.1f}"
        rows.append([models.title(model), way, classes, accuracy, f1, str(len(of))])
    return markdown.table(
        ["System", "Second half of the labels", "Classes seen", "Accuracy", "macro-F1", "Seeds"], rows
    )


def main() -> None:
    """Runs what is not there and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("trunk", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    dataset = open_dataset(options.dataset)
    lines = typed_json.read_lines(options.results, Line) if options.results.exists() else []
    for seed in range(options.seeds):
        if seed not in {line.seed for line in lines}:
            lines += lines_of(dataset, options.trunk, seed)
            typed_json.write_lines(options.results, lines)
    print(f"Data {dataset.facts.fingerprint[:16]}, {FIRST} labels drawn uniformly and {MORE} more.\n")
    print(table(lines))


if __name__ == "__main__":
    main()
