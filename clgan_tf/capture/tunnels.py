"""Tunnels: what is inside GRE, IP in IP, and UDP to the ports of VXLAN, VXLAN-GPE, Geneve, GTP-U and Teredo.

Each function gives the EtherType of the network layer inside and its offset, as link_layer does.
"""

import struct

from clgan_tf.capture import link_layer
from clgan_tf.capture.reasons import MALFORMED, Unused

IP_IN_IP, IPV6_IN_IP, GRE = PROTOCOLS = 4, 41, 47  # RFC 2003, RFC 4213, RFC 2784
VXLAN, VXLAN_GPE, GENEVE, GTP_USER, TEREDO = UDP_PORTS = 4789, 4790, 6081, 2152, 3544
MOST_TUNNELS = 8  # one inside the other; a packet with more is taken for malformed
ETHERTYPE_BRIDGED, ETHERTYPE_PPP_IN_GRE, ETHERTYPE_ERSPAN_2, ETHERTYPE_ERSPAN_3 = 0x6558, 0x880B, 0x88BE, 0x22EB
GPE_IPV4, GPE_IPV6, GPE_ETHERNET = 1, 2, 3  # draft-ietf-nvo3-vxlan-gpe section 3.2

Inside = tuple[int, int]


def behind_ip(protocol: int, frame: bytes, at: int) -> Inside:
    """What is inside an IP protocol of PROTOCOLS, whose header lies at `at`.

    Raises:
      Unused: it is no tunnel. IndexError, struct.error: it ends too early.
    """
    return _gre(frame, at) if protocol == GRE else (link_layer.ip_version(frame, at), at)


def behind_udp(ports: set[int], frame: bytes, at: int) -> Inside | None:
    """What is inside a UDP payload at `at`, or None where the ports or the first bytes belong to no tunnel.

    Raises:
      Unused, IndexError, struct.error: nothing can be read inside.
    """
    if VXLAN in ports and frame[at] & 0x08:  # RFC 7348; other flags are extensions, such as the group policy's
        return _ethernet(frame, at + 8)
    if VXLAN_GPE in ports and frame[at] & 0x04:
        protocol, at = frame[at + 3], at + 8
        if protocol == GPE_ETHERNET:
            return _ethernet(frame, at)
        return {GPE_IPV4: link_layer.ETHERTYPE_IPV4, GPE_IPV6: link_layer.ETHERTYPE_IPV6}.get(protocol, 0), at
    if GENEVE in ports and frame[at] >> 6 == 0:  # RFC 8926
        (ethertype,) = struct.unpack_from(">H", frame, at + 2)
        return _typed(ethertype, frame, at + 8 + (frame[at] & 0x3F) * 4)
    if GTP_USER in ports and frame[at] & 0xF0 == 0x30 and frame[at + 1] == 255:  # 3GPP TS 29.281: version 1, T-PDU
        at = _behind_gtp(frame, at)
        return link_layer.ip_version(frame, at), at
    if TEREDO in ports:  # RFC 4380 section 5.1.1
        if frame[at : at + 2] == b"\x00\x01":  # authentication
            at += 4 + frame[at + 2] + frame[at + 3] + 9
        if frame[at : at + 2] == b"\x00\x00":  # origin indication
            at += 8
        if link_layer.ip_version(frame, at) == link_layer.ETHERTYPE_IPV6:
            return link_layer.ETHERTYPE_IPV6, at
    return None


def _ethernet(frame: bytes, at: int) -> Inside:
    return link_layer.ethertype_at(frame, at + 12)


def _typed(ethertype: int, frame: bytes, at: int) -> Inside:
    return _ethernet(frame, at) if ethertype == ETHERTYPE_BRIDGED else link_layer.network_of(ethertype, frame, at)


def _gre(frame: bytes, at: int) -> Inside:  # RFC 2784, RFC 2890, RFC 2637
    flags, ethertype = struct.unpack_from(">HH", frame, at)
    version = flags & 7
    has_checksum, has_key, has_sequence, has_acknowledgement = (flags & bit for bit in (0x8000, 0x2000, 0x1000, 0x80))
    if version == 1 and ethertype == ETHERTYPE_PPP_IN_GRE:
        return link_layer.ppp(frame, at + 8 + (4 if has_sequence else 0) + (4 if has_acknowledgement else 0))
    if version:
        raise Unused(MALFORMED)
    at += 4 + sum(4 for present in (has_checksum, has_key, has_sequence) if present)
    if ethertype == ETHERTYPE_ERSPAN_2:  # draft-foschiano-erspan: type I, without a header, has no sequence number
        return _ethernet(frame, at + 8 if has_sequence else at)
    if ethertype == ETHERTYPE_ERSPAN_3:
        has_more = frame[at + 11] & 1
        return _ethernet(frame, at + 12 + (8 if has_more else 0))
    return _typed(ethertype, frame, at)


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
