"""Why networks stay behind trees on all_layers: the same discriminator on other scalings, rates and dropouts.

    python experiments/studies/all_layers_inputs.py DATASET [--labels=1000] [--seeds=2]

DATASET: a prepared directory, such as a sweep's data/iscx_all_layers. CLGAN's discriminator learns from the labels
alone (phase 2), with early stopping on a fifth of them; scored on the validation split, whose labels nothing else
reads. The test split is not opened. Prints accuracy and macro-F1, mean over seeds.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from keras import layers
from sklearn.metrics import f1_score

from clgan_tf import models
from clgan_tf.data import pipeline
from clgan_tf.data.dataset import open_dataset
from clgan_tf.data.few_labels import few_labels
from clgan_tf.models.discriminator import LEAK, build_discriminator
from clgan_tf.models.pixels import bytes_to_logits
from clgan_tf.reporting import markdown

VARIANTS = {  # name -> (input, learning rate, dropout)
    "as in the paper: bytes in [-1, 1], 1e-3, dropout 0.5": ("scaled", 1e-3, 0.5),
    "784 steps of one byte instead of 28 rows": ("steps", 1e-3, 0.5),
    "every byte as its 8 bits": ("bits", 1e-3, 0.5),
    "every byte as a learned vector of 8": ("embedded", 1e-3, 0.5),
    "every byte standardised over the labelled sessions": ("standardised", 1e-3, 0.5),
    "learning rate 3e-3": ("scaled", 3e-3, 0.5),
    "learning rate 3e-4": ("scaled", 3e-4, 0.5),
    "dropout 0": ("scaled", 1e-3, 0.0),
}
PATIENCE = 25  # epochs without a better validation accuracy


def network(kind: str, labelled: np.ndarray, num_classes: int, dropout: float) -> keras.Model:
    """Bytes [batch, 28, 28, 1] -> logits [batch, K]; the layers behind the input are build_discriminator's."""
    if kind == "scaled":
        return bytes_to_logits(build_discriminator(num_classes, dropout), "classifier")
    image = keras.Input((28, 28, 1), dtype="uint8")
    rows = layers.Reshape((28, 28))(image)
    if kind == "standardised":
        values = labelled.reshape(-1, 28, 28).astype(np.float32)
        mean, deviation = values.mean(axis=0), values.std(axis=0) + 1.0
        x = (keras.ops.cast(rows, "float32") - mean) / deviation
    elif kind == "steps":
        x = layers.Reshape((784, 1))(keras.ops.cast(rows, "float32") / 127.5 - 1)
    elif kind == "bits":
        bits = keras.ops.cast(rows, "int32")[..., None] // (2 ** np.arange(8, dtype=np.int32)) % 2
        x = layers.Reshape((28, 28 * 8))(keras.ops.cast(bits, "float32") * 2 - 1)
    else:
        x = layers.Reshape((28, 28 * 8))(layers.Embedding(256, 8)(keras.ops.cast(rows, "int32")))
    for filters in (128, 64):
        x = layers.LeakyReLU(LEAK)(layers.Conv1D(filters, 5, padding="same")(x))
    x = layers.Dropout(dropout)(layers.LSTM(256, unroll=kind != "steps")(x))
    return keras.Model(image, layers.Dense(num_classes)(x))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--labels", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    dataset = open_dataset(options.dataset)
    names, scored = dataset.facts.class_names, dataset.read("validation")
    print(f"data {dataset.facts.fingerprint[:16]}, {options.labels} labels, seeds 0 to {options.seeds - 1}")
    scores: dict[str, list[tuple[float, float]]] = {}
    for seed in range(options.seeds):
        few = few_labels(dataset, options.labels, "total", 0, seed)
        labelled, validation = few.labelled, few.validation
        forest = models.build_on_bytes("random_forest", seed).fit(few.whole_budget.images, few.whole_budget.labels)
        predicted = {"RandomForest": forest.predict(scored.images)}
        for name, (kind, rate, dropout) in VARIANTS.items():
            keras.utils.set_random_seed(seed)
            model = network(kind, labelled.images, len(names), dropout)
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
            stop = keras.callbacks.EarlyStopping(
                "val_accuracy", mode="max", patience=PATIENCE, restore_best_weights=True
            )
            model.fit(
                pipeline.supervised(labelled, 64, seed).prefetch(2),
                steps_per_epoch=-(-len(labelled) // 64),
                epochs=300,
                validation_data=pipeline.in_order(validation),
                verbose=0,
                shuffle=False,  # The pipeline has shuffled.
                callbacks=[stop],
            )
            predicted[name] = np.argmax(model.predict(scored.images, batch_size=1024, verbose=0), axis=1)
            print(f"seed {seed}, {name}: {np.mean(predicted[name] == scored.labels):.1%}", flush=True)
        for name, labels in predicted.items():
            f1 = f1_score(scored.labels, labels, average="macro", zero_division=0)
            scores.setdefault(name, []).append((float(np.mean(labels == scored.labels)), f1))
    rows = []
    for name, pairs in scores.items():
        accuracy, f1 = np.mean(pairs, axis=0)
        rows.append([name, f"{accuracy:.1%}", f"{f1:.1%}"])
    print("\n" + markdown.table(["Variant", "Accuracy", "macro-F1"], rows))


if __name__ == "__main__":
    main()
