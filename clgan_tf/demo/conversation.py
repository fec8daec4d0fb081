"""Conversations to Ethernet frames: TCP with handshake, segments and acknowledgements, and UDP."""

import random
from dataclasses import dataclass

import dpkt

CLIENT, SERVER = 0, 1
Message = tuple[int, bytes]  # who speaks, and what

ETHERNET_HEADER = bytes.fromhex("020000000002020000000001") + b"\x08\x00"


@dataclass(frozen=True)
class Host:
    """What an operating system shows of itself in IP and TCP headers."""

    address: bytes
    port: int
    hops_left: int
    window: int
    options: bytes
    timestamps: bool


# Initial TTL, window and SYN options (MSS 1460 in all) of three operating systems and of a server.
MSS = b"\x02\x04\x05\xb4"
STACKS = {
    "linux": (64, 64240, MSS + b"\x04\x02" + b"\x08\x0a" + bytes(8) + b"\x01\x03\x03\x07", True),
    "windows": (128, 64240, MSS + b"\x01\x03\x03\x08\x01\x01\x04\x02", False),
    "mac": (64, 65535, MSS + b"\x01\x03\x03\x06\x01\x01\x08\x0a" + bytes(8) + b"\x04\x02\x00\x00", True),
    "server": (64, 65160, MSS + b"\x04\x02" + b"\x08\x0a" + bytes(8) + b"\x01\x03\x03\x07", True),
    "appliance": (255, 29200, MSS + b"\x01\x01\x04\x02", False),
}


def host(rng: random.Random, stack: str, address: bytes, port: int, distance: int) -> Host:
    """A host of the given stack, `distance` hops away from where the capture is taken."""
    hops, window, options, timestamps = STACKS[stack]
    return Host(address, port, hops - distance, window, options, timestamps)


def udp_frames(rng: random.Random, client: Host, server: Host, messages: list[Message]) -> list[bytes]:
    """One IP packet (no Ethernet header) a message."""
    ends = (client, server)
    packets = []
    for speaker, payload in messages:
        source, destination = ends[speaker], ends[1 - speaker]
        datagram = dpkt.udp.UDP(sport=source.port, dport=destination.port, ulen=8 + len(payload), sum=0, data=payload)
        packets.append(_ip(rng, source, destination, dpkt.ip.IP_PROTO_UDP, datagram))
    return packets


def tcp_frames(
    rng: random.Random, client: Host, server: Host, messages: list[Message], segment_bytes: int = 1448
) -> list[bytes]:
    """IP packets of a whole TCP connection that carries `messages`, from SYN to the last ACK."""
    ends = (client, server)
    timestamps = client.timestamps and server.timestamps
    clocks = [rng.getrandbits(31), rng.getrandbits(31)]
    sequence = [rng.getrandbits(32), rng.getrandbits(32)]
    packets = []

    def send(speaker: int, flags: int, payload: bytes = b"") -> None:
        source, destination = ends[speaker], ends[1 - speaker]
        options = b""
        if flags & dpkt.tcp.TH_SYN:
            options = source.options if timestamps or not source.timestamps else _without_timestamps(source.options)
        elif timestamps:
            stamp = clocks[speaker].to_bytes(4, "big") + clocks[1 - speaker].to_bytes(4, "big")
            options = b"\x01\x01\x08\x0a" + stamp
        clocks[speaker] = (clocks[speaker] + rng.randint(1, 40)) & 0xFFFFFFFF
        segment = dpkt.tcp.TCP(
            sport=source.port,
            dport=destination.port,
            seq=sequence[speaker],
            ack=sequence[1 - speaker] if flags & dpkt.tcp.TH_ACK else 0,
            flags=flags,
            win=source.window if flags & dpkt.tcp.TH_SYN else 501 + rng.randint(0, 12),
            opts=options,
            data=payload,
        )
        packets.append(_ip(rng, source, destination, dpkt.ip.IP_PROTO_TCP, segment))
        control = flags & (dpkt.tcp.TH_SYN | dpkt.tcp.TH_FIN)
        sequence[speaker] = (sequence[speaker] + len(payload) + bool(control)) & 0xFFFFFFFF

    ack, push = dpkt.tcp.TH_ACK, dpkt.tcp.TH_ACK | dpkt.tcp.TH_PUSH
    send(CLIENT, dpkt.tcp.TH_SYN)
    send(SERVER, dpkt.tcp.TH_SYN | ack)
    send(CLIENT, ack)
    for speaker, payload in messages:
        for start in range(0, len(payload), segment_bytes):
            last = start + segment_bytes >= len(payload)
            send(speaker, push if last else ack, payload[start : start + segment_bytes])
        if rng.random() < 0.6:
            send(1 - speaker, ack)
    send(CLIENT, dpkt.tcp.TH_FIN | ack)
    send(SERVER, dpkt.tcp.TH_FIN | ack)
    send(CLIENT, ack)
    return packets


def _without_timestamps(options: bytes) -> bytes:
    return options.replace(b"\x08\x0a" + bytes(8), b"\x01" * 10)


def _ip(rng: random.Random, source: Host, destination: Host, protocol: int, data: dpkt.Packet) -> bytes:
    packet = dpkt.ip.IP(
        src=source.address,
        dst=destination.address,
        p=protocol,
        ttl=source.hops_left,
        id=rng.getrandbits(16),
        df=1,
        data=data,
    )
    packet.len = len(packet)
    return bytes(packet)
