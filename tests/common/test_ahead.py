"""Items that a thread makes ahead of their use: all of them, in order, and nothing left running."""

import threading
import time

import pytest

from clgan_tf.common.ahead import ahead


def test_all_items_come_in_order():
    assert list(ahead(iter(range(1000)))) == list(range(1000))
    assert list(ahead(iter([None, None]))) == [None, None]
    assert list(ahead(iter([]))) == []


def test_the_next_item_is_made_while_one_is_used():
    made = []

    def items():
        for number in range(3):
            made.append(number)
            yield number

    for number in ahead(items()):
        until = time.monotonic() + 5
        while len(made) < min(3, number + 2) and time.monotonic() < until:
            time.sleep(0.001)
        assert len(made) >= min(3, number + 2)


def test_what_making_them_raises_is_raised_after_the_items_before_it():
    def items():
        yield 1
        raise KeyError("here")

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(KeyError, match="here"):
        next(found)


def test_where_the_rest_is_not_wanted_the_items_are_closed_and_the_thread_ends():
    is_closed = threading.Event()

    def items():
        try:
            while True:
                yield 1
        finally:
            is_closed.set()

    before = threading.active_count()
    found = ahead(items())
    assert next(found) == 1
    found.close()
    assert is_closed.is_set()
    assert threading.active_count() == before


def test_who_stops_does_not_wait_for_what_is_being_made():
    goes_on = threading.Event()

    def items():
        yield 1
        goes_on.wait(30)
        yield 2

    found = ahead(items())
    assert next(found) == 1
    began = time.monotonic()
    found.close()
    assert time.monotonic() - began < 5
    goes_on.set()
