"""Sessions/s from bytes to labels, and how long one label takes, of each network as a saved classifier.

    python experiments/benchmarks/classify.py [--models=clgan,clgan_plus,clgan_lite] [--rounds=5] [--capture=FILE]

Each network is saved with random weights (speed does not depend on them) and loaded as `--mode=classify` loads it.
Networks and batch sizes take turns; the median of the rounds counts. Rates are of bytes in memory; with --capture, the
same classifiers then label that file from end to end. TF_NUM_INTRAOP_THREADS=1 measures one core.
"""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from clgan_tf.common.quiet import import_tensorflow

import_tensorflow()

from tqdm import tqdm  # noqa: E402

from clgan_tf import models, serving  # noqa: E402
from clgan_tf.capture import SessionRules  # noqa: E402
from clgan_tf.data import recipe  # noqa: E402
from clgan_tf.data.description import DataFacts, Split, SplitRule  # noqa: E402
from clgan_tf.models.classifier import build_classifier  # noqa: E402
from clgan_tf.models.two_networks import TwoNetworks  # noqa: E402

BATCHES = {1: 200, 32: 20, 1024: 2}  # how many of each a round
CLASSES = 12


def saved(name: str, folder: Path) -> Path:
    """A classifier of the network, not trained."""
    network = models.build(name, CLASSES)
    if isinstance(network, TwoNetworks):
        network = network.classifier()
    facts = DataFacts(
        source_kind="captures",
        class_names=[f"class {number}" for number in range(CLASSES)],
        representation="masked",
        representation_version=1,
        unit="session",
        rules=SessionRules(),
        split=Split(SplitRule.SESSION, 0, 0.2, 0.1),
        recipe=recipe.VERSION,
        fingerprint="",
        sizes={},
        class_sizes={},
        shared_images=0,
        shared_sessions=0,
    )
    known = np.random.default_rng(0).integers(0, 256, (1000, 28, 28, 1), np.uint8)
    path = folder / f"{name}.keras"
    build_classifier(network, facts, known).save(path)
    return path


def seconds_each(classifier: serving.Classifier, images: np.ndarray, count: int) -> list[float]:
    """Seconds of each of so many calls."""
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        classifier.predict_bytes(images)
        seconds.append(time.perf_counter() - started)
    return seconds


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="clgan,clgan_plus,clgan_lite")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--capture")
    options = parser.parse_args()
    names = options.models.split(",")
    images = np.random.default_rng(1).integers(0, 256, (max(BATCHES), 28, 28, 1), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        classifiers = {name: serving.load(saved(name, Path(folder))) for name in names}
    for classifier in classifiers.values():
        for size in BATCHES:
            classifier.predict_bytes(images[:size])  # compiles
    measured: dict[tuple[str, int], list[list[float]]] = defaultdict(list)
    for _ in tqdm(range(options.rounds), "Rounds", leave=False):
        for size, count in BATCHES.items():
            for name, classifier in classifiers.items():
                measured[name, size].append(seconds_each(classifier, images[:size], count))
    first = names[0]
    print(f"{'network':<22}{'parameters':>11}{'batch':>7}{'sessions/s':>12}{'p50 ms':>9}{'p99 ms':>9}  times {first}")
    for (name, size), rounds in measured.items():
        rate = statistics.median(size / statistics.mean(seconds) for seconds in rounds)
        of_first = statistics.median(
            statistics.mean(theirs) / statistics.mean(own)
            for theirs, own in zip(measured[first, size], rounds, strict=True)
        )
        p50, p99 = 1000 * np.quantile(np.concatenate(rounds), (0.5, 0.99))
        parameters = classifiers[name].model.count_params()
        print(f"{name:<22}{parameters:>11,}{size:>7}{rate:>12,.0f}{p50:>9.2f}{p99:>9.2f}{of_first:>7.1f}x")
    if options.capture:
        for name, classifier in classifiers.items():
            started = time.perf_counter()
            sessions = sum(1 for _ in classifier.classify(options.capture))
            seconds = time.perf_counter() - started
            print(f"{name}: {options.capture} to {sessions:,} labels in {seconds:.1f} s")


if __name__ == "__main__":
    main()
