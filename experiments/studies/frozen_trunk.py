"""What a trunk knows before it sees a label: CLGAN+'s trunk frozen under a linear head, and the same one fine-tuned.

    python experiments/studies/frozen_trunk.py DATASET TRUNK... [--labels=100,1000] [--seeds=2]

DATASET: a prepared directory; TRUNKs: of --mode=pretrain on it, which have seen no label. The head is phase 2's last
layer, of features alone and fitted to the whole budget (of experiments/results/frozen_trunk.md it was a logistic
regression); an untrained trunk and a random forest on bytes stand beside it. Scored on the
validation split, whose labels are in no budget; the test split is not opened. Prints accuracy / macro-F1, mean over
seeds. On one core 2 minutes a fine-tuning, seconds for the rest.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from clgan_tf.common.quiet import import_tensorflow

import_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402

from clgan_tf import models  # noqa: E402
from clgan_tf.common import progress  # noqa: E402
from clgan_tf.data.dataset import Dataset, open_dataset  # noqa: E402
from clgan_tf.data.examples import Examples  # noqa: E402
from clgan_tf.data.few_labels import few_labels, in_memory  # noqa: E402
from clgan_tf.evaluation.metrics import score  # noqa: E402
from clgan_tf.models.filling import FillingGAN  # noqa: E402
from clgan_tf.reporting import markdown  # noqa: E402
from clgan_tf.settings import FillingSettings, TuningSettings  # noqa: E402
from clgan_tf.training import byte_phases, last_layer, trunk  # noqa: E402

ROWS = 1024
Labels = Callable[[np.ndarray], np.ndarray]


def under_a_linear_head(model: FillingGAN, labelled: Examples) -> Labels:
    """A head on the frozen trunk; returns images -> labels."""
    last_layer.settle(model, labelled, labelled.images[:0], reads_ngrams=False, seed=0)
    return labels_of(model.classifier())


def fine_tuned(model: FillingGAN, labelled: Examples, seed: int) -> Labels:
    """CLGAN+'s own phase 2, without n-grams and on labels alone, as above; returns images -> labels."""
    schedule, tuning = byte_phases.usual_schedules()[1], TuningSettings(reads_ngrams=False, names_others=False)
    none = in_memory(labelled.images[:0])
    return labels_of(byte_phases.learn_classes(model, labelled, none, schedule, tuning, seed))


def labels_of(network: keras.Model) -> Labels:
    """Images -> labels, as the network says."""
    return lambda images: network.predict(images, batch_size=ROWS, verbose=0).argmax(axis=1)


def systems(dataset: Dataset, paths: list[Path], labelled: Examples, seed: int) -> dict[str, Labels]:
    """Each system, trained on these labels, by its name in the table."""
    classes = len(dataset.facts.class_names)

    def begun(path: Path | None) -> FillingGAN:
        model = byte_phases.build(FillingSettings(), seed, classes)
        if path:
            trunk.load(path, model, dataset.facts, FillingSettings())
        return model

    made = {"untrained trunk, frozen": under_a_linear_head(begun(None), labelled)}
    for path in paths:
        made[f"{path.parent.name}, frozen"] = under_a_linear_head(begun(path), labelled)
        made[f"{path.parent.name}, fine-tuned"] = fine_tuned(begun(path), labelled, seed)
    forest = models.build_on_bytes("random_forest", seed).fit(labelled.images, labelled.labels)
    return {**made, "RandomForest": forest.predict}


def main() -> None:
    """Prints the table, a row a system and a column a budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("trunks", type=Path, nargs="+")
    parser.add_argument("--labels", default="100,1000")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    dataset, budgets = open_dataset(options.dataset), [int(one) for one in options.labels.split(",")]
    scored, names = dataset.read("validation"), dataset.facts.class_names
    found: dict[str, dict[int, list[tuple[float, float]]]] = {}
    with progress.bar("Budgets", options.seeds * len(budgets), "") as bar:
        for seed in range(options.seeds):
            for budget in budgets:
                labelled = few_labels(dataset, budget, "total", 0, seed).whole_budget
                for name, predict in systems(dataset, options.trunks, labelled, seed).items():
                    scores = score(scored.labels, predict(scored.images), names)
                    found.setdefault(name, {}).setdefault(budget, []).append((scores.accuracy, scores.f1))
                bar.update()
    rows = [
        [name, *(" / ".join(f"{100 * one:.1f}" for one in np.mean(by_budget[budget], axis=0)) for budget in budgets)]
        for name, by_budget in found.items()
    ]
    print(f"Data {dataset.facts.fingerprint[:16]}, {options.seeds} seeds, {len(scored):,} validation sessions.\n")
    print(markdown.table(["System", *(f"{budget:,} labels" for budget in budgets)], rows))


if __name__ == "__main__":
    main()
