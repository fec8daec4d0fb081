"""What came of a run: the test scores of its systems, and every fact that they must be read with."""

from dataclasses import dataclass
from pathlib import Path

from clgan_tf.common import typed_json
from clgan_tf.data.description import DataFacts
from clgan_tf.data.few_labels import LabelFacts
from clgan_tf.runs.environment import Environment
from clgan_tf.settings import TrainSettings

REMEDY = "train or evaluate the run again"


@dataclass(frozen=True)
class Means:
    """Precision, recall and F1 of a class, or means of them over classes; in [0, 1]."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ClassScores(Means):
    """Scores of one class, and how many test sessions it has."""

    sessions: int


@dataclass(frozen=True)
class Bin:
    """Sessions of whose label a system is about as sure: how many, how sure in the mean, and how many it has right."""

    sessions: int
    probability: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """Whether a system is right as often as it is sure.

    temperature: what its logits are divided by; ece: expected calibration error, in [0, 1]; ece_without: the same at
    temperature 1; bins: from least to most sure, those that have sessions.
    """

    temperature: float
    ece: float
    ece_without: float
    bins: list[Bin]


@dataclass(frozen=True)
class Scores:
    """Scores of one system on one split.

    accuracy; precision, recall, f1: macro means; weighted: the same three, weighted by class size; per_class: by class
    name; confusion: counts, a row a true class, a column a predicted one; sessions: of the split; reliability: of a
    system that gives probabilities.
    """

    accuracy: float
    precision: float
    recall: float
    f1: float
    weighted: Means
    per_class: dict[str, ClassScores]
    confusion: list[list[int]]
    sessions: int
    reliability: Reliability | None = None

    def __post_init__(self) -> None:
        if any(len(row) != len(self.confusion) for row in self.confusion):
            raise ValueError("the confusion matrix is not square")


@dataclass(frozen=True)
class RunResult:
    """A finished run, as metrics.json holds it.

    systems: scores by system, the run's own model first; seconds: of training, all systems together; choice: macro-F1
    by candidate, cross-validated within the budget, where the run had to choose.
    """

    systems: dict[str, Scores]
    data: DataFacts
    labels: LabelFacts
    settings: TrainSettings
    environment: Environment
    seconds: float
    choice: dict[str, float] | None = None

    def __post_init__(self) -> None:
        for name, scores in self.systems.items():
            if len(scores.confusion) != len(self.data.class_names):
                raise ValueError(f"the confusion matrix of {name} has {len(scores.confusion)} classes")

    @property
    def model(self) -> str:
        """The run's own model."""
        return self.settings.model

    @property
    def scores(self) -> Scores:
        """Those of the run's own model."""
        return self.systems[self.model]


def read_result(path: Path) -> RunResult:
    """A run's metrics.json. Raises DataError where it is missing or not what clgan_tf writes."""
    return typed_json.read(path, RunResult, REMEDY)
