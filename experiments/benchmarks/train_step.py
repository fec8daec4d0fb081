"""One step of phase 1, the published CLGAN's: ours in float32 and bfloat16 beside PyTorch, and the machine's peak.

    python experiments/benchmarks/train_step.py [--rows=256] [--rounds=15]

A step has as many labelled, unlabelled and generated rows, both networks' gradients and both Adam updates. PyTorch
(`pip install torch==2.13.0`) does it eagerly, as most code does: three passes of the discriminator, and another one for
the generator; and as ours does: one pass of the real rows and one of the generated, from which both gradients come.
Forms take turns; medians count, ratios are round by round. The peak is that of a product of two matrices of 2,048 x
2,048 in TensorFlow. CLGAN+'s step is timed, too, in both precisions.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from clgan_tf.common.quiet import import_tensorflow

import_tensorflow()

import tensorflow as tf  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from tqdm import tqdm  # noqa: E402

from clgan_tf import models  # noqa: E402
from clgan_tf.models.two_networks import default_optimizer  # noqa: E402
from clgan_tf.training.precision import computing_in  # noqa: E402

CLASSES = 12
# Multiply-adds of a row: both convolutions and the LSTM over 28 rows; forwards, and twice that backwards.
DISCRIMINATOR = 28 * (5 * 28 * 128 + 5 * 128 * 64 + (64 + 256) * 4 * 256)
GENERATOR = 100 * 2048 + 64 * 25 * 128 * 16 + 256 * 25 * 64 * 8 + 1024 * 25 * 32


class Discriminator(nn.Module):
    """Section 2.2 of the paper; see clgan_tf/models/discriminator.py."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv1d(28, 128, 5, padding=2), nn.Conv1d(128, 64, 5, padding=2)])
        self.lstm = nn.LSTM(64, 256, batch_first=True)
        self.logits = nn.Linear(256, CLASSES)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and features."""
        x = pixels.reshape(-1, 28, 28).transpose(1, 2)
        for layer in self.convolutions:
            x = functional.leaky_relu(layer(x), 0.2)
        _, (state, _) = self.lstm(x.transpose(1, 2))
        return self.logits(functional.dropout(state[0], 0.5)), state[0]


def generator() -> nn.Module:
    """Section 2.3; see clgan_tf/models/generator.py."""
    parts: list[nn.Module] = [nn.Linear(100, 2048), nn.Unflatten(1, (128, 4, 4))]
    for size, filters in ((128, 64), (64, 32)):
        parts += [nn.ConvTranspose2d(size, filters, 5, 2, 2, 1), nn.BatchNorm2d(filters), nn.LeakyReLU(0.2)]
    return nn.Sequential(*parts, nn.ConvTranspose2d(32, 1, 5, 2, 2, 1), nn.ZeroPad2d(-2), nn.Tanh())


class InPyTorch:
    """Both networks and a step of them."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.discriminator, self.generator = Discriminator(), generator()
        self.optimizers = [
            torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999))
            for network in (self.discriminator, self.generator)
        ]
        self.pixels = torch.from_numpy(images).float().permute(0, 3, 1, 2) / 127.5 - 1
        self.labels = torch.from_numpy(labels)

    def losses(self, outputs: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Of the discriminator, K+1, and the generator, feature matching; see clgan_tf/models/losses.py."""
        (labelled, _), (unlabelled, real), (generated, made) = outputs
        discriminator = (
            functional.cross_entropy(labelled, self.labels)
            + functional.softplus(-unlabelled.logsumexp(1)).mean()
            + functional.softplus(generated.logsumexp(1)).mean()
        )
        return discriminator, (real.detach().mean(0) - made.mean(0)).square().sum()

    def eager(self) -> None:
        """Each kind of rows in a pass of its own, the generator's loss in another."""
        noise = 2 * torch.rand(len(self.pixels), 100) - 1
        made = self.generator(noise)
        kinds = (self.pixels, self.pixels, made.detach())
        self.discriminator.zero_grad()
        outputs = [self.discriminator(rows) for rows in kinds]
        self.losses(outputs)[0].backward()
        self.optimizers[0].step()
        self.generator.zero_grad()
        matched = self.discriminator(made)
        self.losses([outputs[0], (outputs[1][0], outputs[1][1].detach()), matched])[1].backward()
        self.optimizers[1].step()

    def as_ours(self) -> None:
        """Each row passes once, and both gradients come from these passes."""
        noise = 2 * torch.rand(len(self.pixels), 100) - 1
        logits, features = self.discriminator(torch.cat([self.pixels, self.pixels]))
        real = zip(logits.split(len(self.pixels)), features.split(len(self.pixels)), strict=True)
        losses = self.losses([*real, self.discriminator(self.generator(noise))])
        parameters = [list(network.parameters()) for network in (self.discriminator, self.generator)]
        gradients = [
            torch.autograd.grad(loss, of_network, retain_graph=loss is losses[0])
            for loss, of_network in zip(losses, parameters, strict=True)
        ]
        for optimizer, of_network, theirs in zip(self.optimizers, parameters, gradients, strict=True):
            for parameter, gradient in zip(of_network, theirs, strict=True):
                parameter.grad = gradient
            optimizer.step()


def ours(name: str, precision: str, images: np.ndarray, labels: np.ndarray) -> Callable[[], None]:
    """Our step, compiled."""
    with computing_in(precision):
        model = models.build(name, CLASSES, seed=0)
    model.compile(default_optimizer(), default_optimizer())
    shown = tf.constant(images)
    data = shown if name == models.PLUS else {"labelled": shown, "labels": tf.constant(labels), "unlabelled": shown}
    step = tf.function(model.train_step)
    return lambda: step(data)["loss"].numpy()


def peak() -> float:
    """GFLOP/s of a large product in float32."""
    matrix = tf.random.normal((2048, 2048))
    seconds = []
    for _ in range(10):
        started = time.perf_counter()
        tf.matmul(matrix, matrix).numpy()
        seconds.append(time.perf_counter() - started)
    return 2 * 2048**3 / statistics.median(seconds) / 1e9


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (options.rows, 28, 28, 1), np.uint8)
    labels = random.integers(0, CLASSES, options.rows)
    twin = InPyTorch(images, labels)
    few = images[:64]
    forms = {
        "PyTorch, eager": twin.eager,
        "PyTorch, as ours": twin.as_ours,
        "clgan, float32": ours("clgan", "float32", images, labels),
        "clgan, bfloat16": ours("clgan", "bfloat16", images, labels),
        "clgan_plus, float32, 64 rows": ours(models.PLUS, "float32", few, labels),
        "clgan_plus, bfloat16, 64 rows": ours(models.PLUS, "bfloat16", few, labels),
    }
    for step in forms.values():
        step()  # compiles
    measured: dict[str, list[float]] = defaultdict(list)
    for _ in tqdm(range(options.rounds), "Rounds", leave=False):
        for name, step in forms.items():
            started = time.perf_counter()
            step()
            measured[name].append(time.perf_counter() - started)
    best = min(("PyTorch, eager", "PyTorch, as ours"), key=lambda name: statistics.median(measured[name]))
    # Forwards and twice that backwards, for each kind; and the generator's gradient goes back through generated rows.
    work = 2 * options.rows * (3 * 3 * DISCRIMINATOR + DISCRIMINATOR + 3 * GENERATOR) / 1e9
    print(f"{options.rows} + {options.rows} + {options.rows} rows, {work:.0f} GFLOP a step; peak {peak():.0f} GFLOP/s")
    print(f"{'form':<32}{'ms':>7}{'times best PyTorch':>20}{'GFLOP/s':>9}")
    for name, seconds in measured.items():
        median = statistics.median(seconds)
        ratio = statistics.median(own / other for own, other in zip(seconds, measured[best], strict=True))
        compared = "" if models.PLUS in name else f"{ratio:>19.2f}x{work / median:>9.0f}"
        print(f"{name:<32}{1000 * median:>7.0f}{compared}")


if __name__ == "__main__":
    main()
