import struct
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clgan_tf.capture import pcapng, walk, window
from clgan_tf.capture.block import MAX_TIME_NS
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
    assert words in lenient.damage
    assert not lenient.notices


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
    assert lenient.notices == [f"{path}: at offset 0: the file is empty; capture again."]
    assert not lenient.damage
    with pytest.raises(CaptureError, match="the file is empty"):
        packets(Reader(path, strict=True))


@pytest.mark.parametrize("count", [1, 500])
@pytest.mark.parametrize(
    ("interface", "time"),
    [
        (p.interface(1), 1_700_000_000_000_000_000),  # nanoseconds, and no word of it
        (p.interface(1), 2**64 - 1),
        (p.interface(1, resolution=0x80), 2**63),
        (p.interface(1, resolution=0), 2**64 - 1),
        (p.block(1, struct.pack("<HHI", 1, 0, 0) + struct.pack("<HHq", 14, 8, 2**62) + bytes(4)), 0),
    ],
)
def test_no_time_costs_a_packet(tmp_path, count, interface, time):
    """One time out of range among others: it is cut to the greatest that is held, and told."""
    usual, fine = p.enhanced(FRAME, 1, 5), p.interface(1)
    data = p.section() + interface + fine + usual * count + p.enhanced(FRAME, 0, time) + usual * count
    path = p.write(tmp_path / "a.pcapng", data)
    reader = Reader(path, strict=True)
    found = packets(reader)
    assert [packet.time_ns for packet in found] == [5000] * count + [MAX_TIME_NS] + [5000] * count
    assert reader.notices == [
        f"{path}: 1 packets have times beyond the year 2116, which were cut to it; if times matter, correct the "
        "resolution of time stamps (if_tsresol)."
    ]


def test_a_time_before_1970_is_kept(tmp_path):
    offset = struct.pack("<HHq", 14, 8, -60) + bytes(4)
    data = p.section() + p.block(1, struct.pack("<HHI", 1, 0, 0) + offset) + p.enhanced(FRAME, 0, 5) * 200
    assert {packet.time_ns for packet in read(tmp_path / "a", data)} == {5000 - 60_000_000_000}


class Oracle:
    """Pcapng read one block after another: (link type, ns, frame, wire length)."""

    @staticmethod
    def of(data: bytes) -> list[tuple[int, int, bytes, int]]:
        found, at, order, interfaces = [], 0, "<", []
        while at < len(data):
            kind, length = struct.unpack_from(order + "II", data, at)
            if kind == 0x0A0D0D0A:
                order = "<" if data[at + 8] == 0x4D else ">"
                (length,), interfaces = struct.unpack_from(order + "I", data, at + 4), []
            elif kind == 1:
                interfaces.append(struct.unpack_from(order + "H", data, at + 8)[0])
            elif kind == 6:
                number, high, low, size, wire = struct.unpack_from(order + "IIIII", data, at + 8)
                time = (high << 32 | low) * 1000
                found.append((interfaces[number], time, data[at + 28 : at + 28 + size], wire))
            elif kind == 3:
                (wire,) = struct.unpack_from(order + "I", data, at + 8)
                found.append((interfaces[0], 0, data[at + 12 : at + 12 + wire], wire))
            at += length
        return found


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_pcapng_read_many_blocks_at_a_time_is_as_one_by_one(tmp_path_factory, data):
    """Packets hold look-alikes of blocks; sections change byte order, interfaces come late, other blocks between."""
    order, bytes_of_file, interfaces = "<", p.section() + p.interface(1), 1
    kinds = ["packet"] * 8 + ["simple", "other", "interface", "section"]
    for _ in range(data.draw(st.integers(1, 40))):
        kind = data.draw(st.sampled_from(kinds))
        if kind == "packet":
            frame = data.draw(st.sampled_from([b"", b"abc", p.enhanced(FRAME, 0, 7, order), p.section(), bytes(60)]))
            time = data.draw(st.integers(0, 2**50))
            one = p.enhanced(frame, data.draw(st.integers(0, interfaces - 1)), time, order)
            bytes_of_file += one * data.draw(st.sampled_from([1, 1, 3, 80]))
        elif kind == "simple":
            bytes_of_file += p.block(3, struct.pack(order + "I", 4) + b"data", order)
        elif kind == "other":
            bytes_of_file += p.block(data.draw(st.sampled_from([4, 5, 0x0BAD])), bytes(24), order)
        elif kind == "interface":
            bytes_of_file += p.interface(data.draw(st.sampled_from([1, 101, 113])), order)
            interfaces += 1
        else:
            order = data.draw(st.sampled_from("<>"))
            bytes_of_file += p.section(order) + p.interface(1, order)
            interfaces = 1
    path = p.write(tmp_path_factory.mktemp("many") / "a", bytes_of_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk, "SEGMENT", data.draw(st.sampled_from([40, 200, 8192])))
        patch.setattr(pcapng, "MANY", data.draw(st.sampled_from([1, 3, 64])))
        patch.setattr(pcapng, "LEAST_REACH", data.draw(st.sampled_from([64, 500])))
        patch.setattr(window, "CHUNK_BYTES", data.draw(st.sampled_from([300, 5000, 4 << 20])))
        assert packets(Reader(path, strict=True)) == Oracle.of(bytes_of_file)


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(CaptureError, match=": No such file or directory; check the path"):
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
