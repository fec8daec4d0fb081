"""Sessions/s from bytes to labels, and how long one label takes: saved classifiers, their exports, and PyTorch.

    python experiments/benchmarks/classify.py [--models=clgan,clgan_plus,clgan_lite] [--rounds=5]
    python experiments/benchmarks/classify.py --classifier=runs/demo/run/classifier.keras --dataset=runs/demo/dataset

Each network is saved with random weights (speed does not depend on them) and loaded as `--mode=classify` loads it; with
--classifier, that one is measured, and with --dataset each form's accuracy on its test split, too. Beside it: what
`--mode=export` makes of it, and the same network with the same weights in PyTorch (`pip install torch==2.13.0`; left
out, with a word, where it is not installed), eager and compiled. All give the same probabilities, but for int8, or it
ends with an error. Forms and batch sizes take turns; the median of the rounds counts, ratios are round by round.
--capture then labels a file from end to end (`make_capture` and `make_rough_capture` in capture.py make two mixes), and
says how long its reading and its network take alone, and `clgan-tf classify` as a new process.
"""

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import numpy as np

from clgan_tf.common.quiet import import_tensorflow

import_tensorflow()

import onnxruntime  # noqa: E402
import tensorflow as tf  # noqa: E402
from ai_edge_litert.interpreter import Interpreter  # noqa: E402
from tqdm import tqdm  # noqa: E402

from clgan_tf import capture, models, serving  # noqa: E402
from clgan_tf.capture import SessionRules  # noqa: E402
from clgan_tf.data import recipe  # noqa: E402
from clgan_tf.data.description import DataFacts, Split, SplitRule  # noqa: E402
from clgan_tf.data.registered import open_any  # noqa: E402
from clgan_tf.models.byte_ngrams import COARSE, NgramLogits  # noqa: E402
from clgan_tf.models.classifier import build_classifier  # noqa: E402
from clgan_tf.models.filling import FillingGAN, ngrams_layer  # noqa: E402
from clgan_tf.models.two_networks import TwoNetworks  # noqa: E402
from clgan_tf.serving.export import LITERT_ROWS  # noqa: E402
from clgan_tf.settings import EXPORT_SUFFIXES  # noqa: E402

BATCHES = {1: 200, 32: 20, 1024: 2}  # how many of each a round
CLASSES = 12
CORES = len(os.sched_getaffinity(0))
OURS = "clgan_tf"
EAGER = "PyTorch"
Predict = Callable[[np.ndarray], np.ndarray]


def saved(name: str, folder: Path) -> Path:
    """A classifier of the network, not trained."""
    network = models.build(name, CLASSES)
    if isinstance(network, FillingGAN):
        network = network.classifier(ngrams())
    elif isinstance(network, TwoNetworks):
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


def ngrams() -> NgramLogits:
    """What phase 2 gives CLGAN+'s last layer to see beside its features."""
    layer = ngrams_layer(CLASSES)
    rng = np.random.default_rng(0)
    layer.take(rng.normal(size=(COARSE, CLASSES)), rng.uniform(0, 2, COARSE))
    return layer


def forms(classifier: serving.Classifier, folder: Path) -> Iterator[tuple[str, Predict]]:
    """The classifier, its exports and its twins: name, bytes to probabilities."""
    yield OURS, classifier.predict_bytes
    for format_name, suffix in EXPORT_SUFFIXES.items():
        path = folder / f"{format_name}{suffix}"
        serving.export(classifier, format_name, path)
        if format_name == "saved_model":
            serve = tf.saved_model.load(str(path)).signatures["serving_default"]
            yield format_name, lambda images, serve=serve: _served(serve, images)
        elif format_name == "onnx":
            run = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run
            yield format_name, lambda images, run=run: run(["probabilities"], {"bytes": images})[0]
        else:
            interpreter = Interpreter(str(path), num_threads=CORES)
            one, many = (interpreter.get_signature_runner(name) for name in LITERT_ROWS)
            yield format_name, lambda images, one=one, many=many: _by_many(one, many, images)
    if not importlib.util.find_spec("torch"):
        print("PyTorch is not installed and left out (pip install torch==2.13.0).")
        return
    import in_pytorch
    import torch

    network = in_pytorch.network(classifier.model)
    for name, module in ((EAGER, network), (f"{EAGER}, compiled", torch.compile(network, dynamic=False))):

        def predict(images: np.ndarray, module: torch.nn.Module = module) -> np.ndarray:
            with torch.inference_mode():
                return module(torch.from_numpy(images)).numpy()

        yield name, predict


def _by_many(one: Callable, many: Callable, images: np.ndarray) -> np.ndarray:
    """A single session alone; more by as many as a call takes, the last call's places filled up."""
    if len(images) == 1:
        return one(bytes=images)["probabilities"]
    rows = LITERT_ROWS["serving_many"]
    full = np.concatenate([images, np.zeros((-len(images) % rows, 28, 28, 1), np.uint8)])
    parts = [many(bytes=full[at : at + rows])["probabilities"] for at in range(0, len(full), rows)]
    return np.concatenate(parts)[: len(images)]


def _served(serve: Callable, images: np.ndarray) -> np.ndarray:
    return serve(bytes=tf.constant(images))["probabilities"].numpy()


def seconds_each(predict: Predict, images: np.ndarray, count: int) -> list[float]:
    """Seconds of each of so many calls."""
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        predict(images)
        seconds.append(time.perf_counter() - started)
    return seconds


def measure(classifier: serving.Classifier, rounds: int, title: str, dataset: Path | None) -> None:
    """Prints how fast each form is at each size, and how right where there is a data set."""
    images = np.random.default_rng(1).integers(0, 256, (max(BATCHES), 28, 28, 1), np.uint8)
    expected = classifier.predict_bytes(images)
    measured: dict[tuple[str, int], list[list[float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        made = list(forms(classifier, Path(folder)))
        for name, predict in made:
            for size in BATCHES:
                difference = float(np.abs(predict(images[:size]) - expected[:size]).max())  # compiles, too
                if "int8" not in name and difference > 1e-4:
                    raise SystemExit(f"{name} of {title} differs by {difference:.2g} in a probability.")
        for _ in tqdm(range(rounds), title, leave=False):
            for size, count in BATCHES.items():
                for name, predict in made:
                    measured[name, size].append(seconds_each(predict, images[:size], count))
        accuracies = {name: accuracy(predict, dataset) for name, predict in made} if dataset else {}
    print(f"\n{title}: {classifier.model.count_params():,} parameters")
    print(f"{'form':<22}{'batch':>7}{'sessions/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'times PyTorch':>15}{'accuracy':>10}")
    for (name, size), of_rounds in measured.items():
        rate = statistics.median(size / statistics.mean(seconds) for seconds in of_rounds)
        p50, p99 = 1000 * np.quantile(np.concatenate(of_rounds), (0.5, 0.99))
        beside = measured.get((EAGER, size), [])
        ratios = [
            statistics.mean(theirs) / statistics.mean(own) for theirs, own in zip(beside, of_rounds, strict=False)
        ]
        times = f"{statistics.median(ratios):>14.2f}x" if ratios else f"{'-':>15}"
        right = f"{100 * accuracies[name]:>9.1f}%" if accuracies else ""
        print(f"{name:<22}{size:>7}{rate:>12,.0f}{p50:>9.2f}{p99:>9.2f}{times}{right}")


def accuracy(predict: Predict, dataset: Path) -> float:
    """Share of the test split that a form names right."""
    scored = open_any(dataset).read("test")
    starts = range(0, len(scored), max(BATCHES))
    said = np.concatenate([predict(scored.images[at : at + max(BATCHES)]).argmax(axis=1) for at in starts])
    return float((said == scored.labels).mean())


def end_to_end(classifier: serving.Classifier, file: Path, path: str, title: str, rounds: int) -> None:
    """Prints how long a capture takes to labels, its reading and the network alone, and the command with its start.

    file: the classifier's.
    """
    command = [sys.executable, "-m", "clgan_tf.main", "classify", f"--classifier={file}", f"--captures={path}"]
    head = classifier.head
    seconds: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        started = time.perf_counter()
        parts = [part.images for part in capture.stream(path, head.representation, head.unit, rules=classifier.rules)]
        seconds["reading alone"].append(time.perf_counter() - started)
        images = np.concatenate(parts)
        started = time.perf_counter()
        classifier.outputs(images)
        seconds["network alone"].append(time.perf_counter() - started)
        started = time.perf_counter()
        sessions = sum(1 for _ in classifier.classify(path))
        seconds["to labels"].append(time.perf_counter() - started)
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds["the command"].append(time.perf_counter() - started)
    texts = ", ".join(f"{what} {statistics.median(values):.1f} s" for what, values in seconds.items())
    slower = [max(pair) for pair in zip(seconds["reading alone"], seconds["network alone"], strict=True)]
    over = statistics.median(whole / half for whole, half in zip(seconds["to labels"], slower, strict=True))
    print(f"{title}: {path}, {sessions:,} sessions: {texts}: {over:.2f}x its slower half.")


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="clgan,clgan_plus,clgan_lite")
    parser.add_argument("--classifier", type=Path)
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--capture")
    options = parser.parse_args()
    names = [str(options.classifier)] if options.classifier else options.models.split(",")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            with redirect_stderr(StringIO()):
                file = options.classifier or saved(name, Path(folder))
                classifier = serving.load(file)
            measure(classifier, options.rounds, name, options.dataset)
            if options.capture:
                end_to_end(classifier, file, options.capture, name, options.rounds)


if __name__ == "__main__":
    main()
