"""The fast path over whole blocks against the exact decoder, packet by packet."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clgan_tf.capture.block import MARGIN, Block
from clgan_tf.capture.packet import Fragment, Segment, decode
from clgan_tf.capture.packet_block import Decoder
from clgan_tf.capture.reader import Reader
from tests import packets as p

PACKETS = [
    p.ipv4(p.udp(b"hello")),
    p.ipv4(p.tcp(b"hello", opts=b"\x01" * 8, off=7)),
    p.ipv4(p.tcp(b"offloaded"), total=0),
    p.ipv4(p.udp(b"late"), fragment=9),
    p.ipv6(p.tcp(b"six")),
    p.ipv6(p.udp(b"extended"), extension=b"\x11\x00" + bytes(6)),
    p.ipv4(p.udp(b"\x30\xff" + bytes(6) + p.ipv4(p.tcp(b"inside")), 2152, 2152)),
    *p.ipv4_fragments(bytes(p.udp(b"two pieces of one datagram")), 16),
]


def other_protocol(number: int, version: int = 4) -> bytes:
    packet = bytearray(p.ipv4(p.udp(bytes(8))) if version == 4 else p.ipv6(p.udp(bytes(8))))
    packet[9 if version == 4 else 6] = number
    return bytes(packet)


PACKETS += [other_protocol(number) for number in (1, 4, 41, 47, 50)]
PACKETS += [other_protocol(number, 6) for number in (58, 0, 44, 51, 47, 59)]
FRAMES = [
    wrap
    for packet in PACKETS
    for wrap in (
        packet,
        p.ethernet(packet),
        p.ethernet(packet, tags=b"\x81\x00\x00\x05"),
        p.ethernet(packet, tags=b"\x88\xa8\x00\x01\x81\x00\x00\x05"),
        p.ethernet(packet, tags=b"\x88\xa8\x00\x01\x81\x00\x00\x05\x81\x00\x00\x06"),
        p.ethernet(packet) + b"trailer",
    )
]
FRAMES += [
    p.ethernet(bytes(40), ethertype) for ethertype in (0x0806, 0x88CC, 0x0026, 0x05DC, 0x05DD, 0x8100, 0x8847, 0x8864)
]
FRAMES += [
    p.ethernet(bytes(40), 0x0806, tags=b"\x81\x00\x00\x05"),
    p.ethernet(b"", 0x0806),
    p.ethernet(bytes(9), 0x88CC),
]


def block_of(frames: list[bytes], link_types: list[int]) -> Block:
    buffer, starts = bytearray(), []
    for frame in frames:
        buffer += bytes(16)
        starts.append(len(buffer))
        buffer += frame
    numbers = np.zeros(len(frames), np.int64)
    lengths = np.array([len(frame) for frame in frames])
    return Block(buffer + bytes(MARGIN), np.array(starts), lengths, lengths, numbers, np.array(link_types))


def compare(block: Block, inner: bool = False) -> None:
    decoder = Decoder(inner)
    expected = [decode(int(block.link_type[row]), block.frame(row), inner) for row in range(len(block))]
    block, found = decoder.decode(block)
    decoder.finish()
    assert int(found.packets.sum()) + sum(decoder.drops.values()) == len(block)
    reassembled = {row for row in found.rows.tolist() if isinstance(expected[row], Fragment)}
    rows = [row for row, segment in enumerate(expected) if isinstance(segment, Segment) or row in reassembled]
    assert found.rows.tolist() == rows
    reasons = Counter(reason for reason in expected if isinstance(reason, str))
    assert all(decoder.drops[reason] >= count for reason, count in reasons.items())
    for index, row in enumerate(found.rows):
        segment = expected[row]
        if row in reassembled:
            continue
        offsets = [
            getattr(found, name)[index] - block.start[row] for name in ("network", "transport", "payload", "end")
        ]
        assert offsets == [segment.network, segment.transport, segment.payload, segment.end]
        size = len(segment.source)
        for points, address, port in (
            (found.source, segment.source, segment.source_port),
            (found.destination, segment.destination, segment.destination_port),
        ):
            assert points[index, :2].astype(">u8").tobytes()[16 - size :] == address
            assert points[index, 2] == port
        assert (found.protocol[index], found.version[index]) == (segment.protocol, 4 if size == 4 else 6)


link_types = st.sampled_from([1, 12, 14, 101, 228, 0, 108, 113, 276, 9])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_fast_path_agrees_with_the_decoder_on_any_change_and_cut(data):
    frames, links = [], []
    for _ in range(data.draw(st.integers(1, 5))):
        frame = bytearray(data.draw(st.sampled_from(FRAMES)))
        for _ in range(data.draw(st.integers(0, 3))):
            frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
        frames.append(bytes(frame[: data.draw(st.integers(0, len(frame)))] if data.draw(st.booleans()) else frame))
        links.append(data.draw(link_types))
    compare(block_of(frames, links), data.draw(st.booleans()))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=90), link_types), min_size=1, max_size=6))
def test_the_fast_path_agrees_with_the_decoder_on_any_bytes(rows):
    compare(block_of(*map(list, zip(*rows, strict=True))))


def test_it_agrees_on_every_published_capture(published):
    for path in sorted((published / "captures").rglob("*.*cap*")):
        for block in Reader(path, strict=False):
            for inner in (False, True):
                compare(block, inner)
