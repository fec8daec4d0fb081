"""How many epochs phase 2 should have where no label can be spared for early stopping.

    python experiments/studies/fixed_schedule.py DATASET [--labels_per_class=4] [--seeds=1]

DATASET: a prepared directory. CLGAN's discriminator learns from the labels alone; after so many epochs it is scored on
the validation split, whose labels are in no budget. The test split is not opened. Prints accuracy and macro-F1.
"""

import argparse
from pathlib import Path

from clgan_tf.common.quiet import import_tensorflow

import_tensorflow()

import keras  # noqa: E402

from clgan_tf import models  # noqa: E402
from clgan_tf.data import pipeline  # noqa: E402
from clgan_tf.data.few_labels import few_labels  # noqa: E402
from clgan_tf.data.registered import open_any  # noqa: E402
from clgan_tf.evaluation.metrics import score  # noqa: E402
from clgan_tf.reporting import markdown  # noqa: E402
from clgan_tf.training.phases import MIN_STEPS_PER_EPOCH  # noqa: E402

EPOCHS = (10, 20, 40, 60, 90)
ROWS = 64


def main() -> None:
    """Prints the table, a row a seed and number of epochs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--labels_per_class", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    dataset = open_any(options.dataset)
    names, scored = dataset.facts.class_names, dataset.read("validation")
    rows = []
    for seed in range(options.seeds):
        few = few_labels(dataset, options.labels_per_class * len(names), "total", 0, seed)
        keras.utils.set_random_seed(seed)
        network = models.build("clgan", len(names), seed=seed).classifier()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        network.compile(keras.optimizers.Adam(1e-3), loss)
        batches = pipeline.supervised(few.labelled, min(ROWS, len(few.labelled)), seed).prefetch(2)
        done = 0
        for epochs in EPOCHS:
            network.fit(
                batches,
                steps_per_epoch=MIN_STEPS_PER_EPOCH,
                initial_epoch=done,
                epochs=epochs,
                verbose=0,
                shuffle=False,  # The pipeline has shuffled.
            )
            done = epochs
            predicted = network.predict(scored.images, batch_size=1024, verbose=0).argmax(axis=1)
            scores = score(scored.labels, predicted, names)
            rows.append([str(seed), str(epochs), f"{scores.accuracy:.1%}", f"{scores.f1:.1%}"])
    print(f"Data {dataset.facts.fingerprint[:16]}, {few.facts.count} labels.\n")
    print(markdown.table(["Seed", "Epochs", "Accuracy", "macro-F1"], rows))


if __name__ == "__main__":
    main()
