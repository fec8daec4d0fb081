"""One look for every progress bar."""

import sys
from typing import Any

from tqdm import tqdm

QUIET_SECONDS = 2.0  # what is done sooner needs no bar
LOG_SECONDS = 15.0  # between two lines where standard error is a log file, not a terminal


def bar(title: str, total: int, unit: str, **options: Any) -> tqdm:
    """A bar with rate and time left on standard error; it appears after two seconds and vanishes when it is done."""
    interval = 0.1 if sys.stderr.isatty() else LOG_SECONDS
    return tqdm(total=total, unit=unit, desc=title, leave=False, mininterval=interval, delay=QUIET_SECONDS, **options)
