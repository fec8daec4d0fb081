"""One look for every progress bar."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from clgan_tf.common.interruption import raise_waiting

QUIET_SECONDS = 2.0  # what is done sooner needs no bar
LOG_SECONDS = 15.0  # between two lines where standard error is a log file, not a terminal


class Bar(tqdm):
    """tqdm's. Each step is a moment at which Ctrl-C and SIGTERM can end the work."""

    def update(self, n: float | None = 1) -> bool | None:
        """Moves it n units. Raises KeyboardInterrupt."""
        raise_waiting()
        return super().update(n)


def bar(title: str, total: int | None, unit: str, **options: Any) -> Bar:
    """A bar with rate and time left on standard error; it appears after two seconds and vanishes when it is done."""
    interval = 0.1 if sys.stderr.isatty() else LOG_SECONDS
    return Bar(total=total, unit=unit, desc=title, leave=False, mininterval=interval, delay=QUIET_SECONDS, **options)


def tell(sentence: str) -> None:
    """Writes a line to standard error, above whatever bar is there."""
    tqdm.write(sentence, file=sys.stderr)


def warn(sentence: object) -> None:
    """Tells what is worth knowing and stops nothing."""
    tell(f"Warning: {sentence}")


@contextmanager
def captures_bar(title: str, paths: Sequence[str]) -> Iterator[Callable[[int, int], None]]:
    """A bar over the bytes of capture files; yields what to call with (packets, bytes) read since the last call."""
    total = sum(Path(path).stat().st_size for path in paths if Path(path).is_file())
    with bar(title, total, "B", unit_scale=True) as shown:
        packets = 0

        def show(new_packets: int, new_bytes: int) -> None:
            nonlocal packets
            packets += new_packets
            rate = packets / max(shown.format_dict["elapsed"], 1e-3)
            shown.set_postfix_str(f"{packets:,} packets, {rate:,.0f} packets/s", refresh=False)
            shown.update(new_bytes)

        yield show


@contextmanager
def stream_bar(title: str, count_rows: Callable[[], int]) -> Iterator[Callable[[int, int], None]]:
    """A bar over packets whose end nobody knows, and rows; yields what to call as in `captures_bar`."""
    with bar(title, None, " packets") as shown:

        def show(new_packets: int, _new_bytes: int) -> None:
            rows = count_rows()
            rate = rows / max(shown.format_dict["elapsed"], 1e-3)
            shown.set_postfix_str(f"{rows:,} sessions, {rate:,.1f} rows/s", refresh=False)
            shown.update(new_packets)

        yield show
