"""Packets and captures in a few lines, built with dpkt or struct, independently of clgan_tf.capture."""

import struct
from pathlib import Path

import dpkt

CLIENT, SERVER = b"\x0a\x00\x00\x01", b"\xc6\x12\x00\x02"
CLIENT6, SERVER6 = bytes.fromhex("20010db8" + "00" * 11 + "01"), bytes.fromhex("20010db8" + "00" * 11 + "02")


def tcp(payload: bytes = b"", source: int = 40000, destination: int = 443, **fields: object) -> dpkt.tcp.TCP:
    return dpkt.tcp.TCP(sport=source, dport=destination, data=payload, **fields)


def udp(payload: bytes = b"", source: int = 40000, destination: int = 53) -> dpkt.udp.UDP:
    return dpkt.udp.UDP(sport=source, dport=destination, ulen=8 + len(payload), data=payload)


def ipv4(
    segment: dpkt.Packet,
    source: bytes = CLIENT,
    destination: bytes = SERVER,
    total: int | None = None,
    fragment: int = 0,
    **fields: object,
) -> bytes:
    """`total` and `fragment` are written as they are: dpkt would correct them."""
    protocol = 6 if isinstance(segment, dpkt.tcp.TCP) else 17
    packet = bytes(dpkt.ip.IP(src=source, dst=destination, p=protocol, data=segment, **fields))
    total = len(packet) if total is None else total
    return packet[:2] + struct.pack(">HHH", total, fields.get("id", 0), fragment) + packet[8:]


def ipv6(segment: dpkt.Packet, source: bytes = CLIENT6, destination: bytes = SERVER6, extension: bytes = b"") -> bytes:
    """`extension`: headers between the IPv6 header and the segment; the first byte of the last must name it."""
    protocol = 6 if isinstance(segment, dpkt.tcp.TCP) else 17
    body = extension + bytes(segment)
    first = 0 if extension else protocol  # 0 = hop-by-hop options
    return struct.pack(">IHBB", 6 << 28, len(body), first, 64) + source + destination + body


def ipv4_fragments(data: bytes, size: int, protocol: int = 17, **fields: int) -> list[bytes]:
    """IPv4 packets that carry `data` in parts of `size` bytes, a multiple of 8."""
    packets = []
    for place in range(0, len(data), size):
        more = 0x2000 if place + size < len(data) else 0
        part = data[place : place + size]
        header = struct.pack(
            ">BBHHHBBH", 0x45, 0, 20 + len(part), fields.get("id", 7), more | place // 8, 64, protocol, 0
        )
        packets.append(header + CLIENT + SERVER + part)
    return packets


def ipv6_fragments(data: bytes, size: int, protocol: int = 17, extension: bytes = b"") -> list[bytes]:
    """IPv6 packets that carry `data` in parts of `size` bytes; `extension`: a hop-by-hop header before the fragment's."""
    packets = []
    for place in range(0, len(data), size):
        more = place + size < len(data)
        body = extension + struct.pack(">BBHI", protocol, 0, place | more, 77) + data[place : place + size]
        first = 0 if extension else 44
        packets.append(struct.pack(">IHBB", 6 << 28, len(body), first, 64) + CLIENT6 + SERVER6 + body)
    return packets


def ethernet(packet: bytes, ethertype: int | None = None, tags: bytes = b"") -> bytes:
    kind = ethertype if ethertype is not None else {4: 0x0800, 6: 0x86DD}[packet[0] >> 4]
    return bytes(12) + tags + kind.to_bytes(2, "big") + packet


def pcap(
    frames: list[bytes], link_type: int = 1, order: str = "<", nanoseconds: bool = False, start: int = 100
) -> bytes:
    """One packet a second from `start`, with a fraction of 5 units each."""
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    for second, frame in enumerate(frames, start):
        data += struct.pack(order + "IIII", second, 5, len(frame), len(frame)) + frame
    return data


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    length = 12 + len(body)
    return struct.pack(order + "II", kind, length) + body + struct.pack(order + "I", length)


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link_type: int, order: str = "<", resolution: int | None = None) -> bytes:
    options = b"" if resolution is None else struct.pack(order + "HHB3x", 9, 1, resolution) + bytes(4)
    return block(1, struct.pack(order + "HHI", link_type, 0, 0) + options, order)


def enhanced(frame: bytes, number: int = 0, time: int = 0, order: str = "<") -> bytes:
    header = struct.pack(order + "IIIII", number, time >> 32, time & 0xFFFFFFFF, len(frame), len(frame))
    return block(6, header + frame, order)


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
