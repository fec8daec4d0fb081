import gzip
import io
import lzma
import subprocess
import sys
import zlib

import numpy as np
import pytest

from clgan_tf import capture
from clgan_tf.capture import compression
from clgan_tf.capture.compression import zstd
from clgan_tf.capture.sources import find
from clgan_tf.common.errors import CaptureError
from tests import packets as p

CAPTURE = p.pcap([p.ipv4(p.udp(bytes([n]) * 50, 1000 + n)) for n in range(50)], 101)
PACKS = {"gzip": gzip.compress, "zstd": zstd.compress, "xz": lzma.compress}


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("data", [CAPTURE, p.section() + p.interface(101) + p.enhanced(p.ipv4(p.udp(b"x")))])
def test_compressed_captures_whatever_their_name(tmp_path, pack, data):
    plain = capture.load(p.write(tmp_path / "plain", data))
    packed = capture.load(p.write(tmp_path / "packed.pcap", PACKS[pack](data)))
    assert np.array_equal(plain.images, packed.images)
    assert np.array_equal(plain.key, packed.key)


@pytest.mark.parametrize("pack", PACKS)
def test_a_damaged_stream_is_our_error(tmp_path, pack):
    data = PACKS[pack](np.random.default_rng(0).bytes(3000))
    whole = PACKS[pack](CAPTURE)
    for broken in (whole[:-9], whole[:20] + b"\xff" * 9 + whole[29:], data):
        path = p.write(tmp_path / "a.pcap", broken)
        with pytest.raises(CaptureError, match=r"damaged|neither pcap nor pcapng|ends inside|holds no|is empty|claims"):
            capture.load(path, strict=True)


DECOMPRESSORS = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "zstd": zstd.ZstdDecompressor,
    "xz": lzma.LZMADecompressor,
}


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_every_packet_before_a_cut_is_used(tmp_path, pack, share):
    """As many as the codec itself gives back of what is there; no more, no fewer."""
    record = 16 + 20 + 8 + 900
    whole = p.pcap([p.ipv4(p.udp(np.random.default_rng(n).bytes(900), 1000 + n)) for n in range(600)], 101)
    data = PACKS[pack](whole)
    data = data[: int(len(data) * share)]
    held = (len(DECOMPRESSORS[pack]().decompress(data)) - 24) // record
    sessions = capture.load(p.write(tmp_path / "a.pcap", data))
    assert len(sessions) == held > 100
    assert "the compressed stream is damaged" in sessions.warnings[0]
    assert sessions.ended[0].is_damaged


@pytest.mark.parametrize("pack", PACKS)
def test_stray_bytes_behind_a_compressed_capture_cost_nothing(tmp_path, pack):
    sessions = capture.load(p.write(tmp_path / "a.pcap", PACKS[pack](CAPTURE) + b"stray bytes"))
    assert len(sessions) == 50
    assert "the compressed stream is damaged" in sessions.warnings[0]


def test_xz_in_several_streams_and_with_a_bound_on_its_memory(tmp_path, monkeypatch):
    half = len(CAPTURE) // 2
    path = p.write(tmp_path / "a", lzma.compress(CAPTURE[:half]) + bytes(8) + lzma.compress(CAPTURE[half:]) + bytes(4))
    assert len(capture.load(path)) == 50
    monkeypatch.setattr(compression, "MOST_XZ_MEMORY", 1 << 16)
    with pytest.raises(CaptureError, match=r"Memory usage limit exceeded\); get the file again"):
        capture.load(path)


def test_from_a_pipe(tmp_path, monkeypatch):
    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError("a pipe has no position")

    class Standard:
        buffer = io.BufferedReader(Unseekable(gzip.compress(CAPTURE)))

    monkeypatch.setattr(sys, "stdin", Standard)
    assert len(capture.load("-")) == 50
    code = "from clgan_tf import capture; print(len(capture.load('-')))"
    done = subprocess.run([sys.executable, "-c", code], input=CAPTURE, capture_output=True, check=True)
    assert done.stdout.strip() == b"50"


def test_folders_and_patterns(tmp_path):
    for name in ("b/2.pcap", "a/1.pcap.gz", "a/no_suffix"):
        p.write(tmp_path / name, gzip.compress(CAPTURE) if name.endswith("gz") else CAPTURE)
    p.write(tmp_path / "a/notes.txt", b"no capture")
    names = ["a/1.pcap.gz", "a/no_suffix", "b/2.pcap"]
    assert find([tmp_path]) == [str(tmp_path / name) for name in names]
    assert find([f"{tmp_path}/*/*.pcap*"]) == [str(tmp_path / name) for name in (names[0], names[2])]
    sessions = capture.load(tmp_path)
    assert sessions.paths == find([tmp_path])
    assert np.bincount(sessions.capture).tolist() == [50, 50, 50]


def test_what_is_only_named_like_a_capture_is_refused_not_left_out(tmp_path):
    p.write(tmp_path / "good.pcap", CAPTURE)
    p.write(tmp_path / "worse.pcap", b"nothing of the kind")
    with pytest.raises(CaptureError, match=r"worse\.pcap"):
        capture.load(tmp_path)


def test_nothing_found_is_said(tmp_path):
    with pytest.raises(CaptureError, match="no capture in this folder"):
        find([tmp_path])
    with pytest.raises(CaptureError, match="no file matches"):
        find([f"{tmp_path}/*.pcap"])


def test_a_pipe_that_gives_byte_after_byte_and_other_captures_beside_it(tmp_path, monkeypatch):
    class Slow(io.RawIOBase):
        def __init__(self, data):
            self.rest = data

        def readable(self):
            return True

        def readinto(self, target):
            count = min(1 if len(self.rest) > len(whole) - 9 else len(target), len(self.rest))
            target[:count], self.rest = self.rest[:count], self.rest[count:]
            return count

    other = p.write(tmp_path / "other.pcap", CAPTURE)
    for pack in (bytes, *PACKS.values()):
        whole = pack(CAPTURE)
        monkeypatch.setattr(sys, "stdin", type("Standard", (), {"buffer": io.BufferedReader(Slow(whole))}))
        found = capture.concatenate(list(capture.stream(["-", other], "l7", workers=2)))
        assert np.bincount(found.capture).tolist() == [50, 50]
        assert np.array_equal(found.images[:50], found.images[50:])


def test_a_pattern_may_match_folders(tmp_path):
    p.write(tmp_path / "day1/a.pcap", CAPTURE)
    p.write(tmp_path / "day2/b/c.pcap", CAPTURE)
    for pattern in ("day*", "**"):
        assert find([f"{tmp_path}/{pattern}"]) == [f"{tmp_path}/day1/a.pcap", f"{tmp_path}/day2/b/c.pcap"]


def test_an_empty_file_among_others_costs_nothing(tmp_path):
    p.write(tmp_path / "a.pcap", CAPTURE)
    empty = p.write(tmp_path / "b.pcap", b"")
    sessions = capture.load(tmp_path)
    assert len(sessions) == 50
    assert sessions.warnings == [f"{empty}: at offset 0: the file is empty; capture again."]
    assert not sessions.ended[-1].is_damaged
    with pytest.raises(CaptureError, match="the file is empty"):
        capture.load(empty)


def test_linked_folders_are_read_once_even_in_a_circle(tmp_path):
    p.write(tmp_path / "disk/night/n.pcap", CAPTURE)
    p.write(tmp_path / "all/day.pcap", CAPTURE)
    (tmp_path / "all/night").symlink_to(tmp_path / "disk/night")
    (tmp_path / "all/again").symlink_to(tmp_path / "disk/night")
    (tmp_path / "disk/night/back").symlink_to(tmp_path / "all")
    assert find([tmp_path / "all"]) == [str(tmp_path / "all" / name) for name in ("again/n.pcap", "day.pcap")]
