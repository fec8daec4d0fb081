import struct

import pytest

from clgan_tf import capture
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
        (6, lambda packet: bytes(14) + SNAP + ethertype(packet) + packet),
        (6, lambda packet: bytes(8) + b"\x80" + bytes(5) + b"\x06" + bytes(5) + SNAP + ethertype(packet) + packet),
        (8, lambda packet: bytes(16) + packet),
        (9, lambda packet: b"\xff\x03\x02\x81\x00\x06\x40\x40\x00\x06\x51\x40" + packet),  # MPLS in PPP
        (10, lambda packet: bytes(13) + SNAP + ethertype(packet) + packet),
        (50, lambda packet: b"\xff\x03\x02\x83\x00\x06\x51\x40" + packet),
        (50, lambda packet: b"\x0f\x00\x88\x47\x00\x06\x51\x40" + packet),
        (51, lambda packet: bytes(6) + b"\x02\x81\x00\x06\x51\x40" + packet),
        (100, lambda packet: SNAP + ethertype(packet) + packet),
        (109, lambda packet: bytes(12) + packet),
        (117, lambda packet: bytes([61]) + bytes(63) + packet),
        (119, lambda packet: struct.pack("<II", 0x44, 144) + bytes(136) + wireless(packet)),
        (119, lambda packet: struct.pack(">II", 0x44, 144) + bytes(136) + wireless(packet)),
        (119, lambda packet: struct.pack(">II", 0x80211001, 64) + bytes(56) + wireless(packet)),
        (127, lambda packet: radiotap(struct.pack("<B", 0x20), 1 << 1) + padded(wireless(packet, control=0x88))),
        (
            127,
            lambda packet: (
                radiotap(bytes(8) + b"\x20\x02", 0x80000003, bytes(4) + bytes(4))
                + padded(wireless(packet, control=0x88))
            ),
        ),
        (127, lambda packet: radiotap(bytes(8) + b"\x10\x02", 3) + wireless(packet, control=0x88)),
        (138, lambda packet: bytes(16) + ethertype(packet) + packet),
        (163, lambda packet: struct.pack(">II", 0x80211001, 64) + bytes(56) + wireless(packet)),
        (166, lambda packet: b"\x01\x03" + p_ppp(packet)),
        (204, lambda packet: b"\x01\xff\x03" + p_ppp(packet)),
        (226, lambda packet: bytes(24) + packet),
        (239, lambda packet: b"\x02\x00\x00\x05" + nflog("<", packet)),
        (239, lambda packet: b"\x02\x00\x00\x05" + nflog(">", packet)),
        (258, lambda packet: struct.pack("<III", 108, 1, 1) + bytes(96) + p.ethernet(packet)),
        (258, lambda packet: struct.pack("<III", 108, 1, 12) + bytes(96) + packet),
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


def radiotap(fields: bytes, present: int, more: bytes = b"") -> bytes:
    """`more`: further words of what is present."""
    return struct.pack("<BBHI", 0, 0, 8 + len(more) + len(fields), present) + more + fields


def padded(frame: bytes) -> bytes:
    """A frame whose header of 26 bytes is padded to 28."""
    return frame[:26] + b"\0\0" + frame[26:]


def nflog(order: str, packet: bytes) -> bytes:
    prefix = struct.pack(order + "HH", 5, 10) + b"x\0\0\0"
    return prefix + struct.pack(order + "HH", 4 + len(packet), 9) + packet


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
        (258, struct.pack("<III", 12, 1, 258) * 3, r.MALFORMED),
        (258, struct.pack("<III", 0, 1, 258) * 3, r.MALFORMED),
        (192, (struct.pack("<BBHI", 0, 0, 8, 258) + struct.pack("<III", 12, 0, 192)) * 500, r.MALFORMED),
        (239, bytes(40), r.NOT_IP),
        (10, bytes(40), r.NOT_IP),
    ],
)
def test_what_has_no_network_layer_has_its_reason(link_type, frame, reason):
    assert decode(link_type, frame) == reason


def subframe(packet: bytes) -> bytes:
    body = SNAP + ethertype(packet) + packet
    return bytes(12) + len(body).to_bytes(2, "big") + body


@pytest.mark.parametrize("pad", [False, True])
def test_every_packet_of_an_aggregate_is_used(tmp_path, pad):
    """Four packets of two sessions in one A-MSDU, the last one cut, and a plain frame behind it."""
    inside = [p.ipv4(p.udp(data, 40000, port)) for data, port in ((b"one", 53), (b"two", 54), (b"three", 53))]
    inside.append(p.ipv4(p.tcp(b"cut off")))
    aggregate = b"".join(subframe(packet).ljust(-(-len(subframe(packet)) // 4) * 4, b"\0") for packet in inside)
    frame = bytes([0x88, 1]) + bytes(22) + b"\x80\0" + aggregate
    header = radiotap(b"\x20\0", 2) if pad else radiotap(b"\0\0", 2)
    frame = header + (padded(frame) if pad else frame)
    plain = radiotap(b"\0\0", 2) + wireless(p.ipv4(p.udp(b"four", 40000, 53)), control=0x88)
    path = p.write(tmp_path / "a.pcap", p.pcap([frame[:-50], plain], 127))
    found = capture.load(path, "l7")
    texts = [image.tobytes()[:length] for image, length in zip(found.images, found.num_bytes, strict=True)]
    assert texts == [b"onethreefour", b"two"]
    assert found.packets.tolist() == [3, 1]
    assert (found.first_packet.tolist(), found.last_packet.tolist()) == ([1, 1], [2, 1])  # an aggregate is one
    assert found.packets_read == 5
    assert found.drops == {r.TRUNCATED: 1}
    whole = capture.load(path, "all_layers")
    assert whole.num_bytes.tolist()[1] == 24 + 16 + len(subframe(inside[1]))
