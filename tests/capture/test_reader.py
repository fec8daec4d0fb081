import struct
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clgan_tf.capture import window
from clgan_tf.capture.reader import Reader
from clgan_tf.common.errors import CaptureError
from tests import packets as p


class Packet(NamedTuple):
    link_type: int
    time_ns: int
    frame: bytes
    wire_length: int


def packets(reader: Reader) -> list[Packet]:
    return [
        Packet(int(block.link_type[row]), int(block.time_ns[row]), block.frame(row), int(block.wire_length[row]))
        for block in reader
        for row in range(len(block))
    ]


FRAME = p.ethernet(p.ipv4(p.udp(b"hello")))


def read(path: Path, data: bytes, strict: bool = True) -> list[Packet]:
    return packets(Reader(p.write(path, data), strict))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("nanoseconds", "fraction_ns"), [(False, 5000), (True, 5)])
def test_pcap_of_either_byte_order_and_resolution(tmp_path, order, nanoseconds, fraction_ns):
    data = p.pcap([FRAME, FRAME], link_type=113, order=order, nanoseconds=nanoseconds)
    assert read(tmp_path / "a.pcap", data) == [
        Packet(113, 100_000_000_000 + fraction_ns, FRAME, len(FRAME)),
        Packet(113, 101_000_000_000 + fraction_ns, FRAME, len(FRAME)),
    ]


def test_the_name_does_not_decide_the_format(tmp_path):
    data = p.section() + p.interface(1) + p.enhanced(FRAME)
    assert len(read(tmp_path / "pcapng_inside.pcap", data)) == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_has_link_type_and_resolution_by_interface_and_section(tmp_path, order):
    other = ">" if order == "<" else "<"
    data = (
        p.section(order)
        + p.interface(1, order)
        + p.interface(101, order, resolution=9)
        + p.block(0x0BAD, b"unknown block", order)
        + p.enhanced(FRAME, 1, 1_000_000_007, order)
        + p.enhanced(FRAME, 0, 1_000_007, order)
        + p.section(other)
        + p.interface(113, other, resolution=0x80 | 10)
        + p.enhanced(FRAME, 0, 1024, other)
        + p.block(3, struct.pack(other + "I", len(FRAME)) + FRAME, other)
        + p.block(2, struct.pack(other + "HHIIII", 0, 0, 0, 2048, len(FRAME), 99) + FRAME, other)
    )
    assert read(tmp_path / "a.pcapng", data) == [
        Packet(101, 1_000_000_007, FRAME, len(FRAME)),
        Packet(1, 1_000_007_000, FRAME, len(FRAME)),
        Packet(113, 1_000_000_000, FRAME, len(FRAME)),
        Packet(113, 0, FRAME, len(FRAME)),
        Packet(113, 2_000_000_000, FRAME, 99),
    ]


WHOLE = p.pcap([FRAME, FRAME])
RECORD = 16 + len(FRAME)
NG = p.section() + p.interface(1) + p.enhanced(FRAME)


@pytest.mark.parametrize(
    ("data", "count", "offset", "words"),
    [
        (WHOLE[:-3], 1, 24 + RECORD, "ends inside a packet"),
        (WHOLE[: 24 + RECORD + 7], 1, 24 + RECORD, "ends inside a record header (7 of 16 bytes)"),
        (WHOLE[:24] + struct.pack("<IIII", 1, 2, 2**31, 60), 0, 24, "claims 2147483648 bytes"),
        (NG + p.enhanced(FRAME)[:-9], 1, len(NG), "ends inside a block"),
        (NG + p.enhanced(FRAME, number=7), 1, len(NG), "names interface 7, and 1 are described"),
        (NG + struct.pack("<II", 6, 2**31) + bytes(4), 1, len(NG), "claims the length 2147483648"),
        (NG + p.section()[:8] + bytes(20), 1, len(NG), "a section header has the byte-order magic 00000000"),
        (NG + p.enhanced(FRAME)[:-4] + bytes(4), 1, len(NG), "and 0 behind its body"),
        (NG + struct.pack("<III", 6, 11, 11), 1, len(NG), "claims the length 11"),
    ],
)
def test_damage_is_an_error_with_offset_or_a_warning_that_keeps_what_came_before(tmp_path, data, count, offset, words):
    path = p.write(tmp_path / "a.pcap", data)
    with pytest.raises(CaptureError) as error:
        packets(Reader(path, strict=True))
    for expected in (str(path), f"at offset {offset}:", words, "leave --strict out"):
        assert expected in str(error.value)
    lenient = Reader(path, strict=False)
    assert len(packets(lenient)) == count
    assert words in lenient.warning


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"ab", "holds 2 bytes"),
        (b"PK\x03\x04 not a capture", "neither pcap nor pcapng"),
        (WHOLE[:20], "the pcap file header is truncated (20 of 24 bytes)"),
        (NG[:6], "the pcapng section header is truncated"),
        (NG[:8] + b"\x00\x00\x00\x00" + NG[12:], "no byte-order magic"),
    ],
)
def test_what_is_no_capture_is_an_error_even_if_not_strict(tmp_path, data, words):
    with pytest.raises(CaptureError, match="at offset") as error:
        read(tmp_path / "a.pcap", data, strict=False)
    assert words in str(error.value)


def test_an_empty_file_is_a_warning_unless_strict(tmp_path):
    path = p.write(tmp_path / "a.pcap", b"")
    lenient = Reader(path)
    assert packets(lenient) == []
    assert lenient.warning == f"{path}: at offset 0: the file is empty; capture again."
    with pytest.raises(CaptureError, match="the file is empty"):
        packets(Reader(path, strict=True))


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(CaptureError, match="No such file"):
        packets(Reader(tmp_path / "none.pcap"))
    with pytest.raises(CaptureError, match="Is a directory"):
        packets(Reader(tmp_path))


@given(position=st.integers(0, 400), value=st.integers(0, 255), cut=st.integers(0, 400), ng=st.booleans())
def test_any_damage_gives_our_own_error_or_packets(tmp_path_factory, position, value, cut, ng):
    data = bytearray(NG * 2 if ng else WHOLE)
    data[position % len(data)] = value
    path = p.write(tmp_path_factory.mktemp("damage") / "a", bytes(data[: len(data) - cut % len(data)]))
    for strict in (True, False):
        message = str(path)
        try:
            assert all(len(packet.frame) <= 400 for packet in packets(Reader(path, strict)))
        except CaptureError as error:
            message = str(error)
        assert message.startswith(str(path))


@pytest.mark.parametrize("data", [WHOLE * 1 + p.pcap([FRAME] * 7)[24:], NG + p.enhanced(FRAME) * 7])
@pytest.mark.parametrize("chunk", [16, 61, 100])
def test_packets_do_not_depend_on_the_chunk_size(tmp_path, monkeypatch, data, chunk):
    whole = read(tmp_path / "a", data)
    monkeypatch.setattr(window, "CHUNK_BYTES", chunk)
    assert read(tmp_path / "a", data) == whole
