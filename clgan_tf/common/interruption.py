"""Ctrl-C and SIGTERM as exceptions, raised where TensorFlow bears one."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

RETRY_SECONDS = 0.05


class Terminated(KeyboardInterrupt):
    """SIGTERM, which is to leave no half-written file either."""


@contextmanager
def raised_when_safe() -> Iterator[None]:
    """Raises KeyboardInterrupt or Terminated inside the block, in the main thread, once no function is being traced.

    TensorFlow (2.21) traces from Python through C++ and back into Python. C++ goes on after an exception that it does
    not expect: the process then ends with SystemError or a segmentation fault. A trace takes seconds at most.
    """
    if threading.current_thread() is not threading.main_thread():  # Signals are the main thread's.
        yield
        return
    waiting: list[type[KeyboardInterrupt]] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGALRM:
            waiting.append(Terminated if number == signal.SIGTERM else KeyboardInterrupt)
        if _is_tracing():
            signal.setitimer(signal.ITIMER_REAL, RETRY_SECONDS)
        elif waiting:
            kind = waiting.pop()
            waiting.clear()
            raise kind

    # What the process ignores, as a shell's background job does Ctrl-C, it goes on ignoring.
    heard = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in (*heard, signal.SIGALRM)}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: set by no Python code


def _is_tracing() -> bool:
    """Whether the main thread makes the graph of a `tf.function`."""
    inside = getattr(sys.modules.get("tensorflow"), "inside_function", None)  # None: not imported, or being imported
    return inside is not None and inside()
