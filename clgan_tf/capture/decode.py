"""Packet headers: from a captured frame to its TCP or UDP segment, or the reason why there is none."""

import struct
from typing import NamedTuple

TCP, UDP = 6, 17

# Link types (https://www.tcpdump.org/linktypes.html)
NULL, ETHERNET, PPP, DLT_RAW, RAW, LOOP = 0, 1, 9, 12, 101, 108
LINUX_SLL, RAW_IPV4, RAW_IPV6, LINUX_SLL2 = 113, 228, 229, 276

# EtherTypes (IEEE 802 numbers, IANA)
ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_IPV6 = 0x0800, 0x0806, 0x86DD
ETHERTYPES_VLAN = (0x8100, 0x88A8, 0x9100)
ETHERTYPES_MPLS = (0x8847, 0x8848)
ETHERTYPE_PPPOE_SESSION = 0x8864

# PPP protocol numbers (RFC 1661, 1332, 5072)
PPP_PROTOCOLS = {0x0021: ETHERTYPE_IPV4, 0x0057: ETHERTYPE_IPV6}

# IPv6 extension headers (RFC 8200 section 4; AH RFC 4302; mobility RFC 6275; HIP RFC 7401; shim6 RFC 5533)
IPV6_EXTENSIONS = (0, 43, 60, 135, 139, 140)
IPV6_FRAGMENT, IPV6_AUTHENTICATION = 44, 51

# Reasons for which a packet belongs to no session
ARP = "arp"
NOT_IP = "not_ip"
NOT_TCP_OR_UDP = "not_tcp_or_udp"
LATER_FRAGMENT = "later_ip_fragment"
MALFORMED = "malformed_header"
TRUNCATED = "truncated_header"
UNKNOWN_LINK_TYPE = "unknown_link_type"


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


def decode(link_type: int, frame: bytes) -> Segment | str:
    """Returns the frame's TCP or UDP segment, or one of the reasons above; raises nothing."""
    try:
        ethertype, at = _link_layer(link_type, frame)
        if ethertype == ETHERTYPE_IPV4:
            return _ipv4(frame, at)
        if ethertype == ETHERTYPE_IPV6:
            return _ipv6(frame, at)
    except _Unused as unused:
        return unused.reason
    except (IndexError, struct.error):
        return TRUNCATED
    return ARP if ethertype == ETHERTYPE_ARP else NOT_IP


class _Unused(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _link_layer(link_type: int, frame: bytes) -> tuple[int, int]:
    """EtherType of the network layer and its offset."""
    if link_type == ETHERNET:
        return _ethertype(frame, 12)
    if link_type in (DLT_RAW, RAW, RAW_IPV4, RAW_IPV6):
        return _ip_version(frame, 0), 0
    if link_type in (NULL, LOOP):  # A 4-byte address family, whose numbers differ by system.
        return _ip_version(frame, 4), 4
    if link_type == LINUX_SLL:
        return _ethertype(frame, 14)
    if link_type == LINUX_SLL2:
        return _ethertype(frame, 0, header_end=20)
    if link_type == PPP:
        return _ppp(frame, 2 if frame[:2] == b"\xff\x03" else 0)
    raise _Unused(UNKNOWN_LINK_TYPE)


def _ethertype(frame: bytes, at: int, header_end: int | None = None) -> tuple[int, int]:
    (ethertype,) = struct.unpack_from(">H", frame, at)
    at = at + 2 if header_end is None else header_end
    while ethertype in ETHERTYPES_VLAN:
        (ethertype,) = struct.unpack_from(">H", frame, at + 2)
        at += 4
    if ethertype in ETHERTYPES_MPLS:
        while not frame[at + 2] & 1:  # until the bottom of the label stack (RFC 3032)
            at += 4
        at += 4
        return _ip_version(frame, at), at
    if ethertype == ETHERTYPE_PPPOE_SESSION:
        return _ppp(frame, at + 6)
    return ethertype, at


def _ppp(frame: bytes, at: int) -> tuple[int, int]:
    (protocol,) = struct.unpack_from(">H", frame, at)
    return PPP_PROTOCOLS.get(protocol, 0), at + 2


def _ip_version(frame: bytes, at: int) -> int:
    return {4: ETHERTYPE_IPV4, 6: ETHERTYPE_IPV6}.get(frame[at] >> 4, 0)


def _ipv4(frame: bytes, at: int) -> Segment:  # RFC 791
    if frame[at] >> 4 != 4:
        raise _Unused(MALFORMED)
    header = (frame[at] & 0x0F) * 4
    total, _, fragment = struct.unpack_from(">HHH", frame, at + 2)
    # A total length of 0 comes from segmentation offload: the packet goes to the end of the frame.
    end = min(at + total, len(frame)) if total else len(frame)
    if header < 20 or (total and total < header):
        raise _Unused(MALFORMED)
    if fragment & 0x1FFF:
        raise _Unused(LATER_FRAGMENT)
    source, destination = frame[at + 12 : at + 16], frame[at + 16 : at + 20]
    return _transport(frame, frame[at + 9], source, destination, at, at + header, end)


def _ipv6(frame: bytes, at: int) -> Segment:  # RFC 8200
    if frame[at] >> 4 != 6:
        raise _Unused(MALFORMED)
    payload_length, next_header = struct.unpack_from(">HB", frame, at + 4)
    # A payload length of 0 is a jumbogram or segmentation offload.
    end = min(at + 40 + payload_length, len(frame)) if payload_length else len(frame)
    source, destination = frame[at + 8 : at + 24], frame[at + 24 : at + 40]
    transport = at + 40
    while True:
        if next_header in IPV6_EXTENSIONS:
            length = (frame[transport + 1] + 1) * 8
        elif next_header == IPV6_FRAGMENT:
            if struct.unpack_from(">H", frame, transport + 2)[0] & 0xFFF8:
                raise _Unused(LATER_FRAGMENT)
            length = 8
        elif next_header == IPV6_AUTHENTICATION:
            length = (frame[transport + 1] + 2) * 4
        else:
            break
        next_header, transport = frame[transport], transport + length
    return _transport(frame, next_header, source, destination, at, transport, end)


def _transport(
    frame: bytes, protocol: int, source: bytes, destination: bytes, network: int, transport: int, end: int
) -> Segment:
    if protocol not in (TCP, UDP):
        raise _Unused(NOT_TCP_OR_UDP)
    header = 8
    if protocol == TCP:  # RFC 9293
        header = (frame[transport + 12] >> 4) * 4
        if header < 20:
            raise _Unused(MALFORMED)
    else:  # RFC 768; a length below 8 says nothing
        (length,) = struct.unpack_from(">H", frame, transport + 4)
        if length >= 8:
            end = min(end, transport + length)
    payload = transport + header
    if payload > end:
        raise _Unused(TRUNCATED if payload > len(frame) else MALFORMED)
    source_port, destination_port = struct.unpack_from(">HH", frame, transport)
    return Segment(protocol, source, source_port, destination, destination_port, network, transport, payload, end)
