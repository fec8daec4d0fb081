"""How phase 1 of the published CLGAN scales: a step with its rows, an epoch with its sessions, a step with its workers.

    python experiments/benchmarks/scaling.py [--output=docs/scaling.png]

Every point is a process of its own on this machine: the median of its steps (the first three left out), and its peak
memory. Sessions are random bytes in TFRecord shards, read, cached and shuffled as a run does. Workers are processes
that reduce gradients over loopback (`--strategy=multi_worker`) and have a core each; they share a batch of 256. Prints
tables, draws them, and says what a billion sessions would take by these figures.
"""

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROWS = (64, 128, 256, 512, 1024, 2048)
SESSIONS = (1_000, 10_000, 100_000)
WORKERS = (1, 2)
USUAL_ROWS = 256
STEPS = 12
LEFT_OUT = 3
BILLION = 1_000_000_000


def train(kind: str, amount: int) -> tuple[float, float]:
    """Runs in a process of its own: seconds a step, or of an epoch, and peak megabytes."""
    from clgan_tf.common.quiet import import_tensorflow

    import_tensorflow()
    import keras

    from clgan_tf import models
    from clgan_tf.data import pipeline, tfrecord
    from clgan_tf.data.examples import Examples
    from clgan_tf.data.few_labels import FewLabels, LabelFacts, Unlabelled
    from clgan_tf.models.two_networks import default_optimizer
    from clgan_tf.training.strategy import strategy_of

    rows = amount if kind == "rows" else USUAL_ROWS
    sessions = amount if kind == "sessions" else rows * (STEPS + 1)
    strategy = strategy_of("multi_worker" if kind == "workers" and amount > 1 else "one")
    images = np.random.default_rng(0).integers(0, 256, (sessions, 28, 28, 1), np.uint8)
    seconds: list[float] = []

    class Clock(keras.callbacks.Callback):
        """The time between the ends of two steps."""

        def on_train_begin(self, logs: object = None) -> None:
            self.last = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            now = time.perf_counter()
            seconds.append(now - self.last)
            self.last = now

    with tempfile.TemporaryDirectory() as folder:
        names = tfrecord.write_split(Path(folder), "unlabelled", Examples.of_images(images))
        labelled = Examples.of_images(images[:200])
        labelled.labels[:] = np.arange(200) % 12
        few = FewLabels(
            labelled,
            labelled[np.arange(0)],
            Unlabelled(sessions, [Path(folder) / name for name in names], np.array([], str)),
            LabelFacts(200, "total", 200, 0, sessions, ""),
        )
        del images
        with strategy.scope():
            model = models.build("clgan", 12, seed=0)
            model.compile(default_optimizer(), default_optimizer())
        batches, steps = pipeline.adversarial(few, rows, 0, 0, strategy.num_replicas_in_sync)
        steps = max(steps, STEPS)
        data = pipeline.distributed(batches, strategy)
        model.fit(data, steps_per_epoch=steps, epochs=1, verbose=0, shuffle=False, callbacks=[Clock()])
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if kind == "sessions":
        return sum(seconds[LEFT_OUT:]) / (len(seconds) - LEFT_OUT) * sessions / rows, megabytes
    return statistics.median(seconds[LEFT_OUT:]), megabytes


def measured(kind: str, amount: int) -> tuple[float, float]:
    """The same from outside; of several workers what the first one says."""
    command = [sys.executable, __file__, "--one", kind, str(amount)]
    count = amount if kind == "workers" else 1
    ports = [_free_port() for _ in range(count)]
    processes = []
    for index in range(count):
        more = {}
        if kind == "workers":
            more = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1")
            cluster = {"cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]}}
            more["TF_CONFIG"] = json.dumps({**cluster, "task": {"type": "worker", "index": index}})
        processes.append(subprocess.Popen(command, env={**os.environ, **more}, stdout=subprocess.PIPE, text=True))
    printed = [process.communicate()[0].split()[-2:] for process in processes]
    return float(printed[0][0]), float(printed[0][1])


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def main() -> None:
    """Prints the tables and draws them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("scaling.png"))
    parser.add_argument("--one", nargs=2, metavar=("KIND", "AMOUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(*train(options.one[0], int(options.one[1])))
        return
    from tqdm import tqdm

    amounts = {"workers": WORKERS, "rows": ROWS, "sessions": SESSIONS}
    points = [(kind, amount) for kind, several in amounts.items() for amount in several]
    found = {point: measured(*point) for point in tqdm(points, "Processes", leave=False)}
    print("| | seconds | sessions/s | peak memory, MB |\n|---|---|---|---|")
    for (kind, amount), (seconds, megabytes) in found.items():
        what = {
            "rows": f"a step of {amount} labelled, unlabelled and generated rows each (labelled: at most 200)",
            "sessions": f"an epoch of {amount:,} sessions",
            "workers": f"a step of {USUAL_ROWS} rows each, {amount} workers of a core each",
        }[kind]
        rows = amount if kind != "workers" else USUAL_ROWS
        print(f"| {what} | {seconds:.2f} | {rows / seconds:,.0f} | {megabytes:,.0f} |")
    seconds, _ = found["sessions", max(SESSIONS)]
    hours = BILLION * seconds / max(SESSIONS) / 3600
    print(
        f"\nAn epoch of a billion sessions: {hours:,.0f} hours of this machine, {BILLION * 784 / 1e12:.2f} TB of bytes."
    )
    draw(found, options.output)
    print(f"Drawn: {options.output}")


def draw(found: dict[tuple[str, int], tuple[float, float]], path: Path) -> None:
    """Sessions a second, and memory, against each amount."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    names = {"rows": "unlabelled rows a step", "sessions": "sessions an epoch", "workers": "workers of a core each"}
    figure, panels = plt.subplots(2, 3, figsize=(11, 5.5), sharex="col", layout="constrained")
    for (above, below), (kind, name) in zip(panels.T, names.items(), strict=True):
        amounts = [amount for of, amount in found if of == kind]
        rates = [(amount if kind != "workers" else USUAL_ROWS) / found[kind, amount][0] for amount in amounts]
        for panel, values in ((above, rates), (below, [found[kind, amount][1] for amount in amounts])):
            panel.plot(amounts, values, "o-")
            panel.set(xscale="linear" if kind == "workers" else "log", ylim=(0, 1.1 * max(values)), xticks=amounts)
            panel.minorticks_off()
            panel.set_xticklabels([f"{amount:,}" for amount in amounts])
            panel.grid(alpha=0.3)
        below.set_xlabel(name)
    panels[0, 0].set_ylabel("unlabelled sessions/s")
    panels[1, 0].set_ylabel("peak memory, MB")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
