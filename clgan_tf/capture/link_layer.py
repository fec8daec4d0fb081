"""Link types: from the first byte of a frame to its network layer.

Source of the numbers and of the layouts without another source: https://www.tcpdump.org/linktypes.html and, for
EtherTypes, IANA's IEEE 802 numbers.
"""

import struct

from clgan_tf.capture import wireless
from clgan_tf.capture.reasons import MALFORMED, NOT_IP, UNKNOWN_LINK_TYPE, Unused

NULL, ETHERNET, TOKEN_RING, SLIP, PPP, FDDI, DLT_RAW, RAW_BSD = 0, 1, 6, 8, 9, 10, 12, 14
PPP_HDLC, PPP_ETHER, ATM_RFC1483, RAW, CISCO_HDLC, FRAME_RELAY = 50, 51, 100, 101, 104, 107
LOOP, ENC, LINUX_SLL, PFLOG, APPLE_IP_OVER_1394, PPP_PPPD, PPP_WITH_DIRECTION = 108, 109, 113, 117, 138, 166, 204
IPNET, RAW_IPV4, RAW_IPV6, NFLOG, PKTAP, LINUX_SLL2 = 226, 228, 229, 239, 258, 276
RAW_LINK_TYPES = (DLT_RAW, RAW_BSD, RAW, RAW_IPV4, RAW_IPV6)

ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_IPV6 = 0x0800, 0x0806, 0x86DD
ETHERTYPES_VLAN = (0x8100, 0x88A8, 0x9100)
ETHERTYPES_MPLS = (0x8847, 0x8848)
ETHERTYPE_PPPOE_SESSION = 0x8864
FOLLOWED = (  # EtherTypes that say or lead to what lies inside
    *(ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_IPV6, *ETHERTYPES_VLAN, *ETHERTYPES_MPLS, ETHERTYPE_PPPOE_SESSION),
)
LONGEST_802_3_FRAME = 1500  # up to here the field is a length and an LLC header follows

MOST_FRAMES = 2  # one inside the other
SNAP = b"\xaa\xaa\x03\x00\x00\x00"  # LLC and SNAP headers in front of an EtherType (RFC 1042)
PPP_PROTOCOLS = {0x21: ETHERTYPE_IPV4, 0x57: ETHERTYPE_IPV6}  # RFC 1332, RFC 5072
PPP_MPLS = (0x0281, 0x0283)  # RFC 3032 section 4.3
NFLOG_PAYLOAD = 9  # NFULA_PAYLOAD of Linux's nfnetlink_log.h
FRAME_RELAY_PROTOCOLS = {0xCC: ETHERTYPE_IPV4, 0x8E: ETHERTYPE_IPV6}  # NLPIDs, RFC 2427


def network_layer(link_type: int, frame: bytes, depth: int = MOST_FRAMES) -> tuple[int, int]:
    """EtherType of the network layer (0 if it has none) and its offset. depth: frames that may lie inside each other.

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
        return ppp(frame, 0)
    if link_type == PPP_ETHER:
        return ppp(frame, 6)
    if link_type == PPP_PPPD:  # Linux's pppd writes the direction in place of the address.
        return ppp(frame, 2 if frame[1] == 3 else 0)
    if link_type == PPP_WITH_DIRECTION:
        return ppp(frame, 1)
    if link_type == CISCO_HDLC:
        return ethertype_at(frame, 2)
    if link_type == FRAME_RELAY:
        return _frame_relay(frame)
    if link_type in wireless.LINK_TYPES:
        return _wireless(link_type, frame, depth)
    if link_type in IP_AT:
        return ip_version(frame, IP_AT[link_type]), IP_AT[link_type]
    if link_type == PFLOG:  # The first byte is the header's length, without the padding to four bytes.
        at = (frame[0] + 3) // 4 * 4
        return ip_version(frame, at), at
    if link_type == NFLOG:
        at = _nflog(frame)
        return ip_version(frame, at), at
    if link_type == PKTAP:
        header, _, inner = struct.unpack_from("<III", frame)
        return _inside(inner, frame, header, depth)
    if link_type == APPLE_IP_OVER_1394:
        return ethertype_at(frame, 16)
    if link_type in (FDDI, TOKEN_RING, ATM_RFC1483):
        return _behind_llc(frame, _llc_at(link_type, frame))
    raise Unused(UNKNOWN_LINK_TYPE)


IP_AT = {SLIP: 16, ENC: 12, IPNET: 24}  # headers of one length, behind which is IP


def _inside(link_type: int, frame: bytes, at: int, depth: int) -> tuple[int, int]:
    """The network layer of a frame in a frame."""
    if not depth or not 8 <= at <= len(frame):
        raise Unused(MALFORMED)
    ethertype, offset = network_layer(link_type, frame[at:], depth - 1)
    return ethertype, at + offset


def _nflog(frame: bytes) -> int:
    """Where the packet lies in a list of (length, type, value padded to 4 bytes) in the byte order of its host."""
    for order in "<>":
        at = 4
        while at + 4 <= len(frame):
            length, kind = struct.unpack_from(order + "HH", frame, at)
            if kind & 0x7FFF == NFLOG_PAYLOAD and length >= 4:
                return at + 4
            if not 4 <= length <= len(frame) - at:
                break
            at += (length + 3) // 4 * 4
    raise Unused(NOT_IP)


def _llc_at(link_type: int, frame: bytes) -> int:
    if link_type == TOKEN_RING and frame[8] & 0x80:  # a route between rings lies behind the addresses
        return 14 + (frame[14] & 0x1F)
    return {FDDI: 13, TOKEN_RING: 14, ATM_RFC1483: 0}[link_type]


def _behind_llc(frame: bytes, at: int) -> tuple[int, int]:
    if frame[at : at + 6] != SNAP:
        raise Unused(NOT_IP)
    return ethertype_at(frame, at + 6)


def ethertype_at(frame: bytes, at: int, header_end: int | None = None) -> tuple[int, int]:
    """`network_of` the EtherType at `at`, behind which, or at header_end, the next header begins."""
    (ethertype,) = struct.unpack_from(">H", frame, at)
    return network_of(ethertype, frame, at + 2 if header_end is None else header_end)


def network_of(ethertype: int, frame: bytes, at: int) -> tuple[int, int]:
    """Follows VLAN tags, MPLS labels, SNAP and PPPoE from an EtherType on, whose header lies at `at`."""
    while ethertype in ETHERTYPES_VLAN:
        (ethertype,) = struct.unpack_from(">H", frame, at + 2)
        at += 4
    if ethertype <= LONGEST_802_3_FRAME and frame[at : at + 6] == SNAP:
        (ethertype,) = struct.unpack_from(">H", frame, at + 6)
        at += 8
    if ethertype in ETHERTYPES_MPLS:
        return _mpls(frame, at)
    if ethertype == ETHERTYPE_PPPOE_SESSION:
        return ppp(frame, at + 6)
    return ethertype, at


def _mpls(frame: bytes, at: int) -> tuple[int, int]:
    while not frame[at + 2] & 1:  # until the bottom of the label stack (RFC 3032)
        at += 4
    at += 4
    return ip_version(frame, at), at


def ppp(frame: bytes, at: int) -> tuple[int, int]:
    """EtherType and offset behind a PPP header: address and control if they are there, and a protocol of 1 or 2 bytes.

    Source: RFC 1661 and RFC 1662.
    """
    if frame[at : at + 2] == b"\xff\x03":
        at += 2
    if frame[at] & 1:
        return PPP_PROTOCOLS.get(frame[at], 0), at + 1
    (protocol,) = struct.unpack_from(">H", frame, at)
    if protocol in PPP_MPLS:
        return _mpls(frame, at + 2)
    return PPP_PROTOCOLS.get(protocol, 0), at + 2


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


def _wireless(link_type: int, frame: bytes, depth: int) -> tuple[int, int]:
    header = wireless.radio_header(link_type, frame)
    if header.inside != wireless.IEEE802_11:
        return _inside(header.inside, frame, header.length, depth)
    found = wireless.data_frame(frame, header)
    if found.is_aggregate:  # What is whole of it has been taken out.
        raise Unused(MALFORMED)
    return _behind_llc(frame, found.data)
