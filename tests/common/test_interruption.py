"""Ctrl-C and SIGTERM: raised at once, but never where TensorFlow, Keras or a weak reference calls Python."""

import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from clgan_tf.common.interruption import Terminated, raised_when_safe
from clgan_tf.training.callbacks import Progress, Stoppable

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
def test_outside_of_them_it_is_raised_at_once_and_the_handlers_are_put_back(number, raised):
    before, reached = handlers(), []

    def work() -> None:
        os.kill(os.getpid(), number)
        time.sleep(1)
        reached.append("the end")

    assert (stopped_by(work), reached) == (raised, [])
    assert handlers() == before


@BOTH
@pytest.mark.parametrize("lifted", [False, True], ids=["", "lifted out of the graph"])
def test_in_a_trace_it_waits_for_its_end(number, raised, lifted):
    """Keras makes an optimizer's variables lifted out of the graph that is being traced."""
    reached = []

    def interrupted() -> None:
        os.kill(os.getpid(), number)
        time.sleep(0.2)  # The handler runs, and is asked again.
        reached.append("the end of the trace")

    @tf.function
    def traced(value: tf.Tensor) -> tf.Tensor:
        if lifted:
            with tf.init_scope():
                interrupted()
        else:
            interrupted()
        return value + 1

    def work() -> None:
        traced(tf.constant(1))
        time.sleep(5)
        reached.append("the end")

    assert (stopped_by(work), reached) == (raised, ["the end of the trace"])


@BOTH
def test_what_a_weak_reference_calls_does_not_lose_it(number, raised):
    """Python prints what such a callback raises, and goes on."""
    reached = []

    class Key:
        """Something that can be referred to weakly, and compared."""

        def __eq__(self, other: object) -> bool:
            os.kill(os.getpid(), number)
            time.sleep(0.1)
            return self is other

        def __hash__(self) -> int:
            return 1

    def work() -> None:
        table = weakref.WeakKeyDictionary()
        key = Key()
        table[key] = 1
        _ = Key() in table
        reached.append("after the look")
        time.sleep(1)
        reached.append("the end")

    assert (stopped_by(work), reached) == (raised, ["after the look"])


@BOTH
@pytest.mark.parametrize("watcher", [lambda: Progress("Training", 4, 50, 1), Stoppable], ids=["a bar", "none"])
def test_a_training_ends_between_two_steps(number, raised, watcher):
    """All time is Keras's: no retry would find the program elsewhere."""
    steps = []

    class Interrupter(keras.callbacks.Callback):
        """Ctrl-C in the third step."""

        def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
            steps.append(batch)
            if batch == 2:
                os.kill(os.getpid(), number)

    def work() -> None:
        network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        network.compile("sgd", "mse")
        rows = tf.data.Dataset.from_tensors((np.ones((4, 3)), np.ones((4, 1)))).repeat()
        network.fit(rows, steps_per_epoch=50, verbose=0, shuffle=False, callbacks=[Interrupter(), watcher()])

    assert (stopped_by(work), steps) == (raised, [0, 1, 2])


def test_signals_amid_what_a_network_computes_leave_the_heap_whole():
    """Some hundreds are enough, where they share the stack of TensorFlow's kernels, to end the process with SIGABRT."""
    program = """
import os, signal, threading, time
import numpy as np
from clgan_tf.common.interruption import raised_when_safe
from clgan_tf.common.quiet import import_tensorflow
import_tensorflow()
from clgan_tf.models.discriminator import build_discriminator

def send():
    while True:
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.001)

heard = []
with raised_when_safe():
    signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    network, images = build_discriminator(12), np.ones((32, 28, 28, 1), np.float32)
    threading.Thread(target=send, daemon=True).start()
    end = time.monotonic() + 8
    while time.monotonic() < end:
        network(images)
print(len(heard))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


def test_what_the_process_ignores_it_goes_on_ignoring():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with raised_when_safe():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
