"""What is needed next is made while what was made last is used: one thread ahead of another."""

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

Item = TypeVar("Item")
PATIENCE = 0.1  # seconds after which a thread looks whether anyone still wants what it makes


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yields the items, which a thread of its own makes: one waits here while the next is made.

    It pays where both sides leave Python for long, as NumPy and TensorFlow do. What making them raises is raised here;
    when this ends before them, they are closed.
    """
    made: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(1)
    is_over = threading.Event()

    def handed_over(item: Item | None, error: BaseException | None) -> bool:
        while not is_over.is_set():
            with suppress(queue.Full):
                made.put((item, error), timeout=PATIENCE)
                return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not handed_over(item, None):
                    break
        except BaseException as error:  # raised again on the other side
            handed_over(None, error)
        else:
            handed_over(None, StopIteration())
        finally:
            if close := getattr(items, "close", None):
                close()

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        is_over.set()
        thread.join(timeout=10 * PATIENCE)  # Whoever presses Ctrl-C does not wait for what is being made.
