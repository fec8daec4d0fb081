import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clgan_tf.capture import decode as d
from clgan_tf.capture.decode import Segment, decode
from tests import packets as p

UDP4 = p.ipv4(p.udp(b"hello"))
TCP6 = p.ipv6(p.tcp(b"hello"))


def payload(link_type: int, frame: bytes) -> bytes:
    segment = decode(link_type, frame)
    assert isinstance(segment, Segment), segment
    return frame[segment.payload : segment.end]


VLAN = b"\x81\x00\x00\x05"
QINQ = b"\x88\xa8\x00\x01" + VLAN


@pytest.mark.parametrize("packet", [UDP4, TCP6])
@pytest.mark.parametrize(
    ("link_type", "wrap"),
    [
        (1, p.ethernet),
        (1, lambda packet: p.ethernet(packet, tags=VLAN)),
        (1, lambda packet: p.ethernet(packet, tags=QINQ)),
        (1, lambda packet: p.ethernet(struct.pack(">II", 0x00064040, 0x00065140) + packet, 0x8847)),
        (1, lambda packet: p.ethernet(b"\x11\x00\x00\x01\x00\x00" + p_ppp(packet), 0x8864)),
        (1, lambda packet: p.ethernet(packet) + b"trailer"),
        (0, lambda packet: b"\x02\x00\x00\x00" + packet),
        (108, lambda packet: b"\x00\x00\x00\x1e" + packet),
        (9, lambda packet: b"\xff\x03" + p_ppp(packet)),
        (12, bytes),
        (101, bytes),
        (228, bytes),
        (229, bytes),
        (113, lambda packet: bytes(14) + ethertype(packet) + packet),
        (276, lambda packet: ethertype(packet) + bytes(18) + packet),
    ],
)
def test_every_link_type_leads_to_the_payload(link_type, wrap, packet):
    assert payload(link_type, wrap(packet)) == b"hello"


def ethertype(packet: bytes) -> bytes:
    return b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"


def p_ppp(packet: bytes) -> bytes:
    return (b"\x00\x21" if packet[0] >> 4 == 4 else b"\x00\x57") + packet


def test_fields_of_a_segment():
    frame = p.ethernet(p.ipv4(p.tcp(b"abc", 1234, 443, opts=b"\x01" * 4, off=6)))
    assert decode(1, frame) == Segment(6, p.CLIENT, 1234, p.SERVER, 443, 14, 34, 58, 61)


def test_ipv4_total_length_of_zero_means_to_the_end_of_the_frame():
    assert payload(1, p.ethernet(p.ipv4(p.tcp(b"offloaded"), total=0))) == b"offloaded"


def test_ipv6_extension_headers_are_walked():
    hop_by_hop = b"\x3c\x00" + bytes(6)
    destination_options = b"\x06\x01" + bytes(14)
    assert payload(101, p.ipv6(p.tcp(b"hello"), extension=hop_by_hop + destination_options)) == b"hello"


@pytest.mark.parametrize(
    ("link_type", "frame", "reason"),
    [
        (1, b"\x00\x01\x02\x03", d.TRUNCATED),
        (1, p.ethernet(b"\x00" * 28, 0x0806), d.ARP),
        (1, p.ethernet(b"\x00" * 28, 0x88CC), d.NOT_IP),
        (147, UDP4, d.UNKNOWN_LINK_TYPE),
        (101, p.ipv4(p.udp(), fragment=100), d.LATER_FRAGMENT),
        (101, p.ipv6(p.udp(), extension=b"\x2c\x00" + bytes(6) + b"\x11\x00\x00\x50" + bytes(4)), d.LATER_FRAGMENT),
        (101, UDP4[:9] + b"\x01" + UDP4[10:], d.NOT_TCP_OR_UDP),
        (101, b"\x43" + UDP4[1:], d.MALFORMED),
        (101, UDP4[:24], d.TRUNCATED),
        (101, UDP4[:12], d.TRUNCATED),
        (101, p.ipv4(p.tcp(off=3)), d.MALFORMED),
        (101, p.ipv4(p.udp(), total=24), d.MALFORMED),
    ],
)
def test_what_is_not_used_has_its_reason(link_type, frame, reason):
    assert decode(link_type, frame) == reason


@given(link_type=st.sampled_from([0, 1, 9, 12, 101, 108, 113, 228, 276, 999]), frame=st.binary(max_size=120))
def test_any_bytes_give_a_segment_inside_the_frame_or_a_reason(link_type, frame):
    segment = decode(link_type, frame)
    if isinstance(segment, Segment):
        assert 0 <= segment.network < segment.transport < segment.payload <= segment.end <= len(frame)
    else:
        assert segment in {
            d.ARP, d.NOT_IP, d.NOT_TCP_OR_UDP, d.LATER_FRAGMENT, d.MALFORMED, d.TRUNCATED, d.UNKNOWN_LINK_TYPE,
        }  # fmt: skip
