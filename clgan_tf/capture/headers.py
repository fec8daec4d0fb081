"""Packet headers of a whole block at once, in NumPy; whatever is uncommon goes to the exact decoder, packet by packet.

The fast path takes Ethernet (up to two VLAN tags) and raw IP, IPv4 that is no later fragment, IPv6 without
extension headers, TCP and UDP, and only where every length fits. A test holds it against `decode`.
"""

from dataclasses import dataclass

import numpy as np

from clgan_tf.capture import decode
from clgan_tf.capture.blocks import Block, gather

RAW_LINK_TYPES = (decode.DLT_RAW, decode.RAW, decode.RAW_IPV4, decode.RAW_IPV6)


@dataclass
class Segments:
    """TCP and UDP segments of a block, in order.

    rows: int64 [n], which packets of the block they are. network, transport, payload, end: int64 [n], offsets
    into the block's buffer. source, destination: uint64 [n, 3]: the address as two big-endian words (IPv4 in
    the second) and the port. protocol: uint64 [n]; version: uint64 [n], 4 or 6.
    """

    rows: np.ndarray
    network: np.ndarray
    transport: np.ndarray
    payload: np.ndarray
    end: np.ndarray
    source: np.ndarray
    destination: np.ndarray
    protocol: np.ndarray
    version: np.ndarray


def segments(block: Block) -> tuple[Segments, dict[str, int]]:
    """All segments of a block, and how many packets have none, by reason."""
    fast = _fast(block)
    accepted = fast.rows
    slow_rows = np.setdiff1d(np.arange(len(block)), accepted, assume_unique=True)
    found: list[tuple[int, decode.Segment]] = []
    drops: dict[str, int] = {}
    for row in slow_rows.tolist():
        segment = decode.decode(int(block.link_type[row]), block.frame(row))
        if isinstance(segment, str):
            drops[segment] = drops.get(segment, 0) + 1
        else:
            found.append((row, segment))
    if not found:
        return fast, drops
    return _merge(fast, _from_scalar(found, block)), drops


def _from_scalar(found: list[tuple[int, decode.Segment]], block: Block) -> Segments:
    rows = np.array([row for row, _ in found])
    offsets = np.array([(s.network, s.transport, s.payload, s.end) for _, s in found]) + block.start[rows, np.newaxis]

    def end_point(address: bytes, port: int) -> tuple[int, int, int]:
        padded = address.rjust(16, b"\0")
        return int.from_bytes(padded[:8], "big"), int.from_bytes(padded[8:], "big"), port

    network, transport, payload, end = offsets.T
    return Segments(
        rows,
        network,
        transport,
        payload,
        end,
        np.array([end_point(s.source, s.source_port) for _, s in found], np.uint64),
        np.array([end_point(s.destination, s.destination_port) for _, s in found], np.uint64),
        np.array([s.protocol for _, s in found], np.uint64),
        np.array([4 if len(s.source) == 4 else 6 for _, s in found], np.uint64),
    )


def _merge(one: Segments, other: Segments) -> Segments:
    order = np.argsort(np.concatenate([one.rows, other.rows]), kind="stable")
    return Segments(
        *(np.concatenate([getattr(one, name), getattr(other, name)])[order] for name in Segments.__dataclass_fields__)
    )


def _fast(block: Block) -> Segments:
    buffer, data = block.buffer, np.frombuffer(block.buffer, np.uint8)

    def u16(at: np.ndarray) -> np.ndarray:
        return gather(buffer, at, ">u2").astype(np.int64)

    rows = np.flatnonzero((block.link_type == decode.ETHERNET) | np.isin(block.link_type, RAW_LINK_TYPES))
    start, stop = block.start[rows], block.start[rows] + block.length[rows]
    ethernet = block.link_type[rows] == decode.ETHERNET
    # Offsets may point up to MARGIN bytes behind a short frame; `network + 48 <= stop` is checked before any use.
    network = np.where(ethernet, start + 14, start)
    ethertype = np.where(ethernet, u16(start + 12), 0)
    for _ in range(2):
        tagged = np.flatnonzero(np.isin(ethertype, decode.ETHERTYPES_VLAN))
        if not len(tagged):
            break
        ethertype[tagged] = u16(network[tagged] + 2)
        network[tagged] += 4
    network = np.minimum(network, len(data) - 64)
    first = data[network].astype(np.int64)
    version = first >> 4
    is4 = (version == 4) & (~ethernet | (ethertype == decode.ETHERTYPE_IPV4)) & (network + 28 <= stop)
    is6 = (version == 6) & (~ethernet | (ethertype == decode.ETHERTYPE_IPV6)) & (network + 48 <= stop)

    header = np.where(is4, (first & 15) * 4, 40)
    total = u16(network + 2)
    payload_length = u16(network + 4)
    length = np.where(is4, total, payload_length + 40)
    end = np.where(np.where(is4, total, payload_length) == 0, stop, np.minimum(network + length, stop))
    good = is4 & (header >= 20) & ((total == 0) | (total >= header)) & (u16(network + 6) & 0x1FFF == 0)
    good |= is6
    protocol = np.where(is4, data[network + 9], data[network + 6]).astype(np.int64)
    tcp = protocol == decode.TCP
    good &= tcp | (protocol == decode.UDP)
    transport = np.minimum(network + header, len(data) - 32)
    transport_header = np.where(tcp, (data[transport + 12] >> 4).astype(np.int64) * 4, 8)
    good &= transport_header >= np.where(tcp, 20, 8)
    udp_length = u16(transport + 4)
    end = np.where(~tcp & (udp_length >= 8), np.minimum(end, transport + udp_length), end)
    payload = transport + transport_header
    good &= payload <= end

    kept = np.flatnonzero(good)
    network, transport, is6 = network[kept], transport[kept], is6[kept]
    source, destination = (
        _end_points(buffer, network, is6, gather(buffer, transport + 2 * side, ">u2"), side) for side in (0, 1)
    )
    return Segments(
        rows[kept],
        network,
        transport,
        payload[kept],
        end[kept],
        source,
        destination,
        protocol[kept].astype(np.uint64),
        np.where(is6, 6, 4).astype(np.uint64),
    )


def _end_points(buffer: bytearray, network: np.ndarray, is6: np.ndarray, ports: np.ndarray, side: int) -> np.ndarray:
    points = np.zeros((len(network), 3), np.uint64)
    points[:, 2] = ports
    four, six = np.flatnonzero(~is6), np.flatnonzero(is6)
    points[four, 1] = gather(buffer, network[four] + 12 + 4 * side, ">u4")
    for word in (0, 1):
        points[six, word] = gather(buffer, network[six] + 8 + 16 * side + 8 * word, ">u8")
    return points
