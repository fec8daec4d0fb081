import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clgan_tf import capture
from clgan_tf.capture import window
from tests import packets as p

ports = st.integers(1, 65535)
TIMESTAMPS, SACK = b"\x08\x0a", b"\x05\x0a"


@st.composite
def hosts_and_moments(draw):
    """Everything about a session that `masked` must hide."""
    return {
        "client": draw(st.binary(min_size=16, max_size=16)),
        "server": draw(st.binary(min_size=16, max_size=16)),
        "ports": draw(st.tuples(ports, ports).filter(lambda pair: pair[0] != pair[1])),
        "identification": draw(st.integers(0, 65535)),
        "checksum": draw(st.integers(1, 65535)),
        "numbers": draw(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))),
        "stamps": draw(st.binary(min_size=8, max_size=8)),
        "flow_label": draw(st.integers(0, 2**20 - 1)),
        "macs": draw(st.binary(min_size=12, max_size=12)),
        "raw": draw(st.booleans()),
        "start": draw(st.integers(0, 2**31)),
    }


def capture_of(hidden: dict, version: int, use_tcp: bool, payloads: list[bytes]) -> bytes:
    size = 4 if version == 4 else 16
    ends = [(hidden["client"][:size], hidden["ports"][0]), (hidden["server"][:size], hidden["ports"][1])]
    frames = []
    for number, payload in enumerate(payloads):
        (source, source_port), (destination, destination_port) = ends[:: 1 if number % 2 == 0 else -1]
        if use_tcp:
            options = b"\x01\x01" + TIMESTAMPS + hidden["stamps"] + b"\x02\x04\x05\xb4" + b"\x01\x01" + SACK
            options += hidden["stamps"] + b"\x00\x00"
            options += bytes(-len(options) % 4)
            sequence, acknowledgement = hidden["numbers"]
            segment = p.tcp(
                payload, source_port, destination_port, seq=sequence, ack=acknowledgement, opts=options,
                sum=hidden["checksum"], off=5 + len(options) // 4,
            )  # fmt: skip
        else:
            segment = p.udp(payload, source_port, destination_port)
            segment.sum = hidden["checksum"]
        if version == 4:
            packet = p.ipv4(segment, source, destination, id=hidden["identification"], sum=hidden["checksum"])
        else:
            packet = p.ipv6(segment, source, destination)
            packet = struct.pack(">I", 6 << 28 | hidden["flow_label"]) + packet[4:]
        kind = b"\x08\x00" if version == 4 else b"\x86\xdd"
        frames.append(packet if hidden["raw"] else hidden["macs"] + kind + packet)
    return p.pcap(frames, link_type=101 if hidden["raw"] else 1, start=hidden["start"])


def image(folder, data: bytes, representation: str = "masked") -> np.ndarray:
    sessions = capture.load(p.write(folder / "a.pcap", data), representation)
    assert len(sessions) == 1
    return sessions.images[0]


@settings(max_examples=60, deadline=None)
@given(one=hosts_and_moments(), other=hosts_and_moments(), version=st.sampled_from([4, 6]), use_tcp=st.booleans(),
       payloads=st.lists(st.binary(max_size=60), min_size=1, max_size=4))  # fmt: skip
def test_masked_hides_hosts_and_moments(tmp_path_factory, one, other, version, use_tcp, payloads):
    folder = tmp_path_factory.mktemp("masked")
    first = image(folder, capture_of(one, version, use_tcp, payloads))
    second = image(folder, capture_of(other, version, use_tcp, payloads))
    np.testing.assert_array_equal(first, second)


@settings(max_examples=60, deadline=None)
@given(hidden=hosts_and_moments(), version=st.sampled_from([4, 6]), use_tcp=st.booleans(), data=st.data())
def test_masked_shows_every_payload_byte_in_the_window(tmp_path_factory, hidden, version, use_tcp, data):
    payloads = data.draw(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=4))
    which = data.draw(st.integers(0, len(payloads) - 1))
    place = data.draw(st.integers(0, len(payloads[which]) - 1))
    changed = bytearray(payloads[which])
    changed[place] ^= data.draw(st.integers(1, 255))
    folder = tmp_path_factory.mktemp("masked")
    first = image(folder, capture_of(hidden, version, use_tcp, payloads))
    second = image(
        folder, capture_of(hidden, version, use_tcp, [*payloads[:which], bytes(changed), *payloads[which + 1 :]])
    )
    assert (first != second).sum() == 1


def test_masked_keeps_lengths_flags_window_and_other_options(tmp_path):
    frame = p.ipv4(p.tcp(b"x", seq=9, ack=9, flags=0x18, win=0x1234, opts=b"\x02\x04\x05\xb4", off=6), id=7, ttl=61)
    flat = image(tmp_path, p.pcap([frame], 101)).reshape(-1)
    expected = bytes.fromhex("4500002d00000000" + "3d06" + "00" * 10)  # length, TTL, protocol; no identification
    expected += bytes(12) + bytes.fromhex("6018" + "1234" + "0000" + "0000" + "020405b4") + b"x"
    assert flat[: len(expected)].tobytes() == expected
    assert not flat[len(expected) :].any()


def test_a_malformed_option_list_ends_the_masking(tmp_path):
    frame = p.ipv4(p.tcp(b"x", opts=b"\x08\x00\x01\x01", off=6))
    assert image(tmp_path, p.pcap([frame], 101)).reshape(-1)[40:45].tobytes() == b"\x08\x00\x01\x01x"


def test_all_layers_is_a_big_endian_pcap(tmp_path):
    frame = p.ethernet(p.ipv4(p.udp(b"hello")))
    flat = image(tmp_path, p.pcap([frame], order="<"), "all_layers").reshape(-1)
    expected = bytes.fromhex("a1b2c3d40002000400000000000000000000ffff00000001")
    expected += struct.pack(">IIII", 100, 5, len(frame), len(frame)) + frame
    assert flat[: len(expected)].tobytes() == expected
    assert not flat[len(expected) :].any()


def test_l7_is_the_payloads_and_sessions_without_any_are_counted(tmp_path):
    frames = [
        p.ipv4(p.tcp(b"ab")),
        p.ipv4(p.tcp(), CLIENT3, p.SERVER),
        p.ipv4(p.tcp(b"cd", 443, 40000), p.SERVER, p.CLIENT),
    ]
    sessions = capture.load(p.write(tmp_path / "a.pcap", p.pcap(frames, 101)), "l7")
    assert sessions.images[0].reshape(-1)[:5].tobytes() == b"abcd\0"
    assert sessions.drops == {"session_without_payload": 1}
    assert sessions.num_bytes.tolist() == [4]


CLIENT3 = b"\x0a\x00\x00\x03"


def row(sender: int, protocol: int, size: int, flags: int, payload: bytes = b"") -> bytes:
    return bytes([sender | protocol, *size.to_bytes(2, "big"), flags]) + payload[:24].ljust(24, b"\0")


def test_packets_has_a_row_for_each_of_the_first_28(tmp_path):
    long = bytes(range(1, 201))
    frames = [
        p.ipv4(p.tcp(b"", 40000, 443, flags=0x02, opts=b"\x02\x04\x05\xb4", off=6)),
        p.ipv4(p.tcp(b"", 443, 40000, flags=0x12), p.SERVER, p.CLIENT),
        p.ipv4(p.tcp(long, 40000, 443, flags=0x18)),
        p.ipv6(p.udp(b"abc", 9, 8)),
    ]
    sessions = capture.load(p.write(tmp_path / "a.pcap", p.pcap(frames, 101)), "packets")
    one, other = sessions.images.reshape(2, -1)
    expected = row(1, 4, 0, 0x02) + row(2, 4, 0, 0x12) + row(1, 4, 200, 0x18, long)
    assert one.tobytes() == expected.ljust(784, b"\0")
    assert other.tobytes() == row(1, 8, 3, 0, b"abc").ljust(784, b"\0")
    assert sessions.num_bytes.tolist() == [200, 3]
    many = [p.ipv4(p.udp(bytes([number]) * number)) for number in range(1, 40)]
    rows = b"".join(row(1, 8, number, 0, bytes([number]) * number) for number in range(1, 29))
    assert image(tmp_path, p.pcap(many, 101), "packets").tobytes() == rows


def test_a_short_snapshot_length_leaves_sizes_of_packets_as_they_were(tmp_path):
    """Of an Ethernet frame of 60 bytes padding is no payload; a size of 0 in the header is that of what is there."""
    segments = [p.tcp(bytes(500), 1, 2), p.udp(bytes(300), 1, 2), p.udp(b"ab", 1, 2)]
    frames = [p.ethernet(p.ipv4(one)).ljust(60, b"\xff") for one in segments[:2]]
    frames.append(p.ethernet(p.ipv6(segments[2])).ljust(90, b"\xff"))
    frames.append(p.ethernet(p.ipv4(p.tcp(bytes(70), 1, 3), total=0)))
    data = p.pcap([frame[:94] for frame in frames])
    sessions = capture.load(p.write(tmp_path / "a.pcap", data), "packets")
    sizes = [int.from_bytes(image.reshape(-1)[1:3].tobytes(), "big") for image in sessions.images]
    assert sizes == [500, 300, 2, 94 - 54]


@settings(max_examples=60, deadline=None)
@given(one=hosts_and_moments(), other=hosts_and_moments(), version=st.sampled_from([4, 6]), use_tcp=st.booleans(),
       payloads=st.lists(st.binary(max_size=60), min_size=1, max_size=40))  # fmt: skip
def test_packets_hides_hosts_and_moments_and_options(tmp_path_factory, one, other, version, use_tcp, payloads):
    folder = tmp_path_factory.mktemp("packets")
    first, second = (
        image(folder, capture_of(hidden, version, use_tcp, payloads), "packets") for hidden in (one, other)
    )
    np.testing.assert_array_equal(first, second)
    flags = 0x02 if use_tcp else 0  # dpkt's default
    expected = b"".join(
        row(1 + number % 2, 4 if use_tcp else 8, len(payload), flags, payload)
        for number, payload in enumerate(payloads)
    )
    assert first.tobytes() == expected[:784].ljust(784, b"\0")


@pytest.mark.parametrize("unit", ["session", "flow"])
@pytest.mark.parametrize("chunk", [400, 1 << 20])
def test_who_sent_a_packet_is_told_across_blocks_and_new_sessions(tmp_path, monkeypatch, unit, chunk):
    """The responder's packet that comes first after a time-out begins a session of its own."""
    monkeypatch.setattr(window, "CHUNK_BYTES", chunk)
    to, back = p.ipv4(p.udp(b"to")), p.ipv4(p.udp(b"back", 53, 40000), p.SERVER, p.CLIENT)
    frames = [to, back, back, to] * 10
    rules = capture.SessionRules(idle_timeout=30)
    parts = p.pcap(frames, 101, start=100) + p.pcap([back, to], 101, start=1000)[24:]
    sessions = capture.load(p.write(tmp_path / "a.pcap", parts), "packets", unit, rules=rules)
    senders = [image[image[:, 0] > 0][:, 0].tolist() for image in sessions.images]
    if unit == "session":
        assert senders == [([1 | 8, 2 | 8, 2 | 8, 1 | 8] * 7), [1 | 8, 2 | 8]]
    else:
        assert all(set(of_one) == {1 | 8} for of_one in senders)


@pytest.mark.parametrize("representation", ["all_layers", "l7", "masked"])
def test_only_the_first_784_bytes_count(tmp_path, representation):
    frames = [p.ipv4(p.udp(bytes([number]) * 400)) for number in range(1, 6)]
    long = image(tmp_path, p.pcap(frames, 101), representation)
    short = image(tmp_path, p.pcap(frames[:2], 101), representation)
    assert long.shape == (28, 28)
    assert np.array_equal(long, short)


def test_masked_hides_addresses_in_ip_options_and_extension_headers(tmp_path):
    record_route = b"\x07\x0b\x08" + b"\x0a\x01\x02\x03\x0a\x09\x08\x07" + b"\x00"
    four = p.ipv4(p.udp(b"payload"), opts=record_route, hl=8)
    six = p.ipv6(p.udp(b"payload"), extension=b"\x11\x02" + b"\x04\x01" + b"\x20\x01\x0d\xb8" * 5)
    for packet, fixed in ((four, 20), (six, 40)):
        flat = image(tmp_path, p.pcap([packet], 101)).reshape(-1).tobytes()
        at = packet.index(b"payload")
        assert flat[fixed : at - 8] == bytes(at - 8 - fixed)
        assert flat[at : at + 7] == b"payload"


def test_simple_packet_blocks_over_several_chunks(tmp_path, monkeypatch):
    """A simple packet block has less room before its frame than the record header of all_layers takes."""
    frames = [p.ipv4(p.udp(bytes([number]) * 90)) for number in range(60)]
    data = p.section() + p.interface(101)
    data += b"".join(p.block(3, struct.pack("<I", len(frame)) + frame) for frame in frames)
    path = p.write(tmp_path / "a.pcapng", data)
    whole = capture.load(path, "all_layers").images
    monkeypatch.setattr(window, "CHUNK_BYTES", 200)
    assert np.array_equal(capture.load(path, "all_layers").images, whole)
    assert whole[0].reshape(-1)[24:40].tobytes() == struct.pack(">IIII", 0, 0, len(frames[0]), len(frames[0]))
