"""Fixtures that several rooms share: published data where it is, and small data that the project makes."""

import os
from pathlib import Path

import pytest

from clgan_tf.quiet import import_tensorflow

import_tensorflow()

from clgan_tf import demo  # noqa: E402
from clgan_tf.config import PrepareConfig  # noqa: E402
from clgan_tf.data.dataset import Dataset  # noqa: E402
from clgan_tf.data.prepare import prepare  # noqa: E402


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder of published data, from the environment variable CLGAN_DATA alone."""
    path = os.environ.get("CLGAN_DATA")
    if not path:
        pytest.skip("CLGAN_DATA is not set: published data is compared only where it is")
    return Path(path)


@pytest.fixture(scope="session")
def demo_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 600 sessions of demo traffic as capture files."""
    root = tmp_path_factory.mktemp("demo") / "captures"
    demo.write_corpus(root, seed=3, scale=0.15)
    return root


@pytest.fixture(scope="session")
def prepared(demo_corpus: Path) -> Dataset:
    """The demo corpus as a prepared data set of masked sessions."""
    return prepare(prepare_config(demo_corpus, demo_corpus.parent / "dataset"))


def prepare_config(source: Path, dataset: Path, **changes: object) -> PrepareConfig:
    values: dict = {
        "source": source,
        "source_kind": "captures",
        "dataset": dataset,
        "representation": "masked",
        "unit": "session",
        "test_fraction": 0.2,
        "validation_fraction": 0.15,
        "seed": 0,
        "strict": True,
        "overwrite": False,
    }
    return PrepareConfig(**{**values, **changes})
