"""What happens during training beside the steps: the progress bar, the log, and the saved state."""

import json
import math
import time
from pathlib import Path
from typing import Any

import keras

from clgan_tf.common.errors import TrainingError
from clgan_tf.common.files import naming, written_aside
from clgan_tf.common.progress import bar
from clgan_tf.runs.directory import read_log
from clgan_tf.training import checkpoint


class Progress(keras.callbacks.Callback):
    """One bar for a whole phase, in steps, with sessions per second and time left."""

    def __init__(self, title: str, rows_per_step: int, steps_per_epoch: int, epochs: int, initial_epoch: int = 0):
        super().__init__()
        self.title, self.rows_per_step = title, rows_per_step
        self.total, self.initial = steps_per_epoch * epochs, steps_per_epoch * initial_epoch

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Opens the bar."""
        self.bar = bar(self.title, self.total, " steps", initial=self.initial)
        self.started, self.rows = time.perf_counter(), 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves it one step."""
        self.rows += self.rows_per_step
        rate = self.rows / (time.perf_counter() - self.started)
        self.bar.set_postfix_str(f"{rate:,.0f} sessions/s", refresh=False)
        self.bar.update()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes it."""
        self.bar.close()


class MetricsLog(keras.callbacks.Callback):
    """Appends every epoch's logs to metrics.jsonl, one JSON object a line."""

    def __init__(self, path: Path, phase: str):
        super().__init__()
        self.path, self.phase = path, phase

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes one line."""
        row = {"phase": self.phase, "epoch": epoch + 1, **{name: float(value) for name, value in (logs or {}).items()}}
        with naming(self.path), open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class StopOnNaN(keras.callbacks.Callback):
    """Ends a training that has diverged, before its state is saved: Keras's own only stops the current fit."""

    def __init__(self, flag: str):
        super().__init__()
        self.flag = flag

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Raises TrainingError if the mean loss of the epoch is not finite."""
        if not math.isfinite((logs or {}).get("loss", 0.0)):
            raise TrainingError(f"The loss is not finite after epoch {epoch + 1}: lower --{self.flag} and start anew.")


class SaveState(keras.callbacks.Callback):
    """Saves the whole training state after every epoch, so that a run can be continued exactly."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the state."""
        checkpoint.save(self.path, self.model, epoch + 1)


def forget_epochs_after(path: Path, phase: str, epochs: int) -> None:
    """Drops from metrics.jsonl what a stopped run logged of `phase` beyond `epochs`, before it is continued."""
    kept = [row for row in read_log(path) if row["phase"] == phase and row["epoch"] <= epochs]
    with written_aside(path) as aside:
        aside.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
