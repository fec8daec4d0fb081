"""Whether a GAN's generator has collapsed: how much generated sessions differ, beside real ones.

python experiments/studies/generated_sessions.py runs/sweeps/paper/ustc_all_layers/*gan_1000_8000_seed0

Run it where the runs were trained: their data set is found from there. Reads the training split alone.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.spatial.distance import pdist

from clgan_tf.common.quiet import import_tensorflow

import_tensorflow()

from clgan_tf import models  # noqa: E402
from clgan_tf.common import typed_json  # noqa: E402
from clgan_tf.data.dataset import open_dataset  # noqa: E402
from clgan_tf.runs.directory import RunDirectory  # noqa: E402
from clgan_tf.runs.log import PRETRAINING, read_log  # noqa: E402
from clgan_tf.settings import TrainSettings  # noqa: E402
from clgan_tf.training.phases import load_weights  # noqa: E402

SESSIONS = 1000
SEED = 0


def spread(images: np.ndarray) -> float:
    """The mean absolute difference of a byte between two of these sessions, over all pairs."""
    return float(pdist(images.reshape(len(images), -1).astype(np.float32), "cityblock").mean()) / images[0].size


def classes(logits: np.ndarray) -> float:
    """In how many classes the discriminator sees them: the exponential of the entropy of its answers."""
    shares = np.bincount(logits.argmax(axis=1)) / len(logits)
    return float(np.exp(-np.sum(shares[shares > 0] * np.log(shares[shares > 0]))))


def row(run: RunDirectory) -> str:
    """The run's line of the table."""
    settings = typed_json.read(run.config, TrainSettings)
    dataset = open_dataset(settings.dataset)
    gan = models.build(settings.model, len(dataset.facts.class_names), seed=settings.seed)
    load_weights(gan.generator, run.generator_weights)
    load_weights(gan.discriminator, run.discriminator_weights)
    examples = dataset.read("train")
    real = examples.images[np.random.default_rng(SEED).choice(len(examples), SESSIONS, replace=False)]
    generated = gan.generate(SESSIONS).numpy()
    last = [epoch.values for epoch in read_log(run.metrics_log) if epoch.phase == PRETRAINING][-1]
    figures = [
        *(f"{last[name]:.2f}" for name in ("probability_real", "probability_real_generated")),
        *(f"{spread(images):.1f}" for images in (real, generated)),
        *(f"{classes(gan.predict(images, verbose=0)):.1f}" for images in (real, generated)),
        str(len(np.unique(generated.reshape(SESSIONS, -1), axis=0))),
    ]
    return " | ".join([f"| `{run.path.parent.name}/{run.path.name}`", *figures]) + " |"


def main(runs: list[Path]) -> None:
    """Prints the table."""
    print(
        "| Run | p(real), unlabelled | p(real), generated | Spread, real | Spread, generated | Classes, real | ", end=""
    )
    print("Classes, generated | Different sessions of 1,000 |\n|" + "---|" * 8)
    for path in runs:
        print(row(RunDirectory(path)), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    main(parser.parse_args().runs)
