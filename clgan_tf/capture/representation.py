"""The three representations of a session: which of its bytes become the 784 of an image.

Each gives the bytes of one packet; a session's are those of its packets, one after another, cut to
or padded with zeros to 784 and read row by row as 28 x 28. A version goes up whenever bytes change.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple

from clgan_tf.capture.decode import TCP, Segment
from clgan_tf.capture.readers import Packet

IMAGE_BYTES = 784

# TCP option kinds (RFC 9293, 2018, 7323)
OPTION_END, OPTION_NOTHING, OPTION_SELECTIVE_ACKNOWLEDGEMENT, OPTION_TIMESTAMPS = 0, 1, 5, 8


class Representation(NamedTuple):
    """A representation's name, version, the bytes that open every session, and those of one packet."""

    name: str
    version: int
    header: Callable[[int], bytes]
    packet_bytes: Callable[[Packet, Segment], bytes]


def all_layers(packet: Packet, _segment: Segment) -> bytes:
    """The layout of USTC-TK2016 and DeepTraffic: a 16-byte big-endian pcap record header, then the frame.

    The session opens with a 24-byte big-endian pcap file header (`pcap_header`). For comparison with
    papers only: capture time, addresses and link type are in it, and they alone tell the classes apart.
    """
    seconds, nanoseconds = divmod(packet.time_ns, 1_000_000_000)
    header = struct.pack(
        ">IIII", seconds & 0xFFFFFFFF, nanoseconds // 1000, len(packet.frame), packet.wire_length & 0xFFFFFFFF
    )
    return header + packet.frame


def pcap_header(link_type: int) -> bytes:
    """The 24-byte big-endian file header of `all_layers`: version 2.4, snapshot length 65,535."""
    return struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0xFFFF, link_type)


def l7(packet: Packet, segment: Segment) -> bytes:
    """The TCP or UDP payload alone, as published; a session without any payload has no image."""
    return packet.frame[segment.payload : segment.end]


def masked(packet: Packet, segment: Segment) -> bytes:
    """From the IP header to the end of the payload, with all that names hosts or moments set to zero.

    Zeroed: IPv4 identification, header checksum and addresses; IPv6 flow label and addresses; ports;
    TCP sequence and acknowledgement numbers, checksum, timestamps and selective acknowledgements
    (their edges are sequence numbers); UDP checksum. Kept: lengths, TTL or hop limit, flags, window,
    urgent pointer and all other options. Link layer and trailer are left out.
    """
    data = bytearray(packet.frame[segment.network : segment.end])
    transport = segment.transport - segment.network
    if data[0] >> 4 == 4:
        data[4:6] = bytes(2)
        data[10:20] = bytes(10)
    else:
        data[1] &= 0xF0  # the flow label's upper 4 bits; traffic class stays
        data[2:4] = bytes(2)
        data[8:40] = bytes(32)
    data[transport : transport + 4] = bytes(4)
    if segment.protocol == TCP:
        data[transport + 4 : transport + 12] = bytes(8)
        data[transport + 16 : transport + 18] = bytes(2)
        _mask_options(data, transport + 20, segment.payload - segment.network)
    else:
        data[transport + 6 : transport + 8] = bytes(2)
    return bytes(data)


def _mask_options(data: bytearray, at: int, end: int) -> None:
    while at < end and data[at] != OPTION_END:
        if data[at] == OPTION_NOTHING:
            at += 1
            continue
        if at + 1 >= end or data[at + 1] < 2:
            return  # a malformed list: the rest cannot be told apart
        stop = min(at + data[at + 1], end)
        if data[at] in (OPTION_TIMESTAMPS, OPTION_SELECTIVE_ACKNOWLEDGEMENT):
            data[at + 2 : stop] = bytes(stop - at - 2)
        at = stop


def _no_header(_link_type: int) -> bytes:
    return b""


REPRESENTATIONS = {
    "all_layers": Representation("all_layers", 1, pcap_header, all_layers),
    "l7": Representation("l7", 1, _no_header, l7),
    "masked": Representation("masked", 1, _no_header, masked),
}
