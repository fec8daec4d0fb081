"""Writes the seeds of tests/fuzz/corpus: small captures that the project makes itself.

python tests/fuzz/make_corpus.py
"""

import gzip
import lzma
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from clgan_tf.capture.compression import zstd
from tests import packets as p

UDP = p.ipv4(p.udp(b"payload"))
TCP = p.ipv6(p.tcp(b"payload", opts=b"\x01\x01\x08\x0a" + bytes(8), off=8))
WIRELESS = b"\x88\x01" + bytes(24) + b"\xaa\xaa\x03\x00\x00\x00\x08\x00" + UDP
GTP = p.ipv4(p.udp(b"\x30\xff" + bytes(6) + UDP, 2152, 2152))
FRAGMENTS = [*p.ipv4_fragments(bytes(p.udp(bytes(60))), 32), *p.ipv6_fragments(bytes(p.udp(bytes(60))), 32)]
SEEDS = {
    "ethernet": p.pcap([p.ethernet(UDP), p.ethernet(TCP, tags=b"\x81\x00\x00\x05"), p.ethernet(bytes(28), 0x0806)]),
    "mpls_pppoe": p.pcap(
        [
            p.ethernet(struct.pack(">I", 0x00064140) + UDP, 0x8847),
            p.ethernet(b"\x11\x00\x00\x01\x00\x00\x00\x21" + UDP, 0x8864),
        ],
        order=">",
        nanoseconds=True,
    ),
    "raw_fragments": p.pcap(FRAGMENTS, 101),
    "loop": p.pcap([b"\x02\x00\x00\x00" + UDP], 0),
    "ppp": p.pcap([b"\xff\x03\x00\x21" + UDP, b"\x0f\x00\x08\x00" + UDP], 50),
    "cooked": p.pcap([bytes(14) + b"\x08\x00" + UDP], 113),
    "cooked2": p.pcap([b"\x86\xdd" + bytes(18) + TCP], 276),
    "frame_relay": p.pcap([b"\x18\x41\x03\xcc" + UDP], 107),
    "radiotap": p.pcap([b"\x00\x00\x08\x00" + bytes(4) + WIRELESS], 127),
    "ppi": p.pcap([struct.pack("<BBHI", 0, 0, 8, 105) + WIRELESS], 192),
    "tunnels": p.pcap([GTP, p.ipv4_fragments(GTP, 512, protocol=4)[0], p.ipv4_fragments(UDP, 16, protocol=4)[0]], 101),
    "pcapng": p.section()
    + p.interface(1, resolution=9)
    + p.enhanced(p.ethernet(UDP))
    + p.block(3, struct.pack("<I", len(UDP)) + UDP)
    + p.section(">")
    + p.interface(101, ">")
    + p.enhanced(UDP, order=">"),
}
WAYS = {"ethernet": 0, "raw_fragments": 13, "tunnels": 23, "pcapng": 140}


def main() -> None:
    """One file a seed; the first byte is the way of reading it, see target.py."""
    folder = Path(__file__).parent / "corpus"
    folder.mkdir(exist_ok=True)
    for number, (name, data) in enumerate(SEEDS.items()):
        (folder / name).write_bytes(bytes([WAYS.get(name, number)]) + data)
    for name, pack in {"gzip": gzip.compress, "xz": lzma.compress, "zstd": zstd.compress}.items():
        (folder / name).write_bytes(b"\x05" + pack(SEEDS["ethernet"]))


if __name__ == "__main__":
    main()
