"""Packets a second from a capture file to session images, beside a plain dpkt loop, nfstream and tshark.

    python experiments/benchmarks/capture.py [--sessions=290000] [--rounds=3] [--rough=$CLGAN_DATA/captures/ndpi]

Makes a mixed capture (about 5.3 packets a session) or, with --rough, one of all Ethernet frames of a folder,
ARP and all, again and again with other addresses. Then runs every reader in a process of its own, in turn,
several rounds; prints the median of packets/s and MB/s, the peak memory, and the ratio to ours, pair by pair.
nfstream (pip install nfstream) and tshark are left out, with a word, where they are not installed.
"""

import argparse
import importlib.util
import random
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

PACKETS = (2, 2, 3, 5, 8, 12)
PAYLOADS = (0, 0, 60, 200, 500, 1200)
LIVE_SESSIONS = 200  # so many run at the same time


def make_capture(path: Path, sessions: int, seed: int = 0) -> int:
    """Writes TCP and UDP sessions of random bytes, interleaved; returns the number of packets."""
    rng = random.Random(seed)
    live: list[list[bytes]] = []
    count = 0
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(sessions):
            live.append(_session(rng))
            while len(live) > LIVE_SESSIONS or (number == sessions - 1 and live):
                chosen = rng.randrange(len(live))
                frame = live[chosen].pop(0)
                file.write(
                    struct.pack("<IIII", 1_600_000_000 + count // 10_000, count % 10_000 * 100, len(frame), len(frame))
                )
                file.write(frame)
                count += 1
                if not live[chosen]:
                    live[chosen] = live[-1]
                    live.pop()
    return count


def make_rough_capture(path: Path, folder: Path, packets: int) -> int:
    """Writes every Ethernet frame of a folder's captures, IPv4's source addresses changed from round to round."""
    from clgan_tf.capture.reader import Reader
    from clgan_tf.capture.sources import find

    frames = [
        bytearray(block.frame(row))
        for name in find([folder])
        for block in Reader(name)
        for row in np.flatnonzero(block.link_type == 1).tolist()
    ]
    count = 0
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        while count < packets:
            for frame in frames[: packets - count]:
                if frame[12:14] == b"\x08\x00" and len(frame) >= 34:
                    frame[27] = (frame[27] + 1) & 0xFF
                moment = struct.pack("<II", 1_600_000_000 + count // 10_000, count % 10_000 * 100)
                file.write(moment + struct.pack("<II", len(frame), len(frame)) + frame)
                count += 1
    return count


def as_pcapng(path: Path) -> None:
    """Writes a capture's packets beside it once more, as enhanced packet blocks of one interface."""
    import dpkt

    with open(path, "rb") as source, open(path.with_suffix(".pcapng"), "wb") as target:
        writer = dpkt.pcapng.Writer(target)
        for moment, frame in dpkt.pcap.Reader(source):
            writer.writepkt(frame, moment)


def _session(rng: random.Random) -> list[bytes]:
    ends = [(rng.randbytes(4), rng.randrange(1024, 65535)), (rng.randbytes(4), rng.choice((443, 80, 53, 22, 993)))]
    is_udp = ends[1][1] == 53
    frames = []
    for number in range(rng.choice(PACKETS)):
        (source, source_port), (destination, destination_port) = ends[:: 1 if number % 2 == 0 else -1]
        payload = rng.randbytes(rng.choice(PAYLOADS) if number > 1 else 0)
        if is_udp:
            payload += rng.randbytes(40)
            segment = struct.pack(">HHHH", source_port, destination_port, 8 + len(payload), 0) + payload
        else:
            options = b"\x01\x01\x08\x0a" + rng.randbytes(8)
            if number < 2:
                options = b"\x02\x04\x05\xb4\x04\x02\x08\x0a" + rng.randbytes(8) + b"\x01\x03\x03\x07"
            size, flags = (20 + len(options)) // 4 << 4, 2 if number == 0 else 24
            head = struct.pack(">HHII", source_port, destination_port, rng.getrandbits(32), rng.getrandbits(32))
            segment = head + struct.pack(">BBHHH", size, flags, 501, 0, 0) + options + payload
        total, protocol = 20 + len(segment), 17 if is_udp else 6
        header = struct.pack(">BBHHHBBH", 0x45, 0, total, rng.getrandbits(16), 0x4000, 64, protocol, 0)
        frames.append(bytes(12) + b"\x08\x00" + header + source + destination + segment)
    return frames


def ours(paths: str | list[str], representation: str, workers: int = 1) -> int:
    """clgan_tf.capture: images of the representation, a part at a time as the classifier takes them."""
    from clgan_tf import capture

    return sum(map(len, capture.stream(paths, representation, workers=workers)))


def dpkt_loop(path: str) -> int:
    """What most scripts do: dpkt objects, a dictionary of 5-tuples, l7 images."""
    import dpkt

    sessions: dict[tuple, bytearray] = {}
    with open(path, "rb") as file:
        for _, frame in dpkt.pcap.Reader(file):
            try:
                packet = dpkt.ethernet.Ethernet(frame).data
            except dpkt.UnpackError:
                continue
            if not isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6) or not isinstance(
                packet.data, dpkt.tcp.TCP | dpkt.udp.UDP
            ):
                continue
            ends = sorted([(packet.src, packet.data.sport), (packet.dst, packet.data.dport)])
            image = sessions.setdefault((packet.p, *ends), bytearray())
            if len(image) < 784:
                image += packet.data.data
    return len([bytes(image[:784]).ljust(784, b"\0") for image in sessions.values() if image])


def nfstream_flows(path: str) -> int:
    """Nfstream with no plug-in: flows alone, no images."""
    from nfstream import NFStreamer

    streamer = NFStreamer(
        source=path, n_dissections=0, statistical_analysis=False, idle_timeout=10**6, active_timeout=10**6
    )
    return sum(1 for _ in streamer)


def tshark_conversations(path: str) -> int:
    """Tshark's list of TCP conversations, no images."""
    done = subprocess.run(["tshark", "-r", path, "-q", "-z", "conv,tcp"], capture_output=True, text=True, check=True)
    return done.stdout.count("<->")


TWO_COMMANDS = "2 files, 2 commands"  # at the same time, the slower one counts
READERS: dict[str, Callable[[str], int]] = {
    "clgan_tf l7": lambda path: ours(path, "l7"),
    "clgan_tf l7, pcapng": lambda path: ours(str(Path(path).with_suffix(".pcapng")), "l7"),
    "clgan_tf packets": lambda path: ours(path, "packets"),
    "clgan_tf masked": lambda path: ours(path, "masked"),
    "clgan_tf all_layers": lambda path: ours(path, "all_layers"),
    "clgan_tf l7, 2 files": lambda path: ours([path, path], "l7"),
    "2 files, 2 workers": lambda path: ours([path, path], "l7", workers=2),
    TWO_COMMANDS: lambda path: ours(path, "l7"),
    "dpkt loop, l7": dpkt_loop,
    "nfstream": nfstream_flows,
    "tshark conv,tcp": tshark_conversations,
}


def run_alone(reader: str, path: Path) -> tuple[float, float]:
    """Seconds and peak megabytes of one reader in a process of its own, start-up left out."""
    command = [sys.executable, __file__, "--one", reader, str(path)]
    count = 2 if reader == TWO_COMMANDS else 1
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    printed = [process.communicate()[0].split()[-2:] for process in processes]
    return max(float(seconds) for seconds, _ in printed), max(float(megabytes) for _, megabytes in printed)


def main() -> None:
    """Makes the capture and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=290_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rough", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("READER", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        for module in ("clgan_tf.capture", "dpkt", "nfstream"):  # what a long-running program has imported already
            if module.split(".")[0] in options.one[0]:
                importlib.import_module(module)
        started = time.perf_counter()
        READERS[options.one[0]](options.one[1])
        seconds = time.perf_counter() - started
        usage = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        print(seconds, usage / 1024)
        return
    readers = list(READERS)
    if not importlib.util.find_spec("nfstream"):
        readers.remove("nfstream")
        print("nfstream is not installed: left out")
    if not shutil.which("tshark"):
        readers.remove("tshark conv,tcp")
        print("tshark is not installed: left out")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mixed.pcap"
        if options.rough:
            packets = make_rough_capture(path, options.rough, 1_500_000)
        else:
            packets = make_capture(path, options.sessions)
        as_pcapng(path)
        megabytes = path.stat().st_size / 1e6
        print(f"{packets:,} packets, {megabytes:,.0f} MB; {options.rounds} rounds in turn")
        measured = {reader: [] for reader in readers}
        for _ in range(options.rounds):
            for reader in readers:
                measured[reader].append(run_alone(reader, path))
    print(f"{'reader':<22}{'packets/s':>12}{'MB/s':>8}{'peak MB':>9}{'ours (l7) is faster by':>24}")
    ours_seconds = [seconds for seconds, _ in measured["clgan_tf l7"]]
    for reader, rows in measured.items():
        seconds = statistics.median(row[0] for row in rows)
        ratio = statistics.median(row[0] / own for row, own in zip(rows, ours_seconds, strict=True))
        peak = max(row[1] for row in rows)
        speed = (2 if "2 files" in reader else 1) / seconds
        print(f"{reader:<22}{packets * speed:>12,.0f}{megabytes * speed:>8,.0f}{peak:>9,.0f}{ratio:>23.1f}x")
    for reader in ("2 files, 2 workers", TWO_COMMANDS):
        one = [row[0] for row in measured["clgan_tf l7, 2 files"]]
        gain = statistics.median(own / row[0] for own, row in zip(one, measured[reader], strict=True))
        print(f"{reader}: {gain:.2f}x one process on 2 files")


if __name__ == "__main__":
    main()
