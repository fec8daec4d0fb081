"""The machine and the versions that a run was computed with."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

from clgan_tf import __version__

PACKAGES = ("tensorflow-cpu", "tensorflow", "keras", "numpy", "scikit-learn", "dpkt")


@dataclass(frozen=True)
class Environment:
    """Versions of what computes, the machine, the day (UTC) and, in a checkout, the commit."""

    clgan_tf: str
    commit: str | None
    date: str | None
    python: str
    packages: dict[str, str]
    system: str
    processor: str
    cores: int

    @property
    def short_commit(self) -> str:
        """Seven digits of the commit, and whether files had been changed since."""
        digits, changed, _ = (self.commit or "unknown").partition("-")
        return digits[:7] + ("-dirty" if changed else "")


def environment() -> Environment:
    """That of this process."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return Environment(
        clgan_tf=__version__,
        commit=_commit(),
        date=datetime.now(UTC).date().isoformat(),
        python=platform.python_version(),
        packages=versions,
        system=platform.platform(),
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    )


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
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
