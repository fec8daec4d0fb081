"""Delay from the packet that settles a session's label to its row, memory and losses, of a live stream.

    python experiments/benchmarks/live.py --classifier=runs/demo/run/classifier.keras [--rate=50000] [--seconds=120]

Writes UDP packets into `--mode=classify --captures=-` at the given rate: 2,500 sessions at a time, of 250 packets
each, whose first 784 bytes are there with their fourth packet and whose first 28 packets, which a classifier of
`packets` waits for, with their 28th. Prints the packets written a second (fewer than asked for where the reader is
slower: the pipe makes the writer wait), rows and sessions, the delay's median, 99th percentile and maximum, and the
reader's memory over time.
"""

import argparse
import json
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from clgan_tf import serving
from clgan_tf.capture.representation import IMAGE_BYTES, PACKET_ROW

TICK = 0.01  # seconds
ALIVE, PACKETS, PAYLOAD = 2_500, 250, 200
FULL_AFTER = 4  # packets of 200 bytes of payload fill an image, with headers (masked) or without
FIRST_ADDRESS = 0x0A000000


def frames(ids: np.ndarray, now: float, rng: np.random.Generator) -> bytes:
    """One packet of each session: a pcap record with Ethernet, IPv4, UDP and random bytes."""
    size = 14 + 20 + 8 + PAYLOAD
    header = struct.pack("<IIII", int(now), int(now % 1 * 1e6), size, size)
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, size - 14, 0, 0, 64, 17, 0, 0, 0xC6120001)
    udp = struct.pack(">HHHH", 40000, 443, 8 + PAYLOAD, 0)
    record = np.tile(
        np.frombuffer(header + bytes(12) + b"\x08\x00" + ip + udp + bytes(PAYLOAD), np.uint8), (len(ids), 1)
    )
    record[:, 42:46] = (FIRST_ADDRESS + ids).astype(">u4").view(np.uint8).reshape(-1, 4)
    record[:, -PAYLOAD:] = rng.integers(0, 256, (len(ids), PAYLOAD), np.uint8)
    return record.tobytes()


class Rows(threading.Thread):
    """When each session's row came."""

    def __init__(self, stream: object) -> None:
        super().__init__(daemon=True)
        self.stream, self.came = stream, {}

    def run(self) -> None:
        """Reads to the end."""
        for line in self.stream:
            numbers = [int(part) for part in json.loads(line)["source"].split(".")]
            self.came.setdefault(int.from_bytes(bytes(numbers)) - FIRST_ADDRESS, []).append(time.time())


def memory(process: subprocess.Popen) -> int:
    """Resident bytes of the process, in MB."""
    fields = Path(f"/proc/{process.pid}/statm").read_text().split()
    return int(fields[1]) * 4096 >> 20


def main() -> int:
    """Writes, waits and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classifier", required=True)
    parser.add_argument("--rate", type=int, default=50_000)
    parser.add_argument("--seconds", type=int, default=120)
    options = parser.parse_args()
    is_of_rows = serving.load(Path(options.classifier)).head.representation == "packets"
    full_after = IMAGE_BYTES // PACKET_ROW if is_of_rows else FULL_AFTER
    command = [sys.executable, "-m", "clgan_tf.main", "--mode=classify", f"--classifier={options.classifier}"]
    reader = subprocess.Popen(
        [*command, "--captures=-", "--output=-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    rows = Rows(reader.stdout)
    rows.start()
    rng = np.random.default_rng(0)
    alive = np.arange(ALIVE)
    sent, following = full_after + np.arange(ALIVE) % (PACKETS - full_after), ALIVE  # they do not all end at once
    due: dict[int, float] = {}
    seen = dict.fromkeys(alive.tolist(), full_after)
    reader.stdin.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    for _ in range(full_after):
        reader.stdin.write(frames(alive, time.time(), rng))
    reader.stdin.flush()
    while len(rows.came) < ALIVE:  # What comes while it is loaded waits, and would count as delay.
        time.sleep(0.1)
    begun, written, turn, sizes = time.time(), 0, 0, []
    while (elapsed := time.time() - begun) < options.seconds:
        wanted = int(options.rate * (elapsed + TICK)) - written
        places = (turn + np.arange(min(wanted, ALIVE))) % ALIVE
        turn = (turn + len(places)) % ALIVE
        reader.stdin.write(frames(alive[places], time.time(), rng))
        reader.stdin.flush()
        now = time.time()
        for session in alive[places].tolist():
            seen[session] = seen.get(session, 0) + 1
            if seen[session] == full_after:
                due[session] = now
        sent[places] += 1
        ended = places[sent[places] >= PACKETS]
        alive[ended] = following + np.arange(len(ended))
        sent[ended], following = 0, following + len(ended)
        written += len(places)
        if len(sizes) < elapsed // 10:
            sizes.append(memory(reader))
        time.sleep(max(0.0, begun + written / options.rate - time.time()))
    took = time.time() - begun
    reader.stdin.close()
    rows.join()
    said = reader.stderr.read().decode().strip().splitlines()[-1]
    delays = np.array([rows.came[session][0] - moment for session, moment in due.items() if session in rows.came])
    lost, twice = len(seen.keys() - rows.came.keys()), sum(len(times) > 1 for times in rows.came.values())
    median, late, most = np.percentile(delays, [50, 99, 100])
    print(f"{written / took:,.0f} packets/s for {took:.0f} s")
    print(f"{len(seen):,} sessions, {lost} without a row, {twice} with two")
    print(f"delay of a row: median {median:.2f} s, 99th percentile {late:.2f} s, most {most:.2f} s")
    print(f"memory every 10 s: {', '.join(map(str, sizes))} MB; exit status {reader.wait()}; {said}")
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
