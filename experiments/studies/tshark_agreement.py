"""Our sessions against tshark's fields, capture by capture: sessions, packets and payload bytes of each.

    python experiments/studies/tshark_agreement.py FOLDER [--table=experiments/results/tshark_agreement.md]

Rules on both sides: the outermost TCP or UDP header behind the first IP header, fragments put together (each
counts as a packet of its session), both directions one session, payload as far as it was captured. Prints every
capture that differs, and writes the table. Exit status 1 if fewer than 98 % of the captures agree.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from clgan_tf import capture
from clgan_tf.capture.packet import TCP, UDP
from clgan_tf.capture.sources import find
from clgan_tf.common.errors import CaptureError

FIELDS = (
    *("frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport"),
    *("udp.dstport", "tcp.payload", "udp.payload", "ip.fragment.count", "ipv6.fragment.count"),
)
IN_BETWEEN = ("ipv6.", "ah", "mipv6", "shim6", "hip")  # extension headers, as frame.protocols names them
AGREEMENT = 0.98

# What differs on purpose, and why; every other difference is a fault of ours.
BOGUS_HEADER = (
    "TCP headers of fewer than 20 bytes or longer than their packet: tshark shows ports, we drop them, counted"
)
REASONS = {
    "ndpi/fuzz-2006-09-29-28586.pcap": BOGUS_HEADER,
    "ndpi/http_guessed_host_and_guessed.pcapng": "tshark leaves tcp.payload out; its tcp.len is 49, as ours",
    "ndpi/kerberos_fuzz.pcapng": BOGUS_HEADER,
}


class Session(NamedTuple):
    """A session's key: protocol number and both end points, sorted."""

    protocol: int
    ends: tuple[tuple[str, int], ...]


Totals = dict[Session, tuple[int, int]]  # packets and payload bytes


def by_tshark(path: str) -> Totals:
    """Sessions by tshark's own fields."""
    command = ["tshark", "-n", "-Q", "-r", path, "-T", "fields", "-E", "occurrence=f", "-E", "separator=/t"]
    for name in ("tcp.desegment_tcp_streams:FALSE", "ip.defragment:TRUE", "ipv6.defragment:TRUE"):
        command += ["-o", name]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # 2 where the capture is damaged
    packets: Counter[Session] = Counter()
    payload: Counter[Session] = Counter()
    for line in done.stdout.splitlines():
        values = dict(zip(FIELDS, line.split("\t"), strict=True))
        transport = outermost(values["frame.protocols"].split(":"))
        if transport is None:
            continue
        network, name = transport
        source, destination = ((values[f"{network}.{end}"], int(values[f"{name}.{end}port"])) for end in ("src", "dst"))
        session = Session(TCP if name == "tcp" else UDP, tuple(sorted((source, destination))))
        packets[session] += int(values[f"{network}.fragment.count"] or 1)
        payload[session] += len(values[f"{name}.payload"].replace(":", "")) // 2
    return {session: (count, payload[session]) for session, count in packets.items()}


def outermost(protocols: list[str]) -> tuple[str, str] | None:
    """The first network layer and what it carries, if that is TCP or UDP."""
    for at, name in enumerate(protocols):
        if name in ("ip", "ipv6"):
            rest = [other for other in protocols[at + 1 :] if not other.startswith(IN_BETWEEN)]
            return (name, rest[0]) if rest[:1] in (["tcp"], ["udp"]) else None
    return None


def by_us(path: str) -> Totals:
    """Sessions of clgan_tf.capture; l7's length before trimming is the payload."""
    packets: Counter[Session] = Counter()
    payload: Counter[Session] = Counter()
    for representation, counter in (("masked", packets), ("l7", payload)):
        try:
            sessions = capture.load(path, representation)
        except CaptureError:
            return {}
        values = sessions.packets if representation == "masked" else sessions.num_bytes
        for row in range(len(sessions)):
            ends = sessions.endpoints(row)
            session = Session(int(sessions.key["protocol"][row]), tuple(sorted((ends[:2], ends[2:]))))
            counter[session] += int(values[row])
    return {session: (count, payload[session]) for session, count in packets.items()}


def differences(path: str) -> list[str]:
    """What differs in one capture, in words; empty if all agrees."""
    ours, theirs = by_us(path), by_tshark(path)
    found = []
    for session in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get(session, (0, 0)), theirs.get(session, (0, 0))
        if a != b:
            (one, one_port), (other, other_port) = session.ends
            name = f"{'TCP' if session.protocol == TCP else 'UDP'} {one}:{one_port} {other}:{other_port}"
            found.append(f"{name}: ours {a[0]} packets, {a[1]} bytes; tshark {b[0]} packets, {b[1]} bytes")
    return found


def compare(folder: Path) -> dict[str, list[str]]:
    """Differences by capture below `folder`; captures that agree have an empty list."""
    paths = find([folder])
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = list(tqdm(pool.map(differences, paths), "Comparing", len(paths), unit=" captures", leave=False))
    return {str(Path(path).relative_to(folder)): found for path, found in zip(paths, found, strict=True)}


def table(found: dict[str, list[str]]) -> str:
    """The committed table."""
    agree = sum(not lines for lines in found.values())
    version = (
        subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True)
        .stdout.splitlines()[0]
        .strip(".")
    )
    text = [
        "# Sessions of clgan_tf against tshark",
        "",
        "Made by `python experiments/studies/tshark_agreement.py $CLGAN_DATA/captures "
        "--table=experiments/results/tshark_agreement.md`",
        f"with {version}.",
        "",
        f"{agree} of {len(found)} captures ({agree / len(found):.1%}) agree in the packets and payload bytes of all",
        "sessions.",
        "",
        "| capture | sessions that differ | the first of them | reason |",
        "|---|---|---|---|",
    ]
    for name, lines in found.items():
        if lines:
            text.append(f"| {name} | {len(lines)} | {lines[0]} | {REASONS.get(name, 'unexplained')} |")
    return "\n".join(text) + "\n"


def main() -> int:
    """Compares and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    if not shutil.which("tshark"):
        print("tshark is not installed: apt-get install tshark", file=sys.stderr)
        return 1
    found = compare(options.folder)
    text = table(found)
    print(text)
    if options.table:
        options.table.write_text(text)
    return int(sum(not lines for lines in found.values()) < AGREEMENT * len(found))


if __name__ == "__main__":
    sys.exit(main())
