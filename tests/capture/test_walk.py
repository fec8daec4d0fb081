import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from clgan_tf.capture import pcap, walk
from clgan_tf.capture.block import MAX_PACKET_BYTES


def plain(buffer: bytes, begin: int, stop: int, order: str) -> tuple[list[int], int]:
    """One record after another."""
    starts, at = [], begin
    while at + 16 <= stop:
        (captured,) = struct.unpack_from(order + "I", buffer, at + 8)
        if captured > MAX_PACKET_BYTES or at + 16 + captured > stop:
            break
        starts.append(at)
        at += 16 + captured
    return starts, at


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_it_finds_what_a_plain_walk_finds(data):
    """Payloads hold look-alikes of record headers; times may jump and lengths may be absurd."""
    order = data.draw(st.sampled_from("<>"))
    second = data.draw(st.integers(0, 2**32 - 1))
    record = bytearray(16)
    for _ in range(data.draw(st.integers(0, 60))):
        second = data.draw(st.sampled_from([second, second, second, (second + 70000) % 2**32]))
        size = data.draw(st.integers(0, 80))
        header = struct.pack(order + "IIII", second, 0, size, size)
        body = (header * 6)[:size] if data.draw(st.booleans()) else bytes(size)
        if data.draw(st.integers(0, 30)) == 0:
            header = struct.pack(
                order + "IIII", second, 0, data.draw(st.sampled_from([MAX_PACKET_BYTES + 1, 2**31, 290])), size
            )
        record += header + body
    stop = len(record) - data.draw(st.integers(0, min(40, len(record) - 16)))
    buffer = record + bytes(64)
    segment = walk.SEGMENT
    try:
        walk.SEGMENT = data.draw(st.integers(20, 200))
        starts, at = walk.record_starts(buffer, 16, stop, pcap.Records(order))
    finally:
        walk.SEGMENT = segment
    expected, end = plain(buffer, 16, stop, order)
    assert starts.tolist() == expected[: len(starts)]
    assert at == (expected[len(starts)] if len(starts) < len(expected) else end)


def test_its_cost_is_bounded_by_the_bytes_whatever_they_say(monkeypatch):
    """Empty records behind a guess that has no end would make one chain as long as the buffer."""
    turns = []
    gather = pcap.gather
    monkeypatch.setattr(pcap, "gather", lambda *given: turns.append(1) or gather(*given))
    buffer = bytearray((1 << 20) + 64)
    starts, at = walk.record_starts(buffer, 0, 1 << 20, pcap.Records("<"))
    assert len(turns) <= walk.SEGMENT // walk.LEAST_RECORD
    assert starts.tolist() == list(range(0, at, 16))
    assert len(starts) >= walk.SEGMENT // walk.LEAST_RECORD
