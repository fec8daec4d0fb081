"""Packet headers of a whole block at once, in NumPy; whatever is uncommon goes to the exact decoder, packet by packet.

The fast path takes Ethernet and Linux cooked captures (up to two VLAN tags), raw IP and loopback; IPv4 that
is no fragment, IPv6 without extension headers, TCP and UDP, and only where every length fits; and it counts ARP and
other protocols. A test holds it against `packet.decode`.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from clgan_tf.capture import link_layer, packet, tunnels, wireless
from clgan_tf.capture.block import FRAME_FRONT, MARGIN, Block, gather
from clgan_tf.capture.fragments import Reassembler
from clgan_tf.capture.reasons import ARP, NOT_IP, NOT_TCP_OR_UDP, TUNNEL

# Link type -> where its EtherType lies (-1: there is none) and where the network layer begins.
PLACES = {
    link_layer.ETHERNET: (12, 14),
    link_layer.LINUX_SLL: (14, 16),
    link_layer.LINUX_SLL2: (0, 20),
    link_layer.NULL: (-1, 4),
    link_layer.LOOP: (-1, 4),
    **dict.fromkeys(link_layer.RAW_LINK_TYPES, (-1, 0)),
}


@dataclass
class Segments:
    """TCP and UDP segments of a block, in order.

    rows: int64 [n], which packets of the block they are; number: int64 [n], which of the capture, from 1, that of the
    last fragment where there are several. network, transport, payload, end: int64 [n], offsets into the block's
    buffer. source, destination: uint64 [n, 3]: the address as two big-endian words (IPv4 in the second) and the port.
    protocol: uint64 [n]; version: uint64 [n], 4 or 6. packets: int64 [n], of how many captured packets each is made:
    more than 1 if it was put together from fragments.
    """

    rows: np.ndarray
    number: np.ndarray
    network: np.ndarray
    transport: np.ndarray
    payload: np.ndarray
    end: np.ndarray
    source: np.ndarray
    destination: np.ndarray
    protocol: np.ndarray
    version: np.ndarray
    packets: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


class Decoder:
    """Decodes the blocks of one capture, in order.

    Args:
      inner: look into tunnels; see `packet.decode`.
    """

    def __init__(self, inner: bool = False) -> None:
        self.inner = inner
        self._packets = 0
        self._reassembler = Reassembler()
        self._drops: Counter[str] = Counter()

    @property
    def drops(self) -> Counter[str]:
        """Packets that are in no segment so far, by reason; fragments that still wait are not among them."""
        return self._drops + self._reassembler.drops

    def finish(self) -> None:
        """Gives up the fragments that still wait."""
        self._reassembler.finish()

    def decode(self, block: Block) -> tuple[Block, Segments]:
        """All segments of a block, and the block that they lie in, whose length is the number of packets.

        That is another block where a datagram became whole, whose last fragment's frame is replaced by the reassembled
        one, and where 802.11 put several packets into one frame, which are taken out of it.
        """
        numbers = self._packets + 1 + np.arange(len(block))
        self._packets += len(block)
        block, numbers = _without_aggregates(block, numbers)
        fast, unused = _fast(block, numbers, self.inner)
        is_slow = np.ones(len(block), bool)
        is_slow[fast.rows] = False
        for reason, rows in unused.items():
            is_slow[rows] = False
            self._drops[reason] += len(rows)
        found: list[_Found] = []
        behind = bytearray()
        for row in np.flatnonzero(is_slow).tolist():
            frame, packets, start = block.frame(row), 1, int(block.start[row])
            decoded = packet.decode(int(block.link_type[row]), frame, self.inner)
            while isinstance(decoded, packet.Fragment):
                whole = self._reassembler.add(decoded, frame, int(block.time_ns[row]), packets)
                if whole is None:
                    break
                frame, network, packets = whole
                decoded = packet.decode_datagram(frame, network, self.inner)
            if isinstance(decoded, packet.Segment):
                if packets > 1:
                    start = len(block.buffer) + len(behind) + FRAME_FRONT
                    behind += bytes(FRAME_FRONT) + frame
                found.append(_Found(row, start, len(frame), decoded, packets))
            elif isinstance(decoded, str):
                self._drops[decoded] += packets
        if behind:
            block = _with_frames(block, behind, found)
        return block, _merge(fast, _from_scalar(found, numbers)) if found else fast


class _Found(NamedTuple):
    """A segment that the exact decoder found: its row, where its frame lies in the buffer, of how many packets."""

    row: int
    start: int
    length: int
    segment: packet.Segment
    packets: int


def _without_aggregates(block: Block, numbers: np.ndarray) -> tuple[Block, np.ndarray]:
    """The block with the frames of every 802.11 aggregate in its place, as Ethernet frames behind the others.

    And of each packet its number in the capture, int64 [n], which all frames of an aggregate share.
    """
    rows = np.flatnonzero(np.isin(block.link_type, wireless.LINK_TYPES)).tolist()
    found = [(row, wireless.aggregated(int(block.link_type[row]), block.frame(row))) for row in rows]
    found = [(row, parts) for row, parts in found if parts]
    if not found:
        return block, numbers
    counts = np.ones(len(block), np.int64)
    counts[[row for row, _ in found]] = [len(parts) for _, parts in found]
    columns = (block.start, block.length, block.wire_length, block.time_ns, block.link_type)
    start, length, wire_length, time_ns, link_type = (np.repeat(column, counts) for column in columns)
    firsts, behind = np.cumsum(counts) - counts, bytearray()
    for row, parts in found:
        frame = block.frame(row)
        for index, (at, size) in enumerate(parts, int(firsts[row])):
            behind += bytes(FRAME_FRONT)
            start[index] = len(block.buffer) + len(behind)
            length[index] = wire_length[index] = size
            link_type[index] = link_layer.ETHERNET
            behind += frame[at : at + size]
    block = Block(block.buffer + behind + bytes(MARGIN), start, length, wire_length, time_ns, link_type)
    return block, np.repeat(numbers, counts)


def _with_frames(block: Block, behind: bytearray, found: list[_Found]) -> Block:
    """The block with reassembled frames behind its own, in the place of their last fragments."""
    start, length, wire_length = block.start.copy(), block.length.copy(), block.wire_length.copy()
    for one in found:
        if one.packets > 1:
            start[one.row] = one.start
            length[one.row] = wire_length[one.row] = one.length
    return replace(
        block, buffer=block.buffer + behind + bytes(MARGIN), start=start, length=length, wire_length=wire_length
    )


def _from_scalar(found: list[_Found], numbers: np.ndarray) -> Segments:
    def end_point(address: bytes, port: int) -> tuple[int, int, int]:
        padded = address.rjust(16, b"\0")
        return int.from_bytes(padded[:8], "big"), int.from_bytes(padded[8:], "big"), port

    segments = [one.segment for one in found]
    starts = np.array([[one.start] for one in found])
    network, transport, payload, end = (
        np.array([(s.network, s.transport, s.payload, s.end) for s in segments]) + starts
    ).T
    rows = np.array([one.row for one in found])
    return Segments(
        rows,
        numbers[rows],
        network,
        transport,
        payload,
        end,
        np.array([end_point(s.source, s.source_port) for s in segments], np.uint64),
        np.array([end_point(s.destination, s.destination_port) for s in segments], np.uint64),
        np.array([s.protocol for s in segments], np.uint64),
        np.array([4 if len(s.source) == 4 else 6 for s in segments], np.uint64),
        np.array([one.packets for one in found]),
    )


def _merge(one: Segments, other: Segments) -> Segments:
    order = np.argsort(np.concatenate([one.rows, other.rows]), kind="stable")
    return Segments(
        *(np.concatenate([getattr(one, name), getattr(other, name)])[order] for name in Segments.__dataclass_fields__)
    )


def _fast(block: Block, numbers: np.ndarray, inner: bool) -> tuple[Segments, dict[str, np.ndarray]]:
    """The segments that are plain to see, and the rows of packets that surely are none, by reason."""
    buffer, data = block.buffer, np.frombuffer(block.buffer, np.uint8)

    def u16(at: np.ndarray) -> np.ndarray:
        return gather(buffer, at, ">u2").astype(np.int64)

    kinds = np.unique(block.link_type)
    rows = np.flatnonzero(np.isin(block.link_type, list(PLACES)))
    start, stop = block.start[rows], block.start[rows] + block.length[rows]
    type_at, network = np.full(len(rows), -1), start
    for kind in kinds.tolist():
        if kind in PLACES:
            chosen = block.link_type[rows] == kind
            type_at = np.where(chosen, PLACES[kind][0], type_at)
            network = np.where(chosen, start + PLACES[kind][1], network)
    # Offsets may point up to MARGIN bytes behind a short frame; `network + 48 <= stop` is checked before any use.
    typed = type_at >= 0
    ethertype = np.where(typed, u16(start + np.maximum(type_at, 0)), 0)
    for _ in range(2):
        tagged = np.flatnonzero(np.isin(ethertype, link_layer.ETHERTYPES_VLAN))
        if not len(tagged):
            break
        ethertype[tagged] = u16(network[tagged] + 2)
        network[tagged] += 4
    is_named = typed & (network <= stop)
    is_arp = is_named & (ethertype == link_layer.ETHERTYPE_ARP)
    is_other = is_named & (ethertype > link_layer.LONGEST_802_3_FRAME) & ~np.isin(ethertype, link_layer.FOLLOWED)
    network = np.minimum(network, len(data) - 64)
    first = data[network].astype(np.int64)
    version = first >> 4
    is4 = (version == 4) & (~typed | (ethertype == link_layer.ETHERTYPE_IPV4)) & (network + 28 <= stop)
    is6 = (version == 6) & (~typed | (ethertype == link_layer.ETHERTYPE_IPV6)) & (network + 48 <= stop)

    header = np.where(is4, (first & 15) * 4, 40)
    total = u16(network + 2)
    payload_length = u16(network + 4)
    length = np.where(is4, total, payload_length + 40)
    end = np.where(np.where(is4, total, payload_length) == 0, stop, np.minimum(network + length, stop))
    more_fragments_or_place = u16(network + 6) & 0x3FFF
    good = is4 & (header >= 20) & ((total == 0) | (total >= header)) & (more_fragments_or_place == 0)
    good |= is6
    protocol = np.where(is4, data[network + 9], data[network + 6]).astype(np.int64)
    tcp = protocol == packet.TCP
    is_extension = is6 & np.isin(protocol, packet.IPV6_HEADERS)
    is_not_ours = good & ~tcp & (protocol != packet.UDP) & ~is_extension
    is_tunnel = is_not_ours & np.isin(protocol, tunnels.PROTOCOLS)
    unused = {ARP: is_arp, NOT_IP: is_other, NOT_TCP_OR_UDP: is_not_ours & ~is_tunnel}
    if not inner:
        unused[TUNNEL] = is_tunnel
    good &= tcp | (protocol == packet.UDP)
    transport = np.minimum(network + header, len(data) - 32)
    transport_header = np.where(tcp, (data[transport + 12] >> 4).astype(np.int64) * 4, 8)
    good &= transport_header >= np.where(tcp, 20, 8)
    udp_length = u16(transport + 4)
    end = np.where(~tcp & (udp_length >= 8), np.minimum(end, transport + udp_length), end)
    payload = transport + transport_header
    is_cut = tcp & (end == stop) & (transport + packet.TCP_FLAGS < stop)  # inside the options
    claimed_end = np.where(np.where(is4, total, payload_length) == 0, packet.UNKNOWN_END, network + length)
    good &= (payload <= end) | (is_cut & (payload <= claimed_end))
    payload = np.minimum(payload, end)
    if inner:
        for side in (0, 2):
            good &= tcp | ~np.isin(u16(transport + side), tunnels.UDP_PORTS)

    kept = np.flatnonzero(good)
    network, transport, is6 = network[kept], transport[kept], is6[kept]
    source, destination = (
        _end_points(buffer, network, is6, gather(buffer, transport + 2 * side, ">u2"), side) for side in (0, 1)
    )
    return Segments(
        rows[kept],
        numbers[rows[kept]],
        network,
        transport,
        payload[kept],
        end[kept],
        source,
        destination,
        protocol[kept].astype(np.uint64),
        np.where(is6, 6, 4).astype(np.uint64),
        np.ones(len(kept), np.int64),
    ), {reason: rows[chosen] for reason, chosen in unused.items()}


def _end_points(buffer: bytearray, network: np.ndarray, is6: np.ndarray, ports: np.ndarray, side: int) -> np.ndarray:
    points = np.zeros((len(network), 3), np.uint64)
    points[:, 2] = ports
    four, six = np.flatnonzero(~is6), np.flatnonzero(is6)
    points[four, 1] = gather(buffer, network[four] + 12 + 4 * side, ">u4")
    for word in (0, 1):
        points[six, word] = gather(buffer, network[six] + 8 + 16 * side + 8 * word, ">u8")
    return points
