"""Packet headers: from a captured frame to its TCP or UDP segment, or the reason why there is none."""

import struct
from typing import NamedTuple

from clgan_tf.capture import link_layer, tunnels
from clgan_tf.capture.reasons import (
    ARP,
    INCOMPLETE_FRAGMENTS,
    MALFORMED,
    NOT_IP,
    NOT_TCP_OR_UDP,
    TRUNCATED,
    TUNNEL,
    Unused,
)

TCP, UDP = 6, 17

# IPv6 extension headers (RFC 8200 section 4; AH RFC 4302; mobility RFC 6275; HIP RFC 7401; shim6 RFC 5533)
IPV6_EXTENSIONS = (0, 43, 60, 135, 139, 140)
IPV6_FRAGMENT, IPV6_AUTHENTICATION = 44, 51
IPV6_HEADERS = (*IPV6_EXTENSIONS, IPV6_FRAGMENT, IPV6_AUTHENTICATION)

TCP_FLAGS = 13  # their place in a header
UNKNOWN_END = 1 << 62  # of a packet that does not say how long it is


class Segment(NamedTuple):
    """Where things lie in a frame (byte offsets), and who speaks to whom.

    network: first byte of the IP header; transport: of the TCP or UDP header; payload and end: the
    transport payload is frame[payload:end]. Where the capture cut the header off behind its ports, both are the frame's
    end. Addresses are 4 or 16 bytes.
    """

    protocol: int
    source: bytes
    source_port: int
    destination: bytes
    destination_port: int
    network: int
    transport: int
    payload: int
    end: int


class Fragment(NamedTuple):
    """A part of an IP datagram, whole as captured.

    identity: equal for all parts of one datagram; network: offset of the IP header in the frame;
    naming: of the byte that says what follows the headers in front of the fragment header (IPv6);
    protocol: what the datagram carries; data, end: the part is frame[data:end]; offset: where the part lies
    in the datagram's data, bytes; more: whether parts follow.
    """

    identity: bytes
    network: int
    naming: int
    protocol: int
    data: int
    end: int
    offset: int
    more: bool


Decoded = Segment | Fragment | str


def decode(link_type: int, frame: bytes, inner: bool = False) -> Decoded:
    """Returns the frame's TCP or UDP segment, the fragment it is, or a reason of `reasons`; raises nothing.

    inner: look into tunnels, as `tunnels` knows them, for the innermost segment. Where a UDP port alone makes it look
    like a tunnel and nothing can be read inside, the outer segment stands.
    """
    try:
        ethertype, at = link_layer.network_layer(link_type, frame)
        return _network(frame, ethertype, at, len(frame), tunnels.MOST_TUNNELS if inner else 0)
    except Unused as unused:
        return unused.reason
    except (IndexError, struct.error):
        return TRUNCATED


def decode_datagram(frame: bytes, network: int, inner: bool = False) -> Decoded:
    """`decode` of a reassembled frame, whose IP header lies at `network`."""
    try:
        return _network(
            frame, link_layer.ip_version(frame, network), network, len(frame), tunnels.MOST_TUNNELS if inner else 0
        )
    except Unused as unused:
        return unused.reason
    except (IndexError, struct.error):
        return TRUNCATED


def _network(frame: bytes, ethertype: int, at: int, limit: int, depth: int) -> Segment | Fragment:
    """`limit`: where the enclosing packet ends; `depth`: how many tunnels more may be entered."""
    if ethertype == link_layer.ETHERTYPE_IPV4:
        return _ipv4(frame, at, limit, depth)
    if ethertype == link_layer.ETHERTYPE_IPV6:
        return _ipv6(frame, at, limit, depth)
    raise Unused(ARP if ethertype == link_layer.ETHERTYPE_ARP else NOT_IP)


def _ipv4(frame: bytes, at: int, limit: int, depth: int) -> Segment | Fragment:  # RFC 791
    if frame[at] >> 4 != 4:
        raise Unused(MALFORMED)
    header = (frame[at] & 0x0F) * 4
    total, _, flags = struct.unpack_from(">HHH", frame, at + 2)
    # A total length of 0 comes from segmentation offload: the packet goes to the end of the frame.
    claimed = at + total if total else UNKNOWN_END
    end = min(claimed, limit)
    if header < 20 or (total and total < header):
        raise Unused(MALFORMED)
    more, offset = bool(flags & 0x2000), (flags & 0x1FFF) * 8
    if more or offset:
        identity = frame[at + 4 : at + 6] + frame[at + 9 : at + 10] + frame[at + 12 : at + 20]
        fragment = Fragment(identity, at, at + 9, frame[at + 9], at + header, end, offset, more)
        if _is_whole(fragment, at + total):
            return fragment
    source, destination = frame[at + 12 : at + 16], frame[at + 16 : at + 20]
    return _transport(frame, frame[at + 9], source, destination, at, at + header, end, claimed, depth)


def _ipv6(frame: bytes, at: int, limit: int, depth: int) -> Segment | Fragment:  # RFC 8200
    if frame[at] >> 4 != 6:
        raise Unused(MALFORMED)
    payload_length, next_header = struct.unpack_from(">HB", frame, at + 4)
    # A payload length of 0 is a jumbogram or segmentation offload.
    claimed = at + 40 + payload_length if payload_length else UNKNOWN_END
    end = min(claimed, limit)
    source, destination = frame[at + 8 : at + 24], frame[at + 24 : at + 40]
    transport, naming = at + 40, at + 6
    while True:
        if next_header in IPV6_EXTENSIONS:
            length = (frame[transport + 1] + 1) * 8
        elif next_header == IPV6_FRAGMENT:
            (flags,) = struct.unpack_from(">H", frame, transport + 2)
            more, offset = bool(flags & 1), flags & 0xFFF8
            if more or offset:  # Otherwise it is whole (RFC 6946).
                identity = frame[transport + 4 : transport + 8] + source + destination
                fragment = Fragment(
                    identity, at, naming, frame[transport], transport + 8, max(end, transport + 8), offset, more
                )
                if _is_whole(fragment, at + 40 + payload_length):
                    return fragment
            length = 8
        elif next_header == IPV6_AUTHENTICATION:
            length = (frame[transport + 1] + 2) * 4
        else:
            break
        next_header, naming, transport = frame[transport], transport, transport + length
    return _transport(frame, next_header, source, destination, at, transport, end, claimed, depth)


def _is_whole(fragment: Fragment, claimed_end: int) -> bool:
    """Whether the fragment can be put together with others; False for a first one that was cut in capturing.

    A cut first fragment still says whose it is, and is taken as it stands. Raises Unused for any other.
    """
    size = fragment.end - fragment.data
    if fragment.end < claimed_end:
        if fragment.offset:
            raise Unused(INCOMPLETE_FRAGMENTS)
        return False
    if size <= 0 or (fragment.more and size % 8) or fragment.offset + size > 0xFFFF:
        raise Unused(MALFORMED)
    return True


def _transport(
    frame: bytes,
    protocol: int,
    source: bytes,
    destination: bytes,
    network: int,
    transport: int,
    end: int,
    claimed: int,
    depth: int,
) -> Segment | Fragment:
    """`claimed`: where the packet ended before it was captured."""
    if protocol not in (TCP, UDP):
        if protocol not in tunnels.PROTOCOLS:
            raise Unused(NOT_TCP_OR_UDP)
        if not depth:
            raise Unused(TUNNEL)
        return _network(frame, *tunnels.behind_ip(protocol, frame, transport), end, depth - 1)
    header = 8
    if protocol == TCP and transport + TCP_FLAGS <= len(frame):  # RFC 9293
        header = (frame[transport + 12] >> 4) * 4
        if header < 20:
            raise Unused(MALFORMED)
    elif protocol == TCP:
        header = 20
    elif transport + 6 <= len(frame):  # RFC 768; a length below 8 says nothing
        (length,) = struct.unpack_from(">H", frame, transport + 4)
        if length >= 8:
            end = min(end, transport + length)
    payload = transport + header
    source_port, destination_port = struct.unpack_from(">HH", frame, transport)
    if payload > end:
        if payload > claimed or end < len(frame):
            raise Unused(MALFORMED)
        payload = end  # The capture, not the packet, ends inside the header.
    if depth and protocol == UDP:
        try:
            inside = tunnels.behind_udp({source_port, destination_port}, frame, payload)
            if inside:
                return _network(frame, *inside, end, depth - 1)
        except (Unused, IndexError, struct.error):
            pass
    return Segment(protocol, source, source_port, destination, destination_port, network, transport, payload, end)
