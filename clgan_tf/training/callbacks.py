"""What happens during training beside the steps: the progress bar, the log, and the saved state."""

import math
import time
from pathlib import Path
from typing import Any

import keras

from clgan_tf.common.errors import TrainingError
from clgan_tf.common.interruption import raise_waiting
from clgan_tf.common.progress import QUIET_SECONDS, bar, tell
from clgan_tf.runs import log
from clgan_tf.training import checkpoint


class Progress(keras.callbacks.Callback):
    """One bar for a whole phase, in steps, with its latest loss and validation accuracy; it leaves a line behind."""

    def __init__(self, title: str, rows_per_step: int, steps_per_epoch: int, epochs: int, initial_epoch: int = 0):
        super().__init__()
        self.title, self.rows_per_step = title, rows_per_step
        self.total, self.initial = steps_per_epoch * epochs, steps_per_epoch * initial_epoch

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Opens the bar."""
        self.bar = bar(self.title, self.total, " steps", initial=self.initial)
        self.started, self.rows, self.measured = time.perf_counter(), 0, ""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves it one step."""
        self.rows += self.rows_per_step
        rate = self.rows / (time.perf_counter() - self.started)
        self.bar.set_postfix_str(f"{rate:,.0f} sessions/s{self.measured}", refresh=False)
        self.bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Takes up what the epoch measured."""
        measured = {"discriminator_loss": "loss", "loss": "loss", "val_accuracy": "validation accuracy"}
        shown = {title: logs[name] for name, title in measured.items() if logs and name in logs}
        self.measured = "".join(f", {title} {value:.3f}" for title, value in shown.items())

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes it."""
        self.bar.close()
        seconds = time.perf_counter() - self.started
        if seconds > QUIET_SECONDS:
            tell(f"{self.title}: {self.bar.n:,} steps, {seconds:,.0f} s{self.measured}")


class Stoppable(keras.callbacks.Callback):
    """Lets Ctrl-C and SIGTERM end the training of a worker that shows no bar, between two steps."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Raises KeyboardInterrupt."""
        raise_waiting()


class MetricsLog(keras.callbacks.Callback):
    """Appends what every epoch measured to metrics.jsonl."""

    def __init__(self, path: Path, phase: str):
        super().__init__()
        self.path, self.phase = path, phase

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes one line."""
        values = {name: float(value) for name, value in (logs or {}).items()}
        log.append(self.path, log.Epoch(self.phase, epoch + 1, values))


class StopOnNaN(keras.callbacks.Callback):
    """Ends a training that has diverged, before its state is saved: Keras's own only stops the current fit."""

    def __init__(self, flag: str):
        super().__init__()
        self.flag = flag

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Raises TrainingError if the epoch's loss, or any mean beside it, is not finite."""
        for name, value in (logs or {}).items():
            if not math.isfinite(value):
                what = f"The {name.replace('_', ' ')} is not finite after epoch {epoch + 1}"
                raise TrainingError(f"{what}: lower --{self.flag} and start anew.")


class SaveState(keras.callbacks.Callback):
    """Saves the whole training state after every epoch, so that a run can be continued exactly."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the state."""
        checkpoint.save(self.path, self.model, epoch + 1)
