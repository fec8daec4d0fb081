"""Link types: from the first byte of a frame to its network layer.

Source of the numbers: https://www.tcpdump.org/linktypes.html and, for EtherTypes, IANA's IEEE 802 numbers.
"""

import struct

from clgan_tf.capture.reasons import ENCRYPTED_FRAME, MALFORMED, NOT_IP, UNKNOWN_LINK_TYPE, Unused

NULL, ETHERNET, PPP, DLT_RAW, RAW_BSD, PPP_HDLC, PPP_ETHER = 0, 1, 9, 12, 14, 50, 51
RAW, CISCO_HDLC, IEEE802_11, FRAME_RELAY, LOOP, LINUX_SLL = 101, 104, 105, 107, 108, 113
RADIOTAP, PPI, RAW_IPV4, RAW_IPV6, LINUX_SLL2 = 127, 192, 228, 229, 276
RAW_LINK_TYPES = (DLT_RAW, RAW_BSD, RAW, RAW_IPV4, RAW_IPV6)

ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_IPV6 = 0x0800, 0x0806, 0x86DD
ETHERTYPES_VLAN = (0x8100, 0x88A8, 0x9100)
ETHERTYPES_MPLS = (0x8847, 0x8848)
ETHERTYPE_PPPOE_SESSION = 0x8864
LONGEST_802_3_FRAME = 1500  # up to here the field is a length and an LLC header follows

SNAP = b"\xaa\xaa\x03\x00\x00\x00"  # LLC and SNAP headers in front of an EtherType (RFC 1042)
PPP_PROTOCOLS = {0x21: ETHERTYPE_IPV4, 0x57: ETHERTYPE_IPV6}  # RFC 1332, RFC 5072
FRAME_RELAY_PROTOCOLS = {0xCC: ETHERTYPE_IPV4, 0x8E: ETHERTYPE_IPV6}  # NLPIDs, RFC 2427


def network_layer(link_type: int, frame: bytes) -> tuple[int, int]:
    """EtherType of the network layer (0 if it has none) and its offset.

    Raises:
      Unused: there is no network layer to be seen. IndexError, struct.error: the frame ends too early.
    """
    if link_type == ETHERNET:
        return ethertype_at(frame, 12)
    if link_type in RAW_LINK_TYPES:
        return ip_version(frame, 0), 0
    if link_type in (NULL, LOOP):  # A 4-byte address family, whose numbers differ by system.
        return ip_version(frame, 4), 4
    if link_type == LINUX_SLL:
        return ethertype_at(frame, 14)
    if link_type == LINUX_SLL2:
        return ethertype_at(frame, 0, header_end=20)
    if link_type in (PPP, PPP_HDLC):
        if frame[0] in (0x0F, 0x8F):  # Cisco's addresses: unicast, multicast
            return ethertype_at(frame, 2)
        return ppp(frame, 2 if frame[:2] == b"\xff\x03" else 0)
    if link_type == PPP_ETHER:
        return ppp(frame, 6)
    if link_type == CISCO_HDLC:
        return ethertype_at(frame, 2)
    if link_type == FRAME_RELAY:
        return _frame_relay(frame)
    if link_type == IEEE802_11:
        return _wireless(frame, 0)
    if link_type == RADIOTAP:
        return _wireless(frame, struct.unpack_from("<H", frame, 2)[0])
    if link_type == PPI:
        header, inner = struct.unpack_from("<HI", frame, 2)
        if inner == PPI or header < 8:
            raise Unused(MALFORMED)
        ethertype, at = network_layer(inner, frame[header:])
        return ethertype, header + at
    raise Unused(UNKNOWN_LINK_TYPE)


def ethertype_at(frame: bytes, at: int, header_end: int | None = None) -> tuple[int, int]:
    """Follows VLAN tags, MPLS labels, SNAP and PPPoE from the EtherType at `at`."""
    (ethertype,) = struct.unpack_from(">H", frame, at)
    at = at + 2 if header_end is None else header_end
    while ethertype in ETHERTYPES_VLAN:
        (ethertype,) = struct.unpack_from(">H", frame, at + 2)
        at += 4
    if ethertype <= LONGEST_802_3_FRAME and frame[at : at + 6] == SNAP:
        (ethertype,) = struct.unpack_from(">H", frame, at + 6)
        at += 8
    if ethertype in ETHERTYPES_MPLS:
        while not frame[at + 2] & 1:  # until the bottom of the label stack (RFC 3032)
            at += 4
        at += 4
        return ip_version(frame, at), at
    if ethertype == ETHERTYPE_PPPOE_SESSION:
        return ppp(frame, at + 6)
    return ethertype, at


def ppp(frame: bytes, at: int) -> tuple[int, int]:
    """EtherType and offset behind a PPP protocol field, which may be compressed to one byte (RFC 1661)."""
    if frame[at] & 1:
        return PPP_PROTOCOLS.get(frame[at], 0), at + 1
    return PPP_PROTOCOLS.get(frame[at + 1], 0) if frame[at] == 0 else 0, at + 2


def ip_version(frame: bytes, at: int) -> int:
    """The EtherType that belongs to an IP header's version; 0 for none."""
    return {4: ETHERTYPE_IPV4, 6: ETHERTYPE_IPV6}.get(frame[at] >> 4, 0)


def _frame_relay(frame: bytes) -> tuple[int, int]:  # Q.922, RFC 2427
    at = 1
    while not frame[at - 1] & 1:  # the address's last byte has its lowest bit set
        at += 1
    if frame[at] != 3:  # unnumbered information
        raise Unused(NOT_IP)
    at += 2 if frame[at + 1] == 0 else 1  # a byte of padding
    if frame[at] == 0x80:  # SNAP: three bytes that name who numbers, then an EtherType
        return ethertype_at(frame, at + 4)
    return FRAME_RELAY_PROTOCOLS.get(frame[at], 0), at + 1


def _wireless(frame: bytes, at: int) -> tuple[int, int]:  # IEEE 802.11-2020, 9.2.4 and 9.3.2
    control, flags = frame[at], frame[at + 1]
    has_quality_of_service, has_no_data = control & 0x80, control & 0x40
    if control & 0x0C != 0x08 or has_no_data:
        raise Unused(NOT_IP)
    if flags & 0x40:
        raise Unused(ENCRYPTED_FRAME)
    header = at + 24 + (6 if flags & 3 == 3 else 0)  # a fourth address between two access points
    if has_quality_of_service:
        if frame[header] & 0x80:  # several frames in one
            raise Unused(NOT_IP)
        header += 6 if flags & 0x80 else 2
    if frame[header : header + 6] != SNAP:
        raise Unused(NOT_IP)
    return ethertype_at(frame, header + 6)
