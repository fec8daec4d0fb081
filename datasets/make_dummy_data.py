"""Makes the builders' dummy_data: small captures and idx files with random payloads, the same every time.

python datasets/make_dummy_data.py
"""

import gzip
import random
import shutil
import struct
from pathlib import Path

import dpkt
from clgan_tf_datasets.iscx_vpn_nonvpn_2016.iscx_vpn_nonvpn_2016_dataset_builder import capture_classes

from clgan_tf.data.published import ISCX_CLASSES, LAYOUTS, USTC_CLASSES

HERE = Path(__file__).parent
SESSIONS = 50  # of a class


def write_capture(path: Path, sessions: int) -> None:
    """UDP sessions of one packet each; what they carry follows the file's name."""
    rng = random.Random(path.as_posix().partition("dummy_data")[2])
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        writer = dpkt.pcap.Writer(file, linktype=dpkt.pcap.DLT_EN10MB)
        for second in range(sessions):
            udp = dpkt.udp.UDP(sport=rng.randrange(1024, 65536), dport=443, data=rng.randbytes(12))
            udp.ulen = len(udp)
            ip = dpkt.ip.IP(src=rng.randbytes(4), dst=rng.randbytes(4), p=17, data=udp, ttl=64)
            writer.writepkt(dpkt.ethernet.Ethernet(src=bytes(6), dst=bytes(6), data=ip), 1_600_000_000 + second)


def write_idx(folder: Path, part: str, classes: int, sessions: int) -> None:
    """Images with 12 random bytes each, `sessions` of every class."""
    rng = random.Random(f"{folder.name}/{part}")
    labels = bytes(label for label in range(classes) for _ in range(sessions))
    images = b"".join(rng.randbytes(12) + bytes(772) for _ in labels)
    folder.mkdir(parents=True, exist_ok=True)
    for kind, header, data in (
        ("images-idx3", struct.pack(">IIII", 0x803, len(labels), 28, 28), images),
        ("labels-idx1", struct.pack(">II", 0x801, len(labels)), labels),
    ):
        (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + data, mtime=0))


def main() -> None:
    """All four builders."""
    for name in ("iscx_vpn_nonvpn_2016", "ustc_tfc2016", "labelled_captures"):
        for folder in ("dummy_data", "dummy_idx"):
            shutil.rmtree(HERE / name / folder, ignore_errors=True)
    classes = capture_classes()
    for class_name in ISCX_CLASSES:
        first = sorted(name for name, its_class in classes.items() if its_class == class_name)[0]
        write_capture(HERE / "iscx_vpn_nonvpn_2016/dummy_data" / first, SESSIONS)
    for class_name in USTC_CLASSES:
        write_capture(HERE / "ustc_tfc2016/dummy_data" / f"{class_name}.pcap", SESSIONS)
    for name in ("Chat/1", "Chat/2", "Chat/3", "Video/1", "Video/2", "Video/3", "unlabelled/1"):
        write_capture(HERE / "labelled_captures/dummy_data" / f"{name}.pcap", SESSIONS // 3)
    for (name, representation), layout in LAYOUTS.items():
        if representation == "l7":
            for folder in layout.folders:
                for part in layout.parts:
                    write_idx(HERE / name / "dummy_idx/downloaded" / folder, part, len(layout.class_names), SESSIONS)


if __name__ == "__main__":
    main()
