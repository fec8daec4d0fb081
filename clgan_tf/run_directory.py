"""A run directory: where every file of one run lies, and the facts that make the run repeatable."""

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from clgan_tf import __version__
from clgan_tf.config import FLAGFILE_HEAD, TrainConfig
from clgan_tf.errors import ConfigError, DataError
from clgan_tf.files import Marker, read_json, write_json, written_directory

FLAGFILE = "run.flags"
MARKER = Marker(FLAGFILE, FLAGFILE_HEAD)


@dataclass(frozen=True)
class RunDirectory:
    """Paths below one run's directory."""

    path: Path

    @property
    def flagfile(self) -> Path:
        """All flags with their resolved values."""
        return self.path / FLAGFILE

    @property
    def config(self) -> Path:
        """The resolved TrainConfig as JSON."""
        return self.path / "config.json"

    @property
    def environment(self) -> Path:
        """Versions and machine."""
        return self.path / "environment.json"

    @property
    def data(self) -> Path:
        """Which data: fingerprint, split sizes, and the labelled sessions' fingerprint."""
        return self.path / "data.json"

    @property
    def metrics_log(self) -> Path:
        """One JSON line an epoch."""
        return self.path / "metrics.jsonl"

    @property
    def metrics(self) -> Path:
        """The test scores of every system of the run."""
        return self.path / "metrics.json"

    @property
    def tensorboard(self) -> Path:
        """Event files."""
        return self.path / "tensorboard"

    @property
    def state(self) -> Path:
        """Phase 1's state after its last finished epoch."""
        return self.path / "checkpoints" / "state.npz"

    @property
    def generator_weights(self) -> Path:
        """The generator after phase 1."""
        return self.path / "checkpoints" / "generator.weights.h5"

    @property
    def discriminator_weights(self) -> Path:
        """The discriminator after phase 1; phase 2 can start from it alone."""
        return self.path / "checkpoints" / "discriminator.weights.h5"

    @property
    def generated_picture(self) -> Path:
        """Real sessions above generated ones, after phase 1."""
        return self.path / "generated_sessions.png"

    @property
    def classifier(self) -> Path:
        """The classifier to ship."""
        return self.path / "classifier.keras"


def open_run(config: TrainConfig, flagfile_text: str, data: dict[str, Any]) -> RunDirectory:
    """Creates the run directory, whole or not at all, or opens it to resume.

    Args:
      data: what data.json holds: the facts of the data set and of the labels.

    Raises:
      ConfigError: it exists and neither resume nor overwrite is on, or resume does not fit it.
      DataError: a resumed run has other data.
    """
    run = RunDirectory(config.run_dir)
    current = settings(config)
    if config.resume:
        if not run.config.exists():
            raise ConfigError(f"--resume: {run.path} holds no {run.config.name}; start the run without --resume.")
        earlier = read_json(run.config)
        if name := differing_setting(earlier, current):
            raise ConfigError(
                f"--resume: the run has --{name}={earlier.get(name)}, not {current[name]}; use its flagfile."
            )
        if read_json(run.data) != data:
            raise DataError(f"{config.dataset} is not the data set of {run.path}; give the run's own or start anew.")
        return run
    if run.path.exists() and not config.overwrite:
        raise ConfigError(f"{run.path} exists; pass --resume to continue it or --overwrite to replace it.")
    with written_directory(run.path, config.overwrite, MARKER) as aside:
        begun = RunDirectory(aside)
        begun.state.parent.mkdir()
        begun.flagfile.write_text(flagfile_text, encoding="utf-8")
        write_json(begun.config, current)
        write_json(begun.environment, environment())
        write_json(begun.data, data)
    return run


def differing_setting(earlier: dict[str, Any], current: dict[str, Any]) -> str | None:
    """The first of the current settings that was another one in an earlier run; None if there is none.

    Directories may have moved; the data's fingerprint is compared by who reads it.
    """
    return next(
        (name for name, value in current.items() if name not in ("run_dir", "dataset") and earlier.get(name) != value),
        None,
    )


def environment() -> dict[str, Any]:
    """Versions of what computes, the machine, the day (UTC) and, in a checkout, the commit."""
    packages = ("tensorflow-cpu", "tensorflow", "keras", "numpy", "scikit-learn", "dpkt")
    versions = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "clgan_tf": __version__,
        "commit": _commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "packages": versions,
        "system": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def _processor() -> str:
    """The processor's name; on Linux, where Python's own answer may be empty, from /proc/cpuinfo."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return next(iter(names), "") or platform.processor() or platform.machine()


@cache  # What this process has loaded does not change when the checkout does.
def _commit() -> str | None:
    """What is checked out where this file lies, "-dirty" behind it if files were changed; None outside a checkout."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def settings(config: TrainConfig) -> dict[str, Any]:
    """The configuration as JSON values, without what only says how to treat the directory."""
    values = asdict(config)
    for name in ("resume", "overwrite"):
        del values[name]
    return {
        name: str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def read_metrics(path: Path) -> dict[str, Any]:
    """A run's metrics.json.

    Raises:
      DataError: it is missing, not JSON, or lacks what clgan_tf writes.
    """
    metrics = read_json(path)
    expected = ("systems", "data", "labels", "seeds", "settings", "environment")
    if not all(isinstance(metrics.get(name), dict) and metrics[name] for name in expected):
        raise DataError(f"{path}: was not written by clgan_tf or is damaged; train or evaluate the run again.")
    return metrics


def read_log(path: Path) -> list[dict[str, Any]]:
    """The epochs of metrics.jsonl; a last line that a crash has torn is left out, a missing file is empty."""
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return [row for row in rows if isinstance(row, dict) and {"phase", "epoch"} <= set(row)]
