"""A run directory: where every file of one run lies."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clgan_tf.common import typed_json
from clgan_tf.common.errors import ConfigError, DataError
from clgan_tf.common.files import Marker, remove_partial, written_directory
from clgan_tf.common.lock import DirectoryLock
from clgan_tf.common.setting import as_flags, values
from clgan_tf.data.description import DataFacts
from clgan_tf.data.few_labels import LabelFacts
from clgan_tf.runs.environment import environment
from clgan_tf.runs.log import keep_pretraining
from clgan_tf.settings import FLAGFILE, PrepareSettings, PretrainSettings

FLAGFILE_HEAD = "# Made by clgan_tf; repeats the run in"
MARKER = Marker(FLAGFILE, FLAGFILE_HEAD)


@dataclass(frozen=True)
class RunDirectory:
    """Paths below one run's directory. lock: of who trains there."""

    path: Path
    lock: DirectoryLock | None = field(default=None, compare=False, repr=False)

    @property
    def flagfile(self) -> Path:
        """All flags with their resolved values."""
        return self.path / FLAGFILE

    @property
    def config(self) -> Path:
        """The resolved TrainSettings as JSON."""
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
        """Phase 1's state after its last finished epoch; beside it, that after the one before."""
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
    def trunk(self) -> Path:
        """What CLGAN+ has learned in phase 1: --init_from takes it."""
        return self.path / "trunk.npz"

    @property
    def generated_picture(self) -> Path:
        """Real sessions above generated ones, after phase 1."""
        return self.path / "generated_sessions.png"

    @property
    def classifier(self) -> Path:
        """The classifier to ship."""
        return self.path / "classifier.keras"


@dataclass(frozen=True)
class TrainedOn:
    """What data.json holds: the facts of a run's data and of its labels, if it sees any."""

    data: DataFacts
    labels: LabelFacts | None = None


def open_run(settings: PretrainSettings, trained_on: TrainedOn, source: PrepareSettings | None = None) -> RunDirectory:
    """Creates the run directory, whole or not at all, or opens it to resume.

    Args:
      source: of the data set, where the run may have to prepare it; for the flagfile.

    Raises:
      ConfigError: it exists and neither resume nor overwrite is on, resume does not fit it, or another process is at
        work there.
      DataError: a resumed run has other data.
    """
    run = RunDirectory(settings.run_dir)
    if settings.resume:
        run = _locked(run)
        if not run.config.exists():
            raise ConfigError(f"--resume: {run.path} holds no {run.config.name}; start the run without --resume.")
        if difference := differing_setting(typed_json.read(run.config, type(settings)), settings):
            name, earlier, now = difference
            raise ConfigError(f"--resume: the run has --{name}={earlier}, not {now}; use its flagfile.")
        if typed_json.read(run.data, TrainedOn) != trained_on:
            raise DataError(f"{settings.dataset} is not the data set of {run.path}; give the run's own or start anew.")
        remove_partial(run.path)
        keep_pretraining(run.metrics_log)
        return run
    if run.path.exists():
        if not settings.overwrite:
            raise ConfigError(f"{run.path} exists; pass --resume to continue it or --overwrite to replace it.")
        run = _locked(run)  # until the new one stands
    with written_directory(run.path, settings.overwrite, MARKER) as aside:
        begun = RunDirectory(aside)
        begun.state.parent.mkdir()
        begun.flagfile.write_text(flagfile(settings, source), encoding="utf-8")
        typed_json.write(begun.config, settings)
        typed_json.write(begun.environment, environment())
        typed_json.write(begun.data, trained_on)
        new = DirectoryLock(aside)  # The lock goes with the directory when it is renamed.
    return RunDirectory(run.path, new)


def _locked(run: RunDirectory) -> RunDirectory:
    return RunDirectory(run.path, DirectoryLock(run.path)) if run.path.is_dir() else run


def flagfile(settings: PretrainSettings, source: PrepareSettings | None) -> str:
    """The flags that do the same again, in another directory."""
    lines = [f"{FLAGFILE_HEAD} {settings.run_dir} (give another --run_dir).", f"--mode={settings.MODE}"]
    lines += as_flags(settings, without=("resume", "overwrite"))
    if source:
        lines += as_flags(source, without=("dataset", "resume", "overwrite"))
    return "\n".join(lines) + "\n"


def differing_setting(earlier: PretrainSettings, current: PretrainSettings) -> tuple[str, Any, Any] | None:
    """The first setting that was another one in an earlier run: its name, then and now; None if there is none.

    Directories may have moved; the data's fingerprint is compared by who reads it.
    """
    then, now = values(earlier), values(current)
    for name in now:
        if name not in current.ABOUT_THE_DIRECTORY and then[name] != now[name]:
            return name, then[name], now[name]
    return None
