"""What a trunk is worth to labels of another network: trunks of several networks' sessions, each fine-tuned elsewhere.

    CLGAN_DATA=... python experiments/studies/transferred_trunk.py DATASET... [--labels=100] [--seeds=2]

DATASETs: prepared directories of `l7`, on which phase 2 is run. Trunks: of the training sessions of each of them, of
nDPI's captures ($CLGAN_DATA/captures/ndpi), of 20,000 sessions of the demo's traffic, made here (CLGAN+ could ship such
a one), and none. Everything else is CLGAN+ as it is; a random forest stands beside. Scored on the validation split,
whose labels are in no budget; the test split is not opened. Prints accuracy / macro-F1, mean over seeds. On one core 4
minutes a trunk, half a minute a fine-tuning.
"""

import argparse
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from clgan_tf.common.quiet import import_tensorflow

import_tensorflow()

import numpy as np  # noqa: E402

from clgan_tf import capture, demo, models  # noqa: E402
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
DEMO_SCALE = 5.0  # times the 4,008 sessions of `make demo`


def of_captures(paths: list[Path]) -> np.ndarray:
    """Distinct images of captures, uint8 [n, 28, 28, 1]; a capture that cannot be read is left out with a word."""
    images = []
    for path in paths:
        try:
            images.append(capture.load(path, REPRESENTATION).images)
        except CaptureError as error:
            progress.tell(f"Left out: {error}")
    return np.unique(np.concatenate(images), axis=0)[..., np.newaxis]


def of_demo(seed: int) -> np.ndarray:
    """The same of the demo's traffic, made anew."""
    with tempfile.TemporaryDirectory() as folder:
        demo.write_corpus(Path(folder) / "captures", seed, scale=DEMO_SCALE)
        return of_captures(sorted(Path(folder).rglob("*.pcap")))


class Task(NamedTuple):
    """A column of the table: labels to learn from, sessions to score, and the names of their classes."""

    names: list[str]
    labelled: Examples
    scored: Examples


def fine_tuned(begun: FillingGAN | None, task: Task, seed: int) -> Scores:
    """Phase 2 from a trunk, or from weights that have learned nothing."""
    names, labelled, scored = task
    model = byte_phases.build(FillingSettings(), seed, len(names))
    if begun:
        own = trunk.variables(model)
        for name, variable in trunk.variables(begun).items():
            own[name].assign(variable)
    _, schedule = byte_phases.usual_schedules()
    byte_phases.learn_classes(model, labelled, in_memory(labelled.images), schedule, TuningSettings(), seed)
    return score(scored.labels, predict(model.classifier(), scored.images).argmax(axis=1), names)


def of_forest(task: Task, seed: int) -> Scores:
    """A random forest on the same labels."""
    names, labelled, scored = task
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
    captures = sorted((Path(os.environ["CLGAN_DATA"]) / "captures/ndpi").iterdir())
    real = {f"of {one.facts.source_kind}": one.read("train").images for one in datasets}
    real["of nDPI's captures"] = of_captures(captures)
    scored, names = [one.read("validation") for one in datasets], [one.facts.class_names for one in datasets]
    first, _ = byte_phases.usual_schedules()
    found: dict[str, list[list[Scores]]] = {}  # by row and seed, a column a data set
    with progress.bar("Trunks", options.seeds * (len(real) + 2), "") as bar:
        for seed in range(options.seeds):
            budgets = [few_labels(one, options.labels, "total", 0, seed).whole_budget for one in datasets]
            tasks = [Task(*task) for task in zip(names, budgets, scored, strict=True)]
            for name, images in {**real, "of the demo's traffic": of_demo(seed), "none": None}.items():
                begun = None if images is None else byte_phases.pretrained(images, 2, first, seed)
                found.setdefault(f"trunk: {name}", []).append([fine_tuned(begun, task, seed) for task in tasks])
                bar.update()
            found.setdefault("RandomForest", []).append([of_forest(task, seed) for task in tasks])
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
    print("\n" + markdown.table(["System", *(one.facts.source_kind for one in datasets)], rows))


def mean(shares: list[float]) -> str:
    """In per cent, each behind the other in brackets."""
    return f"{100 * np.mean(shares):.1f} ({', '.join(f'{100 * one:.1f}' for one in shares)})"


if __name__ == "__main__":
    main()
