"""Ctrl-C and SIGTERM as exceptions, raised where the libraries below the program bear one."""

import faulthandler
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

RETRY_SECONDS = 0.05
STANDARD_ERROR = 2  # as a descriptor: what is `sys.stderr` may be none
# C++ of the first three calls Python back, and goes on after an exception that it does not expect: the process ends
# with SystemError, a segmentation fault or a damaged heap. Python itself drops what a weak reference's callback raises.
UNSAFE = {"tensorflow", "keras", "h5py", "weakref"}


class Terminated(KeyboardInterrupt):
    """SIGTERM, which is to leave no half-written file either."""


_waiting: list[type[KeyboardInterrupt]] = []  # the process has one main thread, and its signals are that thread's


@contextmanager
def raised_when_safe() -> Iterator[None]:
    """Raises KeyboardInterrupt or Terminated inside the block, in the main thread, once it is outside of UNSAFE.

    Where all time is spent in there, `raise_waiting` says that it is safe. What still waits at the block's end is
    dropped: the work is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGALRM:
            _waiting.append(Terminated if number == signal.SIGTERM else KeyboardInterrupt)
        if _waiting and _is_unsafe(frame):
            signal.setitimer(signal.ITIMER_REAL, RETRY_SECONDS)
        else:
            raise_waiting()

    # Kernels of TensorFlow (2.21, CPU) keep data below their stack pointer, where a signal's frame goes: one signal in
    # some dozens of their calls damages the heap. A stack of signals' own, which Python's handlers take, saves it.
    if not faulthandler.is_enabled():
        faulthandler.enable(STANDARD_ERROR)
    # What the process ignores, as a shell's background job does Ctrl-C, it goes on ignoring.
    heard = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in (*heard, signal.SIGALRM)}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _waiting.clear()
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: set by no Python code


def raise_waiting() -> None:
    """Raises what waits, if anything does. For code that UNSAFE calls between two steps of its work, not amid one."""
    if _waiting and threading.current_thread() is threading.main_thread():
        kind = _waiting[0]
        _waiting.clear()
        raise kind


def _is_unsafe(frame: FrameType | None) -> bool:
    """Whether code of UNSAFE runs, or waits for what it has called."""
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] in UNSAFE:
            return True
        frame = frame.f_back
    return False
