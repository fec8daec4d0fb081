"""Ctrl-C and SIGTERM: raised at once, but after the trace of a function that they come in."""

import os
import signal
import time
from collections.abc import Callable

import pytest
import tensorflow as tf

from clgan_tf.common.interruption import Terminated, raised_when_safe

BOTH = pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])


@pytest.fixture(autouse=True)
def heard():
    """A shell starts background jobs, this suite perhaps among them, with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def handlers() -> list:
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]


def stopped_by(work: Callable[[], None]) -> type[BaseException] | None:
    """What ended the work."""
    try:
        with raised_when_safe():
            work()
    except KeyboardInterrupt as stop:
        return type(stop)
    return None


@BOTH
def test_outside_of_a_trace_it_is_raised_at_once_and_the_handlers_are_put_back(number, raised):
    before, reached = handlers(), []

    def work() -> None:
        os.kill(os.getpid(), number)
        time.sleep(1)
        reached.append("the end")

    assert (stopped_by(work), reached) == (raised, [])
    assert handlers() == before


@BOTH
def test_in_a_trace_it_waits_for_its_end(number, raised):
    reached = []

    @tf.function
    def traced(value: tf.Tensor) -> tf.Tensor:
        os.kill(os.getpid(), number)
        time.sleep(0.2)  # The handler runs, and is asked again.
        reached.append("the end of the trace")
        return value + 1

    def work() -> None:
        traced(tf.constant(1))
        time.sleep(5)
        reached.append("the end")

    assert (stopped_by(work), reached) == (raised, ["the end of the trace"])


def test_what_the_process_ignores_it_goes_on_ignoring():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with raised_when_safe():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
