"""A stream that is read as it comes: what leaves when, and how it ends."""

import os
import threading
import time
from collections.abc import Iterator

import pytest

from clgan_tf import capture
from clgan_tf.capture import Live, SessionRules
from clgan_tf.capture.live import GRACE_SECONDS
from tests import packets as p

SOON = 2.0  # seconds: a row is to come within them


class Stream:
    """What leaves a pipe of packets, as (source port, packets, bytes), while a thread reads it."""

    def __init__(self, file_format: str) -> None:
        self.source, self._target = os.pipe()
        self.live, self.rows, self.parts = Live(), [], []
        self.write_packet = {"pcap": self._record, "pcapng": self._block}[file_format]
        self.write(p.pcap([], 101) if file_format == "pcap" else p.section() + p.interface(101))
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        rules = SessionRules(idle_timeout=1)
        for part in capture.stream(f"/dev/fd/{self.source}", "l7", rules=rules, live=self.live):
            self.parts.append(part)
            self.rows += [
                (part.endpoints(row)[1], int(part.packets[row]), int(part.num_bytes[row])) for row in range(len(part))
            ]

    def write(self, data: bytes) -> None:
        os.write(self._target, data)

    def _record(self, port: int, size: int, age: int = 0) -> None:
        self.write(p.pcap([p.ipv4(p.udp(bytes([1]) * size, port))], 101, start=int(time.time()) - age)[24:])

    def _block(self, port: int, size: int, age: int = 0) -> None:
        self.write(p.enhanced(p.ipv4(p.udp(bytes([1]) * size, port)), time=int((time.time() - age) * 1e6)))

    def close(self) -> None:
        os.close(self._target)

    def wait_for(self, rows: list[tuple[int, int, int]]) -> None:
        until = time.monotonic() + SOON
        while self.rows != rows and time.monotonic() < until:
            time.sleep(0.02)
        assert self.rows == rows

    def end(self) -> None:
        self.thread.join(SOON)
        assert not self.thread.is_alive()


@pytest.fixture(params=["pcap", "pcapng"])
def stream(request: pytest.FixtureRequest) -> Iterator[Stream]:
    made = Stream(request.param)
    yield made
    made.live.stop()
    made.thread.join(SOON)
    os.close(made.source)


def test_a_session_leaves_once_when_its_bytes_are_there(stream):
    stream.write_packet(1000, 500)
    time.sleep(0.5)
    assert stream.rows == []
    stream.write_packet(1000, 500)
    stream.wait_for([(1000, 2, 1000)])
    stream.write_packet(1000, 500)
    stream.close()
    stream.end()
    assert stream.rows == [(1000, 2, 1000)]
    assert [part.ended[0].packets for part in stream.parts if part.ended] == [3]
    assert stream.parts[-1].drops == {}


def test_a_session_leaves_when_it_is_idle_though_nothing_follows(stream):
    stream.write_packet(1000, 9)
    time.sleep(0.5)
    assert stream.rows == []
    stream.wait_for([(1000, 1, 9)])
    stream.write_packet(1000, 7)
    stream.wait_for([(1000, 1, 9), (1000, 1, 7)])
    stream.close()


def test_a_packet_with_an_old_time_does_not_keep_others_from_leaving(stream):
    stream.write_packet(1000, 9)
    until = time.monotonic() + 1 + SOON
    while (1000, 1, 9) not in stream.rows and time.monotonic() < until:
        stream.write_packet(2000, 1, 3600)
        time.sleep(0.15)
    assert (1000, 1, 9) in stream.rows
    stream.close()


def test_the_end_of_the_pipe_gives_what_is_left(stream):
    stream.write_packet(1000, 9)
    stream.write_packet(1001, 9)
    stream.close()
    stream.end()
    assert stream.rows == [(1000, 1, 9), (1001, 1, 9)]


def test_stop_gives_what_was_captured_without_waiting_for_the_end(stream):
    """A program that captures may hand on some more, and a part of a packet."""
    stream.write_packet(1000, 9)
    stream.live.stop()
    stream.write_packet(1001, 9)
    stream.write(bytes(7))
    stream.end()
    assert stream.rows == [(1000, 1, 9), (1001, 1, 9)]
    assert not stream.parts[-1].ended[0].warnings
    stream.close()


def test_stop_ends_the_wait_for_a_first_byte():
    source, target = os.pipe()
    live = Live()
    threading.Timer(0.3, live.stop).start()
    begun = time.monotonic()
    parts = list(capture.stream(f"/dev/fd/{source}", live=live))
    assert time.monotonic() - begun < 0.3 + SOON
    assert [part.ended[0].packets for part in parts] == [0]
    os.close(source)
    os.close(target)


def test_an_hour_without_traffic_is_no_error(stream):
    stream.live.stop()
    stream.end()
    assert [part.ended[0].packets for part in stream.parts] == [0]
    stream.close()


def test_stop_ends_a_stream_that_never_rests(stream):
    threading.Timer(0.3, stream.live.stop).start()
    begun = time.monotonic()
    ports = iter(range(1000, 60000))
    while stream.thread.is_alive():
        stream.write_packet(next(ports), 9)
        time.sleep(0.001)
    assert time.monotonic() - begun < 0.3 + GRACE_SECONDS + SOON
    assert len(stream.rows) > 100
    stream.close()
