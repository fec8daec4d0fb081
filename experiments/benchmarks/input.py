"""What the input pipeline delivers, beside what the train step eats, and how long training waits for data.

    python experiments/benchmarks/input.py DATASET [--batch_size=256] [--steps=40]

DATASET: a prepared directory or NAME/CONFIG of TFDS. Labelled (1,000) and unlabelled streams are shuffled and zipped,
as in phase 1. First images/s of the pipeline alone, from TFRecord (the first epoch) and from its cache; then a training
in which the wait for each batch and the step itself are timed.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from clgan_tf.common.quiet import import_tensorflow

import_tensorflow()

from clgan_tf import models  # noqa: E402
from clgan_tf.data import pipeline  # noqa: E402
from clgan_tf.data.few_labels import few_labels  # noqa: E402
from clgan_tf.data.registered import open_any  # noqa: E402

LABELS = 1000
ROUNDS = 5


def timed(batches: Iterator, steps: int) -> float:
    """Seconds for so many batches."""
    started = time.perf_counter()
    for _ in range(steps):
        next(batches)
    return time.perf_counter() - started


def main() -> None:
    """Prints both rates and the share of a step that is waiting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--batch_size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    dataset = open_any(options.dataset)
    few = few_labels(dataset, LABELS, "total", 0, seed=0)
    stream, steps_per_epoch = pipeline.adversarial(few, options.batch_size, seed=0)
    batches = iter(stream)
    rows = min(options.batch_size, len(few.labelled)) + options.batch_size
    print(f"{options.dataset}: {few.unlabelled.count:,} unlabelled sessions", end=", ")
    print(f"batches of {rows} images, {steps_per_epoch} steps an epoch")
    first = timed(batches, steps_per_epoch)
    print(f"from TFRecord, with shuffling from the start: {steps_per_epoch * rows / first:>10,.0f} images/s")
    rates = [options.steps * rows / timed(batches, options.steps) for _ in range(ROUNDS)]
    print(f"from the cache, median of {ROUNDS}:                {statistics.median(rates):>10,.0f} images/s")

    model = models.build("clgan", len(dataset.facts.class_names))
    model.compile()
    kept = next(batches)
    model.make_train_function()
    step = model.train_function
    step(iter([kept]))
    waiting, working = [], []
    for _ in range(options.steps):
        started = time.perf_counter()
        batch = next(batches)
        fetched = time.perf_counter()
        step(iter([batch]))
        model.optimizer.iterations.numpy()  # until the step is done
        waiting.append(fetched - started)
        working.append(time.perf_counter() - fetched)
    whole = sum(waiting) + sum(working)
    seconds = statistics.median(working)
    print(f"train step: {seconds * 1e3:,.0f} ms, {rows / seconds:,.0f} images/s eaten")
    wait = statistics.median(waiting)
    print(f"waiting for data: {wait * 1e3:.2f} ms a step, {sum(waiting) / whole:.2%} of the time")


if __name__ == "__main__":
    main()
