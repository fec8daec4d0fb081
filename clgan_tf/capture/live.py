"""Live traffic: how long to wait for it, when to look which sessions may leave, and how it ends."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TICK_SECONDS = 0.25  # between two looks at what can leave; a label must follow within two seconds
GRACE_SECONDS = 1.0  # for what a capturing program still hands on when both are stopped
IDLE_SECONDS = 30.0  # where the sessions to be told apart know no time-out


class Live:
    """A stream that is read as it comes, until its end or `stop`.

    After `stop`, what the pipe holds is read, for GRACE_SECONDS at most.
    """

    def __init__(self) -> None:
        self._stopped = float("inf")
        self._looked = 0.0

    def stop(self) -> None:
        """To be called from a signal handler, or another thread."""
        self._stopped = min(self._stopped, time.monotonic())

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return time.monotonic() >= self._stopped

    def goes_on(self, is_ready: bool) -> bool:
        """Whether to read on. is_ready: there is something to read."""
        now = time.monotonic()
        return now < self._stopped or (is_ready and now < self._stopped + GRACE_SECONDS)

    def is_due(self) -> bool:
        """Whether it is time to look which sessions may leave."""
        now = time.monotonic()
        if now - self._looked < TICK_SECONDS:
            return False
        self._looked = now
        return True

    @contextmanager
    def stopped_by_signals(self) -> Iterator[None]:
        """Inside, the first Ctrl-C or SIGTERM stops the stream, and the next does what it did before.

        What the process ignores, it goes on ignoring.
        """
        if threading.current_thread() is not threading.main_thread():  # Signals are the main thread's.
            yield
            return
        before: dict[int, Any] = {}

        def stop(number: int, _frame: Any) -> None:
            self.stop()
            signal.signal(number, before[number])

        for number in (int(signal.SIGINT), int(signal.SIGTERM)):
            handler = signal.getsignal(number)
            if handler not in (signal.SIG_IGN, None):  # None: set by no Python code
                before[number] = handler
                signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
