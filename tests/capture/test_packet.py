import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clgan_tf.capture import reasons as r
from clgan_tf.capture.packet import Fragment, Segment, decode
from tests import packets as p

UDP4 = p.ipv4(p.udp(b"hello"))
TCP6 = p.ipv6(p.tcp(b"hello"))


def payload(link_type: int, frame: bytes) -> bytes:
    segment = decode(link_type, frame)
    assert isinstance(segment, Segment), segment
    return frame[segment.payload : segment.end]


def test_fields_of_a_segment():
    frame = p.ethernet(p.ipv4(p.tcp(b"abc", 1234, 443, opts=b"\x01" * 4, off=6)))
    assert decode(1, frame) == Segment(6, p.CLIENT, 1234, p.SERVER, 443, 14, 34, 58, 61)


def test_ipv4_total_length_of_zero_means_to_the_end_of_the_frame():
    assert payload(1, p.ethernet(p.ipv4(p.tcp(b"offloaded"), total=0))) == b"offloaded"


def test_ipv6_extension_headers_are_walked():
    hop_by_hop = b"\x3c\x00" + bytes(6)
    destination_options = b"\x06\x01" + bytes(14)
    assert payload(101, p.ipv6(p.tcp(b"hello"), extension=hop_by_hop + destination_options)) == b"hello"


def gre(flags: int, ethertype: int, inside: bytes, fields: bytes = b"") -> bytes:
    return tunnel4(47, struct.pack(">HH", flags, ethertype) + fields + inside)


def tunnel4(protocol: int, inside: bytes) -> bytes:
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(inside), 0, 0, 64, protocol, 0)
    return header + p.CLIENT + p.SERVER + inside


@pytest.mark.parametrize(
    ("link_type", "frame", "reason"),
    [
        (1, b"\x00\x01\x02\x03", r.TRUNCATED),
        (1, p.ethernet(b"\x00" * 28, 0x0806), r.ARP),
        (1, p.ethernet(b"\x00" * 28, 0x88CC), r.NOT_IP),
        (147, UDP4, r.UNKNOWN_LINK_TYPE),
        (101, p.ipv4(p.udp(bytes(40)), fragment=100)[:40], r.INCOMPLETE_FRAGMENTS),
        (101, p.ipv4(p.udp(bytes(3)), fragment=0x2001), r.MALFORMED),
        (101, UDP4[:9] + b"\x01" + UDP4[10:], r.NOT_TCP_OR_UDP),
        (101, b"\x43" + UDP4[1:], r.MALFORMED),
        (101, UDP4[:23], r.TRUNCATED),
        (101, tunnel4(47, bytes(4)), r.TUNNEL),
        (101, p.ipv4(p.tcp(off=15)), r.MALFORMED),
        (101, UDP4[:12], r.TRUNCATED),
        (101, p.ipv4(p.tcp(off=3)), r.MALFORMED),
        (101, p.ipv4(p.udp(), total=24), r.MALFORMED),
    ],
)
def test_what_is_not_used_has_its_reason(link_type, frame, reason):
    assert decode(link_type, frame) == reason


def in_udp(port: int, payload: bytes) -> bytes:
    return p.ipv4(p.udp(payload, 50000, port))


INSIDE = {
    "IP in IP": tunnel4(4, p.ipv4(p.tcp(b"deep"))),
    "6in4": tunnel4(41, p.ipv6(p.tcp(b"deep"))),
    "GRE": gre(0, 0x0800, p.ipv4(p.tcp(b"deep"))),
    "GRE with checksum, key and number": gre(0xB000, 0x86DD, p.ipv6(p.tcp(b"deep")), bytes(12)),
    "GRE bridge": gre(0, 0x6558, p.ethernet(p.ipv4(p.tcp(b"deep")), tags=b"\x81\x00\x00\x05")),
    "PPTP": gre(0x3081, 0x880B, b"\xff\x03\x00\x21" + p.ipv4(p.tcp(b"deep")), bytes(12)),
    "VXLAN": in_udp(4789, b"\x08" + bytes(7) + p.ethernet(p.ipv4(p.tcp(b"deep")))),
    "GTP-U": in_udp(2152, b"\x30\xff" + bytes(6) + p.ipv4(p.tcp(b"deep"))),
    "GTP-U with extension": in_udp(
        2152, b"\x34\xff" + bytes(6) + b"\0\0\0\x85" + b"\x01\0\0\0" + p.ipv4(p.tcp(b"deep"))
    ),
    "Teredo": in_udp(3544, p.ipv6(p.tcp(b"deep"))),
    "Teredo with both indications": in_udp(3544, b"\x00\x01\x00\x00" + bytes(9) + bytes(8) + p.ipv6(p.tcp(b"deep"))),
    "ERSPAN I": gre(0, 0x88BE, p.ethernet(p.ipv4(p.tcp(b"deep")))),
    "ERSPAN II": gre(0x1000, 0x88BE, p.ethernet(p.ipv4(p.tcp(b"deep"))), bytes(4) + b"\x10" + bytes(7)),
    "ERSPAN III": gre(0x1000, 0x22EB, p.ethernet(p.ipv4(p.tcp(b"deep"))), bytes(4) + b"\x20" + bytes(11)),
    "ERSPAN III with a platform's header": gre(
        0x1000, 0x22EB, p.ethernet(p.ipv4(p.tcp(b"deep"))), bytes(4) + b"\x20" + bytes(10) + b"\x01" + bytes(8)
    ),
    "GRE with MPLS": gre(0, 0x8847, p.ipv4(p.tcp(b"deep")), b"\x00\x01\x01\x40"),
    "VXLAN with a group policy": in_udp(4789, b"\x88\x00\x00\x10" + bytes(4) + p.ethernet(p.ipv4(p.tcp(b"deep")))),
    "VXLAN-GPE": in_udp(4790, b"\x0c\x00\x00\x03" + bytes(4) + p.ethernet(p.ipv4(p.tcp(b"deep")))),
    "VXLAN-GPE with IPv6": in_udp(4790, b"\x0c\x00\x00\x02" + bytes(4) + p.ipv6(p.tcp(b"deep"))),
    "Geneve": in_udp(6081, b"\x00\x00\x65\x58" + bytes(4) + p.ethernet(p.ipv4(p.tcp(b"deep")))),
    "Geneve with options": in_udp(6081, b"\x02\x00\x08\x00" + bytes(12) + p.ipv4(p.tcp(b"deep"))),
    "two tunnels": tunnel4(4, gre(0, 0x0800, p.ipv4(p.tcp(b"deep")))),
}


@pytest.mark.parametrize("packet", INSIDE.values(), ids=INSIDE)
def test_a_tunnel_is_entered_only_if_asked_for(packet):
    frame = p.ethernet(packet)
    segment = decode(1, frame, inner=True)
    assert isinstance(segment, Segment)
    assert frame[segment.payload : segment.end] == b"deep"
    outer = decode(1, frame)
    assert outer == r.TUNNEL or (isinstance(outer, Segment) and frame[outer.payload : outer.end] != b"deep")


@pytest.mark.parametrize(
    ("port", "data"),
    [
        (4789, b"\x08 no frame"),
        (6081, b"\0\0\x65\x58 no frame"),
        (4790, b"\x0c\0\0\x09 other"),
        (2152, b"\x32\x01 echo"),
        (3544, b"`short"),
    ],
)
def test_what_only_looks_like_a_tunnel_stays_the_outer_session(port, data):
    frame = in_udp(port, data)
    assert decode(101, frame, inner=True) == decode(101, frame)


def test_endless_tunnels_end():
    packet = p.ipv4(p.udp(b"core"))
    for _ in range(3000):
        packet = tunnel4(4, packet) if len(packet) < 60000 else packet
    assert decode(101, packet, inner=True) == r.TUNNEL


TCP4 = p.ipv4(p.tcp(b"hello", off=8, opts=b"\x01\x01\x08\x0a" + bytes(8)))
TCP6 = p.ipv6(p.tcp(b"hello", off=8, opts=b"\x01\x01\x08\x0a" + bytes(8)))


@pytest.mark.parametrize("captured", [24, 33, 34, 39, 40, 51])
@pytest.mark.parametrize(("packet", "network"), [(TCP4, 20), (TCP6, 40)])
def test_a_header_cut_in_capturing_still_says_whose_it_is(packet, network, captured):
    """A snapshot length of 64 or 68 cuts TCP's options, and with IPv6 more of its header."""
    frame = packet[: captured - 20 + network]
    segment = decode(101, frame)
    assert isinstance(segment, Segment)
    assert (segment.source_port, segment.destination_port) == (40000, 443)
    assert segment.payload == segment.end == len(frame)


def test_a_first_fragment_that_was_cut_in_capturing_still_says_whose_it_is():
    first = p.ipv4_fragments(bytes(p.udp(bytes(100))), 64)[0]
    assert isinstance(decode(101, first), Fragment)
    assert isinstance(decode(101, first[:60]), Segment)


LINK_TYPES = [0, 1, 6, 8, 9, 10, 12, 14, 50, 51, 100, 101, 104, 105, 107, 108, 109, 113, 117, 119, 127, 138]
LINK_TYPES += [163, 166, 192, 204, 226, 228, 229, 239, 258, 276, 999]


@given(
    link_type=st.sampled_from(LINK_TYPES),
    frame=st.binary(max_size=120),
    inner=st.booleans(),
)
def test_any_bytes_give_a_segment_inside_the_frame_or_a_fragment_or_a_reason(link_type, frame, inner):
    segment = decode(link_type, frame, inner)
    if isinstance(segment, Segment):
        assert 0 <= segment.network < segment.transport < segment.payload <= segment.end <= len(frame)
        assert segment.transport + 4 <= segment.end
    elif isinstance(segment, Fragment):
        assert 0 <= segment.network < segment.data < segment.end <= len(frame)
    else:
        assert segment in r.REASONS
