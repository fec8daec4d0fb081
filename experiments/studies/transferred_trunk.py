"""What phase 1 is worth where it ran on other sessions, and where it goes on from the trunk that comes with clgan_tf.

    CLGAN_DATA=... python experiments/studies/transferred_trunk.py DATASET... [--labels=100] [--seeds=2]

DATASETs: prepared directories of `l7`, on which phase 2 is run. Phase 1: none; of the usual length on the training
sessions of each of them and of nDPI's captures ($CLGAN_DATA/captures/ndpi); the shipped trunk as it is, and going on on
a data set's own sessions, for a third of the usual length and for all of it; a third on its own sessions alone.
Everything else is CLGAN+ as it is; a random forest stands beside. Scored on the validation split, whose labels are in
no budget; the test split is not opened. Prints accuracy / macro-F1, mean over seeds. On one core 3 minutes a trunk,
half a minute a fine-tuning.
"""

import argparse
import os
from pathlib import Path
from typing import NamedTuple

from clgan_tf.common.quiet import import_tensorflow

import_tensorflow()

import numpy as np  # noqa: E402

from clgan_tf import capture, models  # noqa: E402
from clgan_tf.common import progress  # noqa: E402
from clgan_tf.common.errors import CaptureError  # noqa: E402
from clgan_tf.data.dataset import open_dataset  # noqa: E402
from clgan_tf.data.examples import Examples  # noqa: E402
from clgan_tf.data.few_labels import few_labels, in_memory  # noqa: E402
from clgan_tf.evaluation.metrics import Scores, score  # noqa: E402
from clgan_tf.models.filling import FillingGAN  # noqa: E402
from clgan_tf.models.prediction import predict  # noqa: E402
from clgan_tf.reporting import markdown  # noqa: E402
from clgan_tf.settings import FillingSettings, TuningSettings  # noqa: E402
from clgan_tf.training import byte_phases, trunk  # noqa: E402

REPRESENTATION = "l7"
SHORT = 4  # epochs


def of_captures(paths: list[Path]) -> np.ndarray:
    """Distinct images of captures, uint8 [n, 28, 28, 1]; a capture that cannot be read is left out with a word."""
    images = []
    for path in paths:
        try:
            images.append(capture.load(path, REPRESENTATION).images)
        except CaptureError as error:
            progress.tell(f"Left out: {error}")
    return np.unique(np.concatenate(images), axis=0)[..., np.newaxis]


class Task(NamedTuple):
    """A column of the table: its own sessions, labels to learn from, sessions to score, the names of their classes."""

    images: np.ndarray
    names: list[str]
    labelled: Examples
    scored: Examples


def fine_tuned(begun: FillingGAN, task: Task, seed: int) -> Scores:
    """Phase 2 from a trunk."""
    images, names, labelled, scored = task
    model = byte_phases.build(FillingSettings(), seed, len(names))
    own = trunk.variables(model)
    for name, variable in trunk.variables(begun).items():
        own[name].assign(variable)
    _, schedule = byte_phases.usual_schedules()
    network = byte_phases.learn_classes(model, labelled, in_memory(images), schedule, TuningSettings(), seed)
    return score(scored.labels, predict(network, scored.images).argmax(axis=1), names)


def of_forest(task: Task, seed: int) -> Scores:
    """A random forest on the same labels."""
    _, names, labelled, scored = task
    forest = models.build_on_bytes("random_forest", seed).fit(labelled.images, labelled.labels)
    return score(scored.labels, forest.predict(scored.images), names)


def main() -> None:
    """Prints the table, a row a trunk and a column a data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", type=Path, nargs="+")
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    datasets = [open_dataset(path) for path in options.datasets]
    full, _ = byte_phases.usual_schedules()
    captures = sorted((Path(os.environ["CLGAN_DATA"]) / "captures/ndpi").iterdir())
    images, scored = [one.read("train").images for one in datasets], [one.read("validation") for one in datasets]
    real = {f"{full.epochs} epochs on {one.facts.source_kind}": own for one, own in zip(datasets, images, strict=True)}
    real[f"{full.epochs} epochs on nDPI's captures"] = of_captures(captures)
    names = [one.facts.class_names for one in datasets]
    none, short = full._replace(epochs=0), full._replace(epochs=SHORT)
    own_forms = {
        f"{SHORT} epochs on its own sessions": (short, None),
        f"shipped trunk, {SHORT} epochs on its own sessions": (short, REPRESENTATION),
        f"shipped trunk, {full.epochs} epochs on its own sessions": (full, REPRESENTATION),
    }
    found: dict[str, list[list[Scores]]] = {}  # by row and seed, a column a data set
    with progress.bar("Seeds", options.seeds, "") as bar:
        for seed in range(options.seeds):
            budgets = [few_labels(one, options.labels, "total", 0, seed).whole_budget for one in datasets]
            tasks = [Task(*task) for task in zip(images, names, budgets, scored, strict=True)]
            begun = {
                "none": byte_phases.pretrained(images[0], 2, none, seed),
                "shipped trunk": byte_phases.pretrained(images[0], 2, none, seed, REPRESENTATION),
            }
            for name, sessions in real.items():
                begun[name] = byte_phases.pretrained(sessions, 2, full, seed)
            for name, model in begun.items():
                keep(found, name, [fine_tuned(model, task, seed) for task in tasks])
            for name, (schedule, shipped) in own_forms.items():
                models_of = [byte_phases.pretrained(task.images, 2, schedule, seed, shipped) for task in tasks]
                keep(found, name, [fine_tuned(model, task, seed) for model, task in zip(models_of, tasks, strict=True)])
            keep(found, "RandomForest", [of_forest(task, seed) for task in tasks])
            bar.update()
    rows = [
        [
            name,
            *(
                f"{mean([one.accuracy for one in of])} / {mean([one.f1 for one in of])}"
                for of in zip(*by_seed, strict=True)
            ),
        ]
        for name, by_seed in found.items()
    ]
    print(f"{options.labels} labels, {options.seeds} seeds, validation split, macro-F1 after accuracy. Data:")
    for one in datasets:
        print(f"{one.facts.source_kind}, {REPRESENTATION}: fingerprint {one.facts.fingerprint[:16]}")
    print("\n" + markdown.table(["Phase 1", *(one.facts.source_kind for one in datasets)], rows))


def keep(found: dict[str, list[list[Scores]]], name: str, scores: list[Scores]) -> None:
    """Keeps a row of one seed, and says it: the table comes after an hour."""
    found.setdefault(name, []).append(scores)
    progress.tell(f"{name}: macro-F1 {', '.join(f'{100 * one.f1:.1f}' for one in scores)}")


def mean(shares: list[float]) -> str:
    """In per cent, each behind the other in brackets."""
    return f"{100 * np.mean(shares):.1f} ({', '.join(f'{100 * one:.1f}' for one in shares)})"


if __name__ == "__main__":
    main()
