"""Packet headers: from a captured frame to its TCP or UDP segment, or the reason why there is none."""

import struct
from typing import NamedTuple

from clgan_tf.capture import link_layer
from clgan_tf.capture.reasons import (
    ARP,
    INCOMPLETE_FRAGMENTS,
    MALFORMED,
    NOT_IP,
    NOT_TCP_OR_UDP,
    TRUNCATED,
    Unused,
)

TCP, UDP = 6, 17

# IPv6 extension headers (RFC 8200 section 4; AH RFC 4302; mobility RFC 6275; HIP RFC 7401; shim6 RFC 5533)
IPV6_EXTENSIONS = (0, 43, 60, 135, 139, 140)
IPV6_FRAGMENT, IPV6_AUTHENTICATION = 44, 51

# Tunnels: IP protocols (RFC 2003, RFC 4213, RFC 2784) and UDP ports (RFC 7348, 3GPP TS 29.281, RFC 4380)
IP_IN_IP, IPV6_IN_IP, GRE = 4, 41, 47
VXLAN_PORT, GTP_USER_PORT, TEREDO_PORT = 4789, 2152, 3544
TUNNEL_PORTS = (VXLAN_PORT, GTP_USER_PORT, TEREDO_PORT)
MOST_TUNNELS = 8  # one inside the other; a packet with more is taken for malformed
ETHERTYPE_BRIDGED, ETHERTYPE_PPP_IN_GRE = 0x6558, 0x880B


class Segment(NamedTuple):
    """Where things lie in a frame (byte offsets), and who speaks to whom.

    network: first byte of the IP header; transport: of the TCP or UDP header; payload and end: the
    transport payload is frame[payload:end]. Addresses are 4 or 16 bytes.
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
    protocol: what the datagram carries; data, end: the part is frame[data:end]; place: its offset
    in the datagram's data, bytes; more: whether parts follow.
    """

    identity: bytes
    network: int
    naming: int
    protocol: int
    data: int
    end: int
    place: int
    more: bool


Decoded = Segment | Fragment | str


def decode(link_type: int, frame: bytes, inner: bool = False) -> Decoded:
    """Returns the frame's TCP or UDP segment, the fragment it is, or a reason of `reasons`; raises nothing.

    inner: look into tunnels (GRE, IP in IP, 6in4, VXLAN, GTP-U, Teredo) for the innermost segment. Where a
    UDP port alone makes it look like a tunnel and nothing can be read inside, the outer segment stands.
    """
    try:
        ethertype, at = link_layer.network_layer(link_type, frame)
        return _network(frame, ethertype, at, len(frame), MOST_TUNNELS if inner else 0)
    except Unused as unused:
        return unused.reason
    except (IndexError, struct.error):
        return TRUNCATED


def decode_datagram(frame: bytes, network: int, inner: bool = False) -> Decoded:
    """`decode` of a reassembled frame, whose IP header lies at `network`."""
    try:
        return _network(frame, link_layer.ip_version(frame, network), network, len(frame), MOST_TUNNELS if inner else 0)
    except Unused as unused:
        return unused.reason
    except (IndexError, struct.error):
        return TRUNCATED


def _network(frame: bytes, ethertype: int, at: int, limit: int, tunnels: int) -> Segment | Fragment:
    """`limit`: where the enclosing packet ends; `tunnels`: how many more may be entered."""
    if ethertype == link_layer.ETHERTYPE_IPV4:
        return _ipv4(frame, at, limit, tunnels)
    if ethertype == link_layer.ETHERTYPE_IPV6:
        return _ipv6(frame, at, limit, tunnels)
    raise Unused(ARP if ethertype == link_layer.ETHERTYPE_ARP else NOT_IP)


def _ipv4(frame: bytes, at: int, limit: int, tunnels: int) -> Segment | Fragment:  # RFC 791
    if frame[at] >> 4 != 4:
        raise Unused(MALFORMED)
    header = (frame[at] & 0x0F) * 4
    total, _, flags = struct.unpack_from(">HHH", frame, at + 2)
    # A total length of 0 comes from segmentation offload: the packet goes to the end of the frame.
    end = min(at + total, limit) if total else limit
    if header < 20 or (total and total < header):
        raise Unused(MALFORMED)
    more, place = bool(flags & 0x2000), (flags & 0x1FFF) * 8
    if more or place:
        identity = frame[at + 4 : at + 6] + frame[at + 9 : at + 10] + frame[at + 12 : at + 20]
        fragment = Fragment(identity, at, at + 9, frame[at + 9], at + header, end, place, more)
        if _is_whole(fragment, at + total):
            return fragment
    source, destination = frame[at + 12 : at + 16], frame[at + 16 : at + 20]
    return _transport(frame, frame[at + 9], source, destination, at, at + header, end, tunnels)


def _ipv6(frame: bytes, at: int, limit: int, tunnels: int) -> Segment | Fragment:  # RFC 8200
    if frame[at] >> 4 != 6:
        raise Unused(MALFORMED)
    payload_length, next_header = struct.unpack_from(">HB", frame, at + 4)
    # A payload length of 0 is a jumbogram or segmentation offload.
    end = min(at + 40 + payload_length, limit) if payload_length else limit
    source, destination = frame[at + 8 : at + 24], frame[at + 24 : at + 40]
    transport, naming = at + 40, at + 6
    while True:
        if next_header in IPV6_EXTENSIONS:
            length = (frame[transport + 1] + 1) * 8
        elif next_header == IPV6_FRAGMENT:
            (flags,) = struct.unpack_from(">H", frame, transport + 2)
            more, place = bool(flags & 1), flags & 0xFFF8
            if more or place:  # Otherwise it is whole (RFC 6946).
                identity = frame[transport + 4 : transport + 8] + source + destination
                fragment = Fragment(
                    identity, at, naming, frame[transport], transport + 8, max(end, transport + 8), place, more
                )
                if _is_whole(fragment, at + 40 + payload_length):
                    return fragment
            length = 8
        elif next_header == IPV6_AUTHENTICATION:
            length = (frame[transport + 1] + 2) * 4
        else:
            break
        next_header, naming, transport = frame[transport], transport, transport + length
    return _transport(frame, next_header, source, destination, at, transport, end, tunnels)


def _is_whole(fragment: Fragment, claimed_end: int) -> bool:
    """Whether the fragment can be put together with others; False for a first one that was cut in capturing.

    A cut first fragment still says whose it is, and is taken as it stands. Raises Unused for any other.
    """
    size = fragment.end - fragment.data
    if fragment.end < claimed_end:
        if fragment.place:
            raise Unused(INCOMPLETE_FRAGMENTS)
        return False
    if size <= 0 or (fragment.more and size % 8) or fragment.place + size > 0xFFFF:
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
    tunnels: int,
) -> Segment | Fragment:
    if protocol not in (TCP, UDP):
        if tunnels and protocol in (IP_IN_IP, IPV6_IN_IP):
            return _network(frame, link_layer.ip_version(frame, transport), transport, end, tunnels - 1)
        if tunnels and protocol == GRE:
            return _gre(frame, transport, end, tunnels - 1)
        raise Unused(NOT_TCP_OR_UDP)
    header = 8
    if protocol == TCP:  # RFC 9293
        header = (frame[transport + 12] >> 4) * 4
        if header < 20:
            raise Unused(MALFORMED)
    else:  # RFC 768; a length below 8 says nothing
        (length,) = struct.unpack_from(">H", frame, transport + 4)
        if length >= 8:
            end = min(end, transport + length)
    payload = transport + header
    if payload > end:
        raise Unused(TRUNCATED if payload > len(frame) else MALFORMED)
    source_port, destination_port = struct.unpack_from(">HH", frame, transport)
    if tunnels and protocol == UDP:
        try:
            inside = _udp_tunnel(frame, {source_port, destination_port}, payload, end, tunnels - 1)
        except (Unused, IndexError, struct.error):
            inside = None
        if inside is not None:
            return inside
    return Segment(protocol, source, source_port, destination, destination_port, network, transport, payload, end)


def _gre(frame: bytes, at: int, limit: int, tunnels: int) -> Segment | Fragment:  # RFC 2784, RFC 2890, RFC 2637
    flags, ethertype = struct.unpack_from(">HH", frame, at)
    version = flags & 7
    has_checksum, has_key, has_sequence, has_acknowledgement = (flags & bit for bit in (0x8000, 0x2000, 0x1000, 0x80))
    if version == 1 and ethertype == ETHERTYPE_PPP_IN_GRE:
        at += 8 + (4 if has_sequence else 0) + (4 if has_acknowledgement else 0)
        ethertype, at = link_layer.ppp(frame, at + 2 if frame[at : at + 2] == b"\xff\x03" else at)
        return _network(frame, ethertype, at, limit, tunnels)
    if version:
        raise Unused(MALFORMED)
    at += 4 + sum(4 for present in (has_checksum, has_key, has_sequence) if present)
    if ethertype == ETHERTYPE_BRIDGED:
        ethertype, at = link_layer.ethertype_at(frame, at + 12)
    return _network(frame, ethertype, at, limit, tunnels)


def _udp_tunnel(frame: bytes, ports: set[int], at: int, limit: int, tunnels: int) -> Segment | Fragment | None:
    """What is inside, or None where the ports or the first bytes belong to no tunnel."""
    if VXLAN_PORT in ports and frame[at] == 0x08:  # RFC 7348: only the flag "this number is valid" is set
        ethertype, at = link_layer.ethertype_at(frame, at + 8 + 12)
        return _network(frame, ethertype, at, limit, tunnels)
    if GTP_USER_PORT in ports and frame[at] & 0xF0 == 0x30 and frame[at + 1] == 255:  # 3GPP TS 29.281: version 1, T-PDU
        at = _behind_gtp(frame, at)
        return _network(frame, link_layer.ip_version(frame, at), at, limit, tunnels)
    if TEREDO_PORT in ports:  # RFC 4380 section 5.1.1
        if frame[at : at + 2] == b"\x00\x01":  # authentication
            at += 4 + frame[at + 2] + frame[at + 3] + 9
        if frame[at : at + 2] == b"\x00\x00":  # origin indication
            at += 8
        if link_layer.ip_version(frame, at) == link_layer.ETHERTYPE_IPV6:
            return _network(frame, link_layer.ETHERTYPE_IPV6, at, limit, tunnels)
    return None


def _behind_gtp(frame: bytes, at: int) -> int:
    flags = frame[at]
    at += 8
    if flags & 7:  # any of sequence number, N-PDU number and extension: all three fields are there
        extension, at = frame[at + 3], at + 4
        if flags & 4:
            while extension:
                length = frame[at] * 4
                if not length:
                    raise Unused(MALFORMED)
                extension, at = frame[at + length - 1], at + length
    return at
