import struct

import pytest

from clgan_tf.capture import reasons as r
from clgan_tf.capture.packet import Segment, decode
from tests import packets as p

UDP4 = p.ipv4(p.udp(b"hello"))
TCP6 = p.ipv6(p.tcp(b"hello"))
SNAP = b"\xaa\xaa\x03\x00\x00\x00"


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
        (1, lambda packet: bytes(12) + (len(packet) + 8).to_bytes(2, "big") + SNAP + ethertype(packet) + packet),
        (14, bytes),
        (9, lambda packet: p_ppp(packet)[1:]),
        (50, lambda packet: b"\xff\x03" + p_ppp(packet)),
        (50, lambda packet: b"\x0f\x00" + ethertype(packet) + packet),
        (51, lambda packet: bytes(6) + p_ppp(packet)),
        (104, lambda packet: b"\x0f\x00" + ethertype(packet) + packet),
        (107, lambda packet: b"\x18\x41\x03" + nlpid(packet) + packet),
        (107, lambda packet: b"\x18\x40\x01\x03\x00\x80\x00\x00\x00" + ethertype(packet) + packet),
        (105, lambda packet: wireless(packet)),
        (105, lambda packet: wireless(packet, control=0x88)),
        (105, lambda packet: wireless(packet, control=0x88, flags=0x83)),
        (127, lambda packet: b"\x00\x00\x0c\x00" + bytes(8) + wireless(packet)),
        (192, lambda packet: struct.pack("<BBHI", 0, 0, 8, 1) + p.ethernet(packet)),
        (192, lambda packet: struct.pack("<BBHI", 0, 0, 12, 105) + bytes(4) + wireless(packet)),
    ],
)
def test_every_link_type_leads_to_the_payload(link_type, wrap, packet):
    assert payload(link_type, wrap(packet)) == b"hello"


def ethertype(packet: bytes) -> bytes:
    return b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"


def p_ppp(packet: bytes) -> bytes:
    return (b"\x00\x21" if packet[0] >> 4 == 4 else b"\x00\x57") + packet


def nlpid(packet: bytes) -> bytes:
    return b"\xcc" if packet[0] >> 4 == 4 else b"\x8e"


def wireless(packet: bytes, control: int = 0x08, flags: int = 0x01) -> bytes:
    fourth = 6 if flags & 3 == 3 else 0
    quality = (2 + (4 if flags & 0x80 else 0)) if control & 0x80 else 0
    return bytes([control, flags]) + bytes(22 + fourth + quality) + SNAP + ethertype(packet) + packet


@pytest.mark.parametrize(
    ("link_type", "frame", "reason"),
    [
        (147, UDP4, r.UNKNOWN_LINK_TYPE),
        (105, wireless(UDP4, flags=0x41), r.ENCRYPTED_FRAME),
        (105, wireless(UDP4, control=0x80), r.NOT_IP),  # a beacon
        (105, wireless(UDP4, control=0x48), r.NOT_IP),  # data without data
        (192, struct.pack("<BBHI", 0, 0, 8, 192) * 3, r.MALFORMED),
        (192, struct.pack("<BBHI", 0, 0, 0, 1) * 3, r.MALFORMED),
        (107, b"\x18\x41\x7f\x00", r.NOT_IP),
        (107, bytes(20), r.TRUNCATED),
        (127, b"\x00\x00\xff\xff", r.TRUNCATED),
    ],
)
def test_what_has_no_network_layer_has_its_reason(link_type, frame, reason):
    assert decode(link_type, frame) == reason
