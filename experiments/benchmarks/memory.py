"""Peak memory of reading a capture that is far larger than memory, through a pipe, made while it is read.

    python experiments/benchmarks/memory.py [--gigabytes=10] [--idle_timeout=0]

A process of its own reads standard input with clgan_tf.capture.stream (`masked`) and lets every part go. With
no idle timeout nothing ever ends, so that the bound on live sessions must hold; with one, sessions leave when idle.
"""

import argparse
import resource
import struct
import subprocess
import sys
import time

import numpy as np
from tqdm import tqdm

SESSIONS = 2000  # in one round
PACKETS = 5  # in each
SIZES = (54, 66, 120, 590, 1514)  # bytes of a frame
READER = """
import sys
from clgan_tf import capture
count = packets = early = parts = 0
rules = capture.SessionRules(idle_timeout=float(sys.argv[1]))
for part in capture.stream("-", "masked", rules=rules):
    count, packets, parts = count + len(part), packets + int(part.packets.sum()), parts + 1
    early += sum(summary.early for summary in part.ended)
    dropped = sum(part.drops.values())
print(count, packets, dropped, early, parts)
"""


def make_round(rng: np.random.Generator) -> tuple[bytearray, np.ndarray, np.ndarray]:
    """Pcap records of SESSIONS interleaved sessions; where their times and their clients' addresses lie."""
    data, times, clients = bytearray(), [], []
    for number in range(PACKETS * SESSIONS):
        size = SIZES[number // SESSIONS]
        client = struct.pack(">I", number % SESSIONS)
        total = size - 14
        header = struct.pack(">BBHHHBBH", 0x45, 0, total, 0, 0, 64, 6, 0) + client + b"\xc6\x12\x00\x01"
        segment = struct.pack(">HHIIBBHHH", 40000, 443, 0, 0, 0x50, 24, 501, 0, 0) + rng.bytes(total - 40)
        times.append(len(data))
        clients.append(len(data) + 16 + 26)
        data += struct.pack("<IIII", 0, 0, size, size) + bytes(12) + b"\x08\x00" + header + segment
    return data, np.array(times), np.array(clients)


def main() -> None:
    """Feeds the reader and prints what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=10)
    parser.add_argument("--idle_timeout", type=float, default=0)
    options = parser.parse_args()
    data, times, clients = make_round(np.random.default_rng(0))
    view = np.frombuffer(data, np.uint8)
    rounds = round(options.gigabytes * 1e9 / len(data))
    started = time.perf_counter()
    command = [sys.executable, "-c", READER, str(options.idle_timeout)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        reader.stdin.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in tqdm(range(rounds), "Feeding", unit="rounds", leave=False):
            # One second a round, and addresses that were never seen before.
            view[times[:, np.newaxis] + np.arange(4)] = np.frombuffer(struct.pack("<I", number), np.uint8)
            addresses = (number * SESSIONS + np.arange(len(clients)) % SESSIONS).astype(">u4")
            view[clients[:, np.newaxis] + np.arange(4)] = addresses.view(np.uint8).reshape(-1, 4)
            reader.stdin.write(data)
        reader.stdin.close()
        count, packets, dropped, early, parts = map(int, reader.stdout.read().split())
    seconds = time.perf_counter() - started
    fed = rounds * PACKETS * SESSIONS
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{rounds * len(data) / 1e9:.2f} GB, {fed:,} packets, {rounds * SESSIONS:,} sessions through a pipe")
    print(
        f"{count:,} sessions out in {parts:,} parts, {early:,} of them early; "
        f"{packets:,} packets in them, {dropped:,} not"
    )
    print(f"{seconds:.0f} s: {fed / seconds:,.0f} packets/s, {rounds * len(data) / seconds / 1e6:,.0f} MB/s")
    print(f"peak memory {peak:,.0f} MB")
    assert packets + dropped == fed, "packets were lost"


if __name__ == "__main__":
    main()
