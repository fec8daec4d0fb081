import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clgan_tf import capture
from clgan_tf.capture import fragments, window
from clgan_tf.capture.fragments import Reassembler
from clgan_tf.capture.packet import Fragment, decode
from tests import packets as p

DATA = bytes(p.udp(random.Random(0).randbytes(300)))
PARTS4 = p.ipv4_fragments(DATA, 64)
PARTS6 = p.ipv6_fragments(DATA, 64)
WHOLE4 = p.ipv4_fragments(DATA, 512)[0]
WHOLE6 = p.ipv6(p.udp(DATA[8:]))


def load(tmp_path, frames, representation="l7", link_type=101, **options):
    return capture.load(p.write(tmp_path / "a.pcap", p.pcap(frames, link_type)), representation, **options)


@pytest.mark.parametrize(("parts", "whole"), [(PARTS4, WHOLE4), (PARTS6, WHOLE6)])
@pytest.mark.parametrize("representation", ["l7", "masked", "packets"])
def test_a_reassembled_datagram_is_as_if_it_had_never_been_cut(tmp_path, parts, whole, representation):
    expected = load(tmp_path, [whole], representation)
    for seed in range(5):
        shuffled = random.Random(seed).sample(parts, len(parts))
        found = load(tmp_path, shuffled, representation)
        assert np.array_equal(found.images, expected.images)
        assert np.array_equal(found.key, expected.key)
        assert found.packets.tolist() == [len(parts)]
        assert not found.drops


def test_all_layers_holds_the_whole_frame(tmp_path):
    whole = load(tmp_path, [p.ethernet(WHOLE4)], "all_layers", 1).images.reshape(-1)
    found = load(tmp_path, [p.ethernet(part) for part in PARTS4], "all_layers", 1).images.reshape(-1)
    time = slice(24, 32)
    assert np.array_equal(np.delete(found, time), np.delete(whole, time))


def test_other_extension_headers_stay(tmp_path):
    hop_by_hop = b"\x2c\x00" + bytes(6)
    found = load(tmp_path, p.ipv6_fragments(DATA, 64, extension=hop_by_hop))
    assert found.images.reshape(-1)[: len(DATA) - 8].tobytes() == DATA[8:]


def test_a_segment_that_became_whole_takes_its_place_among_the_others(tmp_path, monkeypatch):
    frames = [p.ipv4(p.udp(b"before", 40000, 53)), *PARTS4, p.ipv4(p.udp(b"after", 40000, 53))]
    whole = load(tmp_path, frames)
    assert len(whole) == 1
    assert whole.images.reshape(-1)[:311].tobytes() == b"before" + DATA[8:] + b"after"
    monkeypatch.setattr(window, "CHUNK_BYTES", 50)
    assert np.array_equal(load(tmp_path, frames).images, whole.images)


def test_fragments_inside_and_around_a_tunnel(tmp_path):
    inside = p.ipv4_fragments(bytes(p.udp(b"deep" * 20)), 40, id=1)
    rules = capture.SessionRules("inner")
    for frames in (
        [p.ipv4_fragments(part, 512, protocol=4)[0] for part in inside],
        p.ipv4_fragments(p.ipv4(p.udp(b"deep" * 20)), 64, protocol=4, id=2),
        [part for one in inside for part in p.ipv4_fragments(one, 24, protocol=4, id=len(one) + one[6] + one[7])],
    ):
        found = load(tmp_path, frames, rules=rules)
        assert found.images.reshape(-1)[:80].tobytes() == b"deep" * 20
        assert found.packets.tolist() == [len(frames)]


def test_what_stays_incomplete_or_overlaps_is_counted(tmp_path):
    other = p.ipv4(p.udp(b"x"))
    assert load(tmp_path, [other, *PARTS4[1:]]).drops == {"incomplete_ip_fragments": len(PARTS4) - 1}
    shifted = p.ipv4_fragments(DATA, 48)[1]
    found = load(tmp_path, [other, PARTS4[0], shifted, *PARTS4[1:]])
    assert found.drops == {"overlapping_ip_fragments": 2, "incomplete_ip_fragments": len(PARTS4) - 1}
    again = load(tmp_path, [PARTS4[0], *PARTS4])
    assert again.packets.tolist() == [len(PARTS4) + 1]


def test_a_datagram_is_given_up_after_a_minute(tmp_path):
    other = p.ipv4(p.udp(b"x"))
    frames = [PARTS4[0], *[other] * 61, *PARTS4[1:]]  # a packet a second
    assert load(tmp_path, frames).drops == {"incomplete_ip_fragments": len(PARTS4)}


@pytest.mark.parametrize(("limit", "value"), [("MOST_DATAGRAMS", 8), ("MOST_BYTES", 800)])
def test_what_waits_is_bounded(monkeypatch, limit, value):
    monkeypatch.setattr(fragments, limit, value)
    reassembler = Reassembler()
    for number in range(100):
        frame = p.ipv4_fragments(DATA, 64, id=number)[0]
        assert reassembler.add(fragment(frame), frame, 0) is None
        assert sum(len(part) for held in reassembler._datagrams.values() for part in held.parts) <= 800
    reassembler.finish()
    assert reassembler.drops == {"incomplete_ip_fragments": 100}


def fragment(frame: bytes) -> Fragment:
    found = decode(101, frame)
    assert isinstance(found, Fragment)
    return found


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6), st.booleans()), max_size=25))
def test_any_fragments_are_used_or_counted(rows):
    reassembler, used = Reassembler(), 0
    for number, (place, size, more) in enumerate(rows):
        data = bytes([number]) * (8 * size)
        header = bytes.fromhex("4500") + (20 + len(data)).to_bytes(2, "big") + b"\0\1"
        frame = header + ((0x2000 if more else 0) | place).to_bytes(2, "big") + b"\x40\x11\0\0" + bytes(8) + data
        found = decode(101, frame)
        if isinstance(found, Fragment) and (whole := reassembler.add(found, frame, number)):
            used += whole.packets
            assert int.from_bytes(whole.frame[2:4], "big") == len(whole.frame)
        elif not isinstance(found, Fragment):
            used += 1
    reassembler.finish()
    assert used + sum(reassembler.drops.values()) == len(rows)
    assert reassembler._held == 0


def test_what_comes_before_the_data_counts_as_held(monkeypatch):
    monkeypatch.setattr(fragments, "MOST_BYTES", 10_000)
    reassembler = Reassembler()
    for identity in range(5):
        fragment = Fragment(bytes([identity]), 0, True, 17, 0, 4000, 4008, 9)
        reassembler.add(fragment, bytes(4008), 0)
    assert len(reassembler._datagrams) == 2
    reassembler.finish()
    assert reassembler._held == 0
