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
    assert (starts.tolist(), at) == plain(buffer, 16, stop, order)


def test_behind_a_wrong_guess_few_records_are_read_one_by_one(monkeypatch):
    """A capture of captures: where a segment begins inside one, what looks like a record leads nowhere."""
    inner = struct.pack("<IIII", 1_600_000_000, 0, 40, 40) + bytes(40)
    carried = inner * (walk.SEGMENT // len(inner) + 4)
    plain_record = struct.pack("<IIII", 1_600_000_000, 0, 84, 84) + bytes([7]) * 84
    some = plain_record * (2 * walk.SEGMENT // len(plain_record))
    records = some + struct.pack("<IIII", 1_600_000_000, 0, len(carried), len(carried)) + carried + some * 20
    buffer, alone = bytearray(records + bytes(64)), []
    read = pcap.Records.next
    monkeypatch.setattr(pcap.Records, "next", lambda *given: alone.append(1) or read(*given))
    starts, at = walk.record_starts(buffer, 0, len(records), pcap.Records("<"))
    assert (starts.tolist(), at) == plain(buffer, 0, len(records), "<")
    assert 0 < len(alone) < 2 * walk.SEGMENT // len(plain_record)


def test_its_cost_is_bounded_by_the_bytes_whatever_they_say(monkeypatch):
    """Empty records behind a guess that has no end would make one chain as long as the buffer."""
    turns = []
    gather = pcap.gather
    monkeypatch.setattr(pcap, "gather", lambda *given: turns.append(1) or gather(*given))
    buffer = bytearray((1 << 20) + 64)
    starts, at = walk.record_starts(buffer, 0, 1 << 20, pcap.Records("<"))
    assert len(turns) <= walk.SEGMENT // walk.LEAST_RECORD
    assert starts.tolist() == list(range(0, 1 << 20, 16))
    assert at == 1 << 20
