"""Fixtures that several rooms share: published data where it is, and small data that the project makes."""

import os
from pathlib import Path

import numpy as np
import pytest

from clgan_tf.common.quiet import import_tensorflow

if "PYTEST_XDIST_WORKER" in os.environ:  # Workers share the cores: threads of one would only wait for another's.
    os.environ.update(dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1"))

import_tensorflow()


from clgan_tf import demo  # noqa: E402
from clgan_tf.data.dataset import Dataset  # noqa: E402
from clgan_tf.data.prepare import prepare  # noqa: E402
from clgan_tf.main import main  # noqa: E402
from clgan_tf.models.byte_ngrams import COARSE, NgramLogits  # noqa: E402
from clgan_tf.models.filling import ngrams_layer  # noqa: E402
from clgan_tf.settings import PrepareSettings  # noqa: E402


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder of published data, from the environment variable CLGAN_DATA alone."""
    path = os.environ.get("CLGAN_DATA")
    if not path:
        pytest.skip("CLGAN_DATA is not set: published data is compared only where it is")
    return Path(path)


@pytest.fixture(scope="session")
def published_captures(published: Path) -> Path:
    """The captures among the published data."""
    if not (published / "captures").is_dir():
        pytest.skip("CLGAN_DATA holds no captures/: they are compared only where they are")
    return published / "captures"


@pytest.fixture(scope="session")
def demo_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 600 sessions of demo traffic as capture files."""
    root = tmp_path_factory.mktemp("demo") / "captures"
    demo.write_corpus(root, seed=3, scale=0.15)
    return root


@pytest.fixture(scope="session")
def prepared(demo_corpus: Path) -> Dataset:
    """The demo corpus as a prepared data set."""
    return prepare(prepare_settings(demo_corpus, demo_corpus.parent / "dataset"))


def prepare_settings(source: Path, dataset: Path, **changes: object) -> PrepareSettings:
    """Of a small data set: more of it for validation than by default."""
    return PrepareSettings(**{"source": source, "dataset": dataset, "validation_fraction": 0.15, **changes})


def random_ngrams(classes: int) -> NgramLogits:
    """What a classifier of CLGAN+ has beside its network, saying about as much."""
    rng = np.random.default_rng(0)
    layer = ngrams_layer(classes)
    layer.take(rng.normal(size=(COARSE, classes)), rng.uniform(0, 2, COARSE))
    return layer


UNLABELLED = 96  # sessions of a short run


def train_flags(prepared: Dataset, run_dir: Path, *more: str) -> list[str]:
    """A training run of a few seconds."""
    return [
        *("--mode=train", f"--dataset={prepared.directory}", f"--run_dir={run_dir}", "--labels=5"),
        *("--labels_unit=per_class", "--model=clgan", "--batch_size=32", "--pretraining_epochs=2"),
        *("--finetuning_epochs=2", f"--unlabelled={UNLABELLED}", *more),
    ]


@pytest.fixture(scope="session")
def finished_run(prepared: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a finished run with both baselines."""
    run_dir = tmp_path_factory.mktemp("runs") / "finished"
    assert main(train_flags(prepared, run_dir, "--baselines=supervised,random_forest")) == 0
    return run_dir
