"""metrics.jsonl: what every epoch of a run's phases measured, an epoch a line."""

from dataclasses import dataclass
from pathlib import Path

from clgan_tf.common import typed_json
from clgan_tf.common.files import naming

HELD_OUT = "held out"  # so begin the names of phases whose network is judged on labels of the budget
PRETRAINING = "pretraining"


@dataclass(frozen=True)
class Epoch:
    """phase: its name; epoch: from 1; values: means over the epoch, by name."""

    phase: str
    epoch: int
    values: dict[str, float]


def read_log(path: Path) -> list[Epoch]:
    """Every epoch; none of a missing file. A last line that a crash has torn, so that it has no end, is left out.

    Raises:
      DataError: a whole line is no epoch.
    """
    whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
    return [
        typed_json.decode(line, Epoch, f"{path}, line {number}", "train the run anew")
        for number, line in enumerate(whole.splitlines(), 1)
    ]


def append(path: Path, epoch: Epoch) -> None:
    """Adds a line."""
    with naming(path), open(path, "a", encoding="utf-8") as file:
        file.write(typed_json.line(epoch))


def keep_pretraining(path: Path, epochs: int | None = None) -> None:
    """Keeps of a stopped run's log what it is continued from: the epochs of PRETRAINING, or so many of them."""
    own = [epoch for epoch in read_log(path) if epoch.phase == PRETRAINING]
    typed_json.write_lines(path, [epoch for epoch in own if epochs is None or epoch.epoch <= epochs])
