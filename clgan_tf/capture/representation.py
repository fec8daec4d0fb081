"""The representations of a session: which of its bytes become the 784 of an image.

Each gives the bytes of one packet; a session's are those of its packets, one after another, cut to
or padded with zeros to 784 and read row by row as 28 x 28. A version goes up whenever bytes change.
To add one, write its `slices` and a line of REPRESENTATIONS: captures, data sets, the audit, model cards and
`--representation` take it from there.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum

import numpy as np

from clgan_tf.capture.block import FRAME_FRONT, Block, gather, scatter
from clgan_tf.capture.packet import TCP, TCP_FLAGS
from clgan_tf.capture.packet_block import Segments

IMAGE_BYTES = 784
DEFAULT_REPRESENTATION = "packets"
PACKET_ROW = 28  # bytes of each packet in `packets`: an image's row
UDP_HEADER = 8
ROW_PAYLOAD = 4  # where in such a row the payload begins
SENT_BY_INITIATOR, SENT_BY_RESPONDER, OVER_TCP, OVER_UDP = 1, 2, 4, 8  # bits of a row's first byte

PORTS, TCP_MOMENTS, UDP_CHECKSUM = np.arange(4), np.array([*range(4, 12), 16, 17]), np.array([6, 7])

# TCP option kinds (RFC 9293, 2018, 7323)
OPTION_END, OPTION_NOTHING, OPTION_SELECTIVE_ACKNOWLEDGEMENT, OPTION_TIMESTAMPS = 0, 1, 5, 8


Slices = tuple[np.ndarray, np.ndarray]  # start and stop in the block's buffer, int64 [n]


class FieldGroup(StrEnum):
    """Header fields of a session's first packet that belong together; what a representation may show of it."""

    CAPTURE_TIME = "capture time"
    LINK_TYPE = "link type"
    MAC = "MAC"
    IP = "IP"
    PORTS = "ports"
    TTL = "TTL"
    IP_ID = "IP-ID"
    TCP_NUMBERS = "TCP numbers"
    LENGTHS = "lengths"
    FIRST_PAYLOAD_BYTES = "first payload bytes"

    @property
    def is_content(self) -> bool:
        """Whether an application itself decides them; all others name hosts and moments."""
        return self in (FieldGroup.LENGTHS, FieldGroup.FIRST_PAYLOAD_BYTES)


class Beginning(Enum):
    """What an image begins with: a pcap file header, the first packet's IP header, its payload, or its row."""

    CAPTURE_HEADER = "capture header"
    IP_HEADER = "IP header"
    PAYLOAD = "payload"
    PACKET_ROW = "packet's row"


@dataclass(frozen=True)
class Representation:
    """A representation, and all that other rooms need to know of it.

    Args:
      version: goes up whenever the bytes of a session change.
      header: the bytes that open every session, by link type.
      slices: where each packet's bytes lie; it may overwrite the block's buffer.
      needs_payload: sessions without payload have no image.
      begins_with: what an image begins with.
      shows: the header fields that can be read from an image.
      note: for people who read a score or a model card.
      sender_at: which byte of a packet's is told who sent it, SENT_BY_INITIATOR or SENT_BY_RESPONDER: only the table of
        sessions knows who began. None: no byte.
      size_at: which two of a packet's bytes, big-endian, are its size, where a session's length is the sum of these.
        None: it is that of what makes its image.
    """

    name: str
    version: int
    header: Callable[[int], bytes]
    slices: Callable[[Block, Segments], Slices]
    needs_payload: bool
    begins_with: Beginning
    shows: tuple[FieldGroup, ...]
    note: str
    sender_at: int | None = None
    size_at: int | None = None

    @property
    def has_a_row_a_packet(self) -> bool:
        """Whether each of an image's rows is a packet: only such a one has a byte that says who sent it."""
        return self.sender_at is not None

    @property
    def leaks(self) -> tuple[FieldGroup, ...]:
        """The fields among them that name hosts or moments of capture."""
        return tuple(group for group in self.shows if not group.is_content)


def all_layers(block: Block, segments: Segments) -> Slices:
    """The layout of USTC-TK2016 and DeepTraffic: a 16-byte big-endian pcap record header, then the frame.

    The session opens with a 24-byte big-endian pcap file header (`pcap_header`). For comparison with
    papers only: capture time, addresses and link type are in it, and they alone tell the classes apart.
    """
    rows = segments.rows
    seconds, nanoseconds = np.divmod(block.time_ns[rows], 1_000_000_000)
    fields = np.stack([seconds, nanoseconds // 1000, block.length[rows], block.wire_length[rows]], axis=1)
    start = block.start[rows] - 16
    _write(block, start, np.arange(16), fields.astype(">u4").view(np.uint8))
    return start, start + 16 + block.length[rows]


def pcap_header(link_type: int) -> bytes:
    """The 24-byte big-endian file header of `all_layers`: version 2.4, snapshot length 65,535."""
    return struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0xFFFF, link_type)


def l7(_block: Block, segments: Segments) -> Slices:
    """The TCP or UDP payload alone, as published; a session without any payload has no image."""
    return segments.payload, segments.end


def masked(block: Block, segments: Segments) -> Slices:
    """From the IP header to the end of the payload, with all that names hosts or moments set to zero.

    Zeroed: IPv4 identification, header checksum, addresses and options (they list addresses and times); IPv6
    flow label, addresses and extension headers (they hold addresses and fragment numbers); ports; TCP
    sequence and acknowledgement numbers, checksum, timestamps and selective acknowledgements
    (their edges are sequence numbers); UDP checksum. Kept: lengths, TTL or hop limit, flags, window,
    urgent pointer and all other TCP options. Link layer and trailer are left out.
    """
    network, transport = segments.network, segments.transport
    four, tcp = segments.version == 4, segments.protocol == TCP
    data = np.frombuffer(block.buffer, np.uint8)
    _write(block, network[four], np.array([4, 5, *range(10, 20)]), 0)
    data[network[~four] + 1] &= 0xF0  # the flow label's upper 4 bits; traffic class stays
    _write(block, network[~four], np.array([2, 3, *range(8, 40)]), 0)
    fixed = network + np.where(four, 20, 40)
    for row in np.flatnonzero(transport > fixed).tolist():  # options or extension headers: rare
        data[fixed[row] : transport[row]] = 0
    whole = segments.end >= transport + np.where(tcp, 20, 8)
    _write(block, transport, PORTS, 0)
    _write(block, transport[tcp & whole], TCP_MOMENTS, 0)
    _write(block, transport[~tcp & whole], UDP_CHECKSUM, 0)
    if not whole.all():  # Nothing may be written behind what was captured.
        for chosen, places in ((tcp & ~whole, TCP_MOMENTS), (~tcp & ~whole, UDP_CHECKSUM)):
            at = transport[chosen, np.newaxis] + places
            data[at[at < segments.end[chosen, np.newaxis]]] = 0
    _mask_options(block, transport[tcp] + 20, segments.payload[tcp])
    return network, segments.end


def packets(block: Block, segments: Segments) -> Slices:
    """A row of 28 bytes for each packet, so that the first 28 packets fill an image.

    A row: who sent it and over what (see SENT_BY_INITIATOR and its like), the payload's size (2 bytes, big-endian), TCP
    flags (0 of UDP), the payload's first 24 bytes. The size is what the headers say, so that a snapshot length that
    leaves them whole changes no row but for payload that is not there. Nothing else of a header is shown, and no time.
    """
    data, tcp = np.frombuffer(block.buffer, np.uint8), segments.protocol == TCP
    shown = PACKET_ROW - ROW_PAYLOAD
    flags = segments.transport + TCP_FLAGS
    rows = np.empty((len(segments), PACKET_ROW), np.uint8)
    rows[:, 0] = np.where(tcp, OVER_TCP, OVER_UDP)
    rows[:, 1:3] = _sizes(block, segments).astype(">u2").view(np.uint8).reshape(-1, 2)
    rows[:, 3] = np.where(tcp & (flags < segments.end), data[flags], 0)
    rows[:, ROW_PAYLOAD:] = gather(block.buffer, segments.payload, f"V{shown}").view(np.uint8).reshape(-1, shown)
    captured = segments.end - segments.payload
    short = np.flatnonzero(captured < shown)
    rows[short, ROW_PAYLOAD:] *= np.arange(shown) < captured[short, np.newaxis]
    # The room before a frame and the first bytes of its IP header, however short it was cut, belong to no other packet.
    start = segments.network - FRAME_FRONT
    scatter(block.buffer, start, rows.view(f"V{PACKET_ROW}").reshape(-1))
    return start, start + PACKET_ROW


def _sizes(block: Block, segments: Segments) -> np.ndarray:
    """Bytes of payload that each packet had on the wire, int64 [n]: by its headers, at least what was captured."""
    transport, end = segments.transport, segments.end
    data, tcp = np.frombuffer(block.buffer, np.uint8), segments.protocol == TCP

    def length(at: np.ndarray) -> np.ndarray:
        return gather(block.buffer, at, ">u2").astype(np.int64)

    four = segments.version == 4
    of_packet = length(segments.network + np.where(four, 2, 4))
    packet_end = np.where(of_packet == 0, end, segments.network + np.where(four, 0, 40) + of_packet)  # 0: offloaded
    of_datagram = length(transport + 4)
    is_told = ~tcp & (transport + 6 <= end) & (of_datagram >= UDP_HEADER)
    told_end = np.where(is_told, transport + of_datagram, packet_end)
    whole_end = np.where(of_packet == 0, told_end, np.minimum(told_end, packet_end))
    header = np.where(tcp, (data[transport + 12] >> 4).astype(np.int64) * 4, UDP_HEADER)
    has_header = ~tcp | (transport + 12 < end)
    payload = np.where(has_header, transport + header, segments.payload)
    return np.clip(np.maximum(whole_end - payload, end - segments.payload), 0, 0xFFFF)


def _write(block: Block, at: np.ndarray, places: np.ndarray, values: np.ndarray | int) -> None:
    np.frombuffer(block.buffer, np.uint8)[at[:, np.newaxis] + places] = values


def _mask_options(block: Block, at: np.ndarray, end: np.ndarray) -> None:
    """Walks all option lists together, one option a turn; a malformed list ends there."""
    data = np.frombuffer(block.buffer, np.uint8)
    while True:
        going = at < end
        at, end = at[going], end[going]
        kind = data[at]
        going = kind != OPTION_END
        at, end, kind = at[going], end[going], kind[going]
        if not len(at):
            return
        length = np.where(kind == OPTION_NOTHING, 1, data[at + 1]).astype(np.int64)
        going = (kind == OPTION_NOTHING) | ((at + 1 < end) & (length >= 2))
        at, end, kind, length = at[going], end[going], kind[going], length[going]
        following = np.minimum(at + length, end)
        moments = np.isin(kind, (OPTION_TIMESTAMPS, OPTION_SELECTIVE_ACKNOWLEDGEMENT))
        first, sizes = at[moments] + 2, (following - at)[moments] - 2
        if len(first):
            places = np.arange(sizes.max())
            inside = places < sizes[:, np.newaxis]
            data[(first[:, np.newaxis] + places)[inside]] = 0
        at = following


def _no_header(_link_type: int) -> bytes:
    return b""


REPRESENTATIONS = {
    representation.name: representation
    for representation in (
        Representation(
            name="packets",
            version=1,
            header=_no_header,
            slices=packets,
            needs_payload=False,
            begins_with=Beginning.PACKET_ROW,
            shows=(FieldGroup.LENGTHS, FieldGroup.FIRST_PAYLOAD_BYTES),
            note="Of each of the first 28 packets a row: direction, protocol, payload size, TCP flags and the first 24 "
            "bytes of payload. No address, port, time, TTL or option; server names in the clear are part of it.",
            sender_at=0,
            size_at=1,
        ),
        Representation(
            name="masked",
            version=1,
            header=_no_header,
            slices=masked,
            needs_payload=False,
            begins_with=Beginning.IP_HEADER,
            shows=(FieldGroup.TTL, FieldGroup.LENGTHS, FieldGroup.FIRST_PAYLOAD_BYTES),
            note="IP header to payload, with addresses, ports, checksums, IP identification and TCP numbers set to "
            "zero. Lengths, TTL and TCP options remain and can still tell hosts apart.",
        ),
        Representation(
            name="l7",
            version=1,
            header=_no_header,
            slices=l7,
            needs_payload=True,
            begins_with=Beginning.PAYLOAD,
            shows=(FieldGroup.LENGTHS, FieldGroup.FIRST_PAYLOAD_BYTES),
            note="Transport payloads alone. Server names in the clear (TLS, DNS) are part of it.",
        ),
        Representation(
            name="all_layers",
            version=1,
            header=pcap_header,
            slices=all_layers,
            needs_payload=False,
            begins_with=Beginning.CAPTURE_HEADER,
            shows=tuple(FieldGroup),
            note="Capture time stamps, addresses and link type are part of it, and they alone can identify the class: "
            "scores do not carry over to another capture.",
        ),
    )
}
