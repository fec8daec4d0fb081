"""The demo corpus: about 4,000 sessions of 12 classes as capture files, some unlabelled, one never seen."""

import random
from pathlib import Path

import dpkt
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from clgan_tf.common import progress
from clgan_tf.common.errors import ConfigError
from clgan_tf.common.files import Marker, written_directory
from clgan_tf.demo.applications import APPLICATIONS, speak
from clgan_tf.demo.conversation import ETHERNET_HEADER, Host, Message, host, tcp_frames, udp_frames

TUNNELLED = "Vpn_"
CLASS_NAMES = [*APPLICATIONS, *(TUNNELLED + name for name in APPLICATIONS)]
CAPTURES_PER_CLASS = 3
SESSIONS_PER_CAPTURE = 100
UNLABELLED_PER_CLASS = 30
UNSEEN_PER_CLASS = 4
UNSEEN = "unseen.pcap"
MARKER = Marker("demo_traffic.txt", "Made by clgan_tf as demo traffic")

START = 1_767_225_600  # 2026-01-01 00:00 UTC: every capture covers the same hour, so time tells nothing
DURATION = 3600.0
TUNNEL_PORT = 51820


def write_corpus(root: Path, seed: int, overwrite: bool = False, scale: float = 1.0) -> None:
    """Writes root/CLASS/N.pcap, root/unlabelled/1.pcap and root/unseen.pcap.

    Args:
      root: created; an existing corpus stays as it is unless `overwrite`, with a warning where it is of another seed.
      seed: decides everything but OpenSSL's own keys and nonces.
      scale: multiplies the number of sessions; 1 gives 4,008.

    Raises:
      ConfigError: something that is no demo corpus stands at `root`.
    """
    if root.exists() and not overwrite:
        if not (root / MARKER.name).exists():
            raise ConfigError(f"{root} exists and is no demo corpus; choose another --source.")
        if (root / MARKER.name).read_text(encoding="utf-8", errors="replace") != _mark(seed):
            progress.warn(f"{root} holds demo traffic of another seed, which stays; pass --overwrite to make it anew.")
        return
    rng = random.Random(f"demo/{seed}")
    files = {
        f"{name}/{number}.pcap": [name] * max(1, round(SESSIONS_PER_CAPTURE * scale))
        for name in CLASS_NAMES
        for number in range(1, CAPTURES_PER_CLASS + 1)
    }
    files["unlabelled/1.pcap"] = CLASS_NAMES * max(1, round(UNLABELLED_PER_CLASS * scale))
    files[UNSEEN] = CLASS_NAMES * UNSEEN_PER_CLASS
    total = sum(len(names) for names in files.values())
    with written_directory(root, overwrite, MARKER) as aside, progress.bar("Making traffic", total, " sessions") as bar:
        for path, names in files.items():
            packets = []
            for name in names:
                packets += _timed(rng, session_packets(rng, name))
                bar.update()
            _write_capture(aside / path, packets)
        (aside / MARKER.name).write_text(_mark(seed), encoding="utf-8")


def _mark(seed: int) -> str:
    return f"{MARKER.text}, seed {seed}\n"


def session_packets(rng: random.Random, class_name: str) -> list[bytes]:
    """The IP packets of one session of a class."""
    transport, port, messages = speak(rng, class_name.removeprefix(TUNNELLED))
    client, server = _hosts(rng, port)
    packets = (tcp_frames if transport == "tcp" else udp_frames)(rng, client, server, messages)
    return _through_tunnel(rng, packets, client.address) if class_name.startswith(TUNNELLED) else packets


def _hosts(rng: random.Random, port: int) -> tuple[Host, Host]:
    client_stack = rng.choice(("linux", "windows", "mac"))
    server_stack = rng.choices(("server", "appliance"), (4, 1))[0]
    client = bytes([10, 0, rng.randint(0, 255), rng.randint(1, 254)])
    server = bytes([198, rng.choice((18, 19)), rng.randint(0, 255), rng.randint(1, 254)])
    return (
        host(rng, client_stack, client, rng.randint(32768, 60999), 0),
        host(rng, server_stack, server, port, rng.randint(5, 18)),
    )


def _through_tunnel(rng: random.Random, packets: list[bytes], client_address: bytes) -> list[bytes]:
    """Each inner IP packet as one transport-data message in WireGuard's layout (whitepaper, section 5.4.6).

    The tunnel was keyed before the capture began, and every session has one of its own.
    """
    cipher, receivers = ChaCha20Poly1305(rng.randbytes(32)), (rng.randbytes(4), rng.randbytes(4))
    messages: list[Message] = []
    for counter, packet in enumerate(packets):
        speaker = int(packet[12:16] != client_address)
        padded = packet + bytes(-len(packet) % 16)
        count = counter.to_bytes(8, "little")
        sealed = cipher.encrypt(bytes(4) + count, padded, None)
        messages.append((speaker, b"\x04\x00\x00\x00" + receivers[speaker] + count + sealed))
    client, server = _hosts(rng, TUNNEL_PORT)
    return udp_frames(rng, client, server, messages)


def _timed(rng: random.Random, packets: list[bytes]) -> list[tuple[float, bytes]]:
    time = START + rng.random() * DURATION
    timed = []
    for packet in packets:
        timed.append((time, ETHERNET_HEADER + packet))
        time += rng.expovariate(1 / 0.02)
    return timed


def _write_capture(path: Path, packets: list[tuple[float, bytes]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        writer = dpkt.pcap.Writer(file, snaplen=65535, linktype=dpkt.pcap.DLT_EN10MB)
        for time, frame in sorted(packets):
            writer.writepkt(frame, ts=time)
