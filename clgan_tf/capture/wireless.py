"""IEEE 802.11: what a capturing card writes before a frame, data frames, and the aggregates of several in one."""

import struct
from typing import NamedTuple

from clgan_tf.capture.reasons import ENCRYPTED_FRAME, NOT_IP, Unused

IEEE802_11, PRISM, RADIOTAP, AVS, PPI = LINK_TYPES = 105, 119, 127, 163, 192
AVS_MAGIC = b"\x80\x21\x10"
RADIOTAP_TIME, RADIOTAP_FLAGS, RADIOTAP_MORE = 1 << 0, 1 << 1, 1 << 31  # bits of what is present
PADDED = 0x20  # of radiotap's flags: the 802.11 header is padded to a multiple of 4 bytes
ETHERNET_HEADER = 14


class RadioHeader(NamedTuple):
    """What a card wrote before a frame: its length, the link type of what follows, whether that has a padded header."""

    length: int
    inside: int = IEEE802_11
    is_padded: bool = False


class DataFrame(NamedTuple):
    """Where the LLC header, or the first frame of an aggregate, lies in a data frame."""

    data: int
    is_aggregate: bool


def radio_header(link_type: int, frame: bytes) -> RadioHeader:
    """What lies before the frame. Raises IndexError, struct.error: it ends too early."""
    if link_type == RADIOTAP:
        (length,) = struct.unpack_from("<H", frame, 2)
        return RadioHeader(length, is_padded=bool(_radiotap_flags(frame) & PADDED))
    if link_type == PPI:
        return RadioHeader(*struct.unpack_from("<HI", frame, 2))
    if link_type in (PRISM, AVS):  # AVS's header, which is big-endian, may stand under Prism's number.
        is_big_endian = frame[:3] == AVS_MAGIC or frame[:2] == b"\0\0"
        return RadioHeader(*struct.unpack_from(">I" if is_big_endian else "<I", frame, 4))
    return RadioHeader(0)


def _radiotap_flags(frame: bytes) -> int:  # https://www.radiotap.org
    (present,) = struct.unpack_from("<I", frame, 4)
    more, at = present, 8
    while more & RADIOTAP_MORE:
        (more,) = struct.unpack_from("<I", frame, at)
        at += 4
    if not present & RADIOTAP_FLAGS:
        return 0
    if present & RADIOTAP_TIME:  # 8 bytes, aligned to 8
        at = (at + 7) // 8 * 8 + 8
    return frame[at]


def data_frame(frame: bytes, header: RadioHeader) -> DataFrame:
    """The data frame behind the card's header: IEEE 802.11-2020, 9.2.4 and 9.3.2.

    Raises:
      Unused: it holds no data, or they are encrypted. IndexError: it ends too early.
    """
    at = header.length
    control, flags = frame[at], frame[at + 1]
    has_quality_of_service, has_no_data = control & 0x80, control & 0x40
    if control & 0x0C != 0x08 or has_no_data:
        raise Unused(NOT_IP)
    if flags & 0x40:
        raise Unused(ENCRYPTED_FRAME)
    data = at + 24 + (6 if flags & 3 == 3 else 0)  # a fourth address between two access points
    is_aggregate = False
    if has_quality_of_service:
        is_aggregate = bool(frame[data] & 0x80)
        data += 6 if flags & 0x80 else 2
    if header.is_padded:
        data = at + (data - at + 3) // 4 * 4
    return DataFrame(data, is_aggregate)


def aggregated(link_type: int, frame: bytes) -> list[tuple[int, int]]:
    """The Ethernet frames in an A-MSDU, as (first byte, length); empty for all other frames.

    Each begins with two addresses and a length, as one of IEEE 802.3 does (IEEE 802.11-2020, 9.3.2.2.2). The last one
    may be cut.
    """
    try:
        header = radio_header(link_type, frame)
        if header.inside != IEEE802_11:
            return []
        outer = data_frame(frame, header)
    except (Unused, IndexError, struct.error):
        return []
    parts, at = [], outer.data
    while outer.is_aggregate and at + ETHERNET_HEADER < len(frame):
        (length,) = struct.unpack_from(">H", frame, at + 12)
        parts.append((at, min(ETHERNET_HEADER + length, len(frame) - at)))
        at += (ETHERNET_HEADER + length + 3) // 4 * 4
    return parts
