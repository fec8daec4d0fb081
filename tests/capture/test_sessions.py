import re
import struct

import numpy as np
import pytest

from clgan_tf import capture
from clgan_tf.capture import session_key, window
from clgan_tf.common.errors import CaptureError, ConfigError
from tests import packets as p

THIRD = b"\x0a\x00\x00\x03"
FRAMES = [
    p.ipv4(p.udp(b"answer", 53, 40000), p.SERVER, p.CLIENT),  # the server's packet comes first
    p.ipv4(p.tcp(b"other"), THIRD, p.SERVER),
    p.ipv4(p.udp(b"query", 40000, 53), p.CLIENT, p.SERVER),
    p.ipv6(p.udp(b"six", 40000, 53)),
]


@pytest.fixture
def path(tmp_path):
    return p.write(tmp_path / "a.pcap", p.pcap(FRAMES, 101))


def test_a_session_is_both_directions_in_order_of_first_packet(path):
    sessions = capture.load(path, "l7")
    assert [sessions.endpoints(row) for row in range(3)] == [
        ("198.18.0.2", 53, "10.0.0.1", 40000),
        ("10.0.0.3", 40000, "198.18.0.2", 443),
        ("2001:db8::1", 40000, "2001:db8::2", 53),
    ]
    assert sessions.images[0].reshape(-1)[:12].tobytes() == b"answerquery\0"
    assert sessions.packets.tolist() == [2, 1, 1]
    assert sessions.num_bytes.tolist() == [11, 5, 3]
    np.testing.assert_allclose(sessions.first_time, [100.000005, 101.000005, 103.000005])
    np.testing.assert_allclose(sessions.last_time, [102.000005, 101.000005, 103.000005])
    assert sessions.key["protocol"].tolist() == [17, 6, 17]
    assert sessions.key["version"].tolist() == [4, 4, 6]
    assert sessions.key["port_a"].tolist() == [40000, 40000, 40000]  # the lower address is endpoint a
    assert sessions.initiator.tolist() == [1, 0, 0]


def test_packets_are_numbered_as_in_their_capture(tmp_path, monkeypatch):
    monkeypatch.setattr(window, "CHUNK_BYTES", 256)  # several blocks
    parts = p.ipv4_fragments(bytes(p.udp(bytes(100), 5000, 53)), 40)
    frames = [p.ethernet(b"no address", 0x0806), *map(p.ethernet, (FRAMES[0], *parts, FRAMES[1], FRAMES[2]))]
    sessions = capture.load(p.write(tmp_path / "a.pcap", p.pcap(frames)), "l7")
    last_part = 2 + len(parts)
    assert sessions.first_packet.tolist() == [2, last_part, last_part + 1]
    assert sessions.last_packet.tolist() == [last_part + 2, last_part, last_part + 1]


def test_a_flow_is_one_direction(path):
    flows = capture.load(path, "l7", unit="flow")
    assert [image.reshape(-1)[:6].tobytes().rstrip(b"\0") for image in flows.images] == [
        b"answer", b"other", b"query", b"six",
    ]  # fmt: skip
    assert flows.endpoints(0) == ("198.18.0.2", 53, "10.0.0.1", 40000)


@pytest.mark.parametrize(
    ("packed", "written"),
    [
        (bytes(10) + b"\xff\xff\xc0\x00\x02\x01", "::ffff:192.0.2.1"),  # RFC 5952, section 5
        (bytes(12) + b"\xc0\x00\x02\x01", "::c000:201"),
        (bytes(15) + b"\x01", "::1"),
        (bytes.fromhex("20010db8000000000001000000000001"), "2001:db8::1:0:0:1"),  # section 4.2.3: the first run
    ],
)
def test_addresses_are_written_alike_on_every_python(tmp_path, packed, written):
    path = p.write(tmp_path / "a.pcap", p.pcap([p.ipv6(p.udp(b"x"), source=packed)], 101))
    assert capture.load(path).endpoints(0)[0] == written


def test_load_is_the_concatenation_of_stream_and_identifiers_differ(path, tmp_path):
    other = p.write(tmp_path / "b.pcap", p.pcap(FRAMES, 101, start=200))
    whole = capture.load([path, other])
    parts = list(capture.stream([path, other]))
    assert np.array_equal(whole.images, np.concatenate([part.images for part in parts]))
    assert whole.capture.tolist() == [0, 0, 0, 1, 1, 1]
    assert len(set(whole.identifiers())) == 6
    assert whole.packets_read == 8


def test_packets_add_up(tmp_path):
    frames = [*FRAMES, b"\x45\x00", p.ipv4(p.udp(), fragment=5)]
    sessions = capture.load(p.write(tmp_path / "a.pcap", p.pcap(frames, 101)))
    assert sessions.drops == {"truncated_header": 1, "incomplete_ip_fragments": 1}
    assert sessions.packets.sum() + sum(sessions.drops.values()) == sessions.packets_read == 6


def test_a_capture_without_tcp_or_udp_says_what_it_holds(tmp_path):
    path = p.write(tmp_path / "a.pcap", p.pcap([p.ethernet(bytes(28), 0x0806)] * 3))
    words = r"none of its 3 packets is TCP or UDP over IP \(arp 3\)"
    other = p.write(tmp_path / "b.pcap", p.pcap(FRAMES, 101))
    with pytest.raises(CaptureError, match=words):
        capture.load(path)
    with pytest.raises(CaptureError, match=words):
        capture.load([path, other], strict=True)
    both = capture.load([path, other])
    assert len(both) == 3
    assert re.search(words, both.warnings[0])


def test_an_empty_capture(tmp_path):
    path = p.write(tmp_path / "a.pcap", p.pcap([]))
    for strict in (False, True):
        with pytest.raises(CaptureError, match="holds no packet"):
            capture.load(path, strict=strict)


@pytest.mark.parametrize(("option", "value"), [("representation", "l8"), ("unit", "packet")])
def test_unknown_options_name_the_allowed_ones(path, option, value):
    with pytest.raises(ConfigError, match="choose one of"):
        capture.load(path, **{option: value})


@pytest.mark.parametrize("representation", capture.REPRESENTATIONS)
def test_sessions_do_not_depend_on_the_chunk_size(monkeypatch, demo_corpus, representation):
    path = demo_corpus / "Email/1.pcap"
    whole = capture.load(path, representation)
    monkeypatch.setattr(window, "CHUNK_BYTES", 3000)
    parts = capture.load(path, representation)
    for name in ("images", "key", "initiator", "first_time", "last_time", "packets", "num_bytes"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name)), name


def test_equal_hashes_do_not_join_sessions(path, monkeypatch):
    whole = capture.load(path)
    monkeypatch.setattr(session_key, "MULTIPLIERS", np.zeros(6, np.uint64))
    again = capture.load(path)
    assert np.array_equal(whole.images, again.images)
    assert np.array_equal(whole.key, again.key)


def test_the_flows_of_a_session_have_one_name_and_two_directions(path):
    flows, sessions = capture.load(path, unit="flow"), capture.load(path)
    names = flows.identifiers().tolist()
    assert names[0].partition("#")[0] == names[2].partition("#")[0]
    assert {names[0][-2:], names[2][-2:]} == {"#0", "#1"}
    assert len(set(names)) == len(flows)
    assert len({name.partition("#")[0] for name in names}) == len(sessions)


def test_small_captures_hold_little_memory(path):
    images = capture.load(path).images
    assert images.base is None or images.base.nbytes <= images.nbytes


def test_a_capture_of_tunnels_alone_says_how_to_look_into_them(tmp_path):
    header = struct.pack(">BBHHHBBH", 0x45, 0, 24 + 33, 0, 0, 64, 47, 0) + p.CLIENT + p.SERVER
    frame = header + struct.pack(">HH", 0, 0x0800) + p.ipv4(p.udp(b"hello"))
    path = p.write(tmp_path / "a.pcap", p.pcap([frame], 101))
    with pytest.raises(CaptureError, match=r"\(tunnel 1\); prepare with --tunnels=inner"):
        capture.load(path)
    assert len(capture.load(path, rules=capture.SessionRules(tunnels="inner"))) == 1


@pytest.mark.parametrize("representation", ["masked", "packets", "l7", "all_layers"])
@pytest.mark.parametrize("snapshot", [24, 33, 39, 45])
def test_a_snapshot_that_cuts_headers_gives_the_sessions_and_touches_no_other_packet(
    tmp_path, representation, snapshot
):
    """The bytes of a cut header end with it: what lies behind is the next packet's."""
    frames = [p.ipv4(p.tcp(b"", n, off=8, opts=b"\x01" * 12)) for n in range(1000, 1400)]
    frames = [frame[:snapshot] for frame in frames]
    records = b"".join(struct.pack("<IIII", 100 + n, 5, len(f), 52) + f for n, f in enumerate(frames))
    path = p.write(tmp_path / "a.pcap", p.pcap([], 101) + records)
    if representation == "l7":
        assert capture.load(path, "masked").packets.sum() == 400
        return
    found = capture.load(path, representation)
    assert len(found) == 400
    assert found.first_time.tolist() == [100 + n + 5e-6 for n in range(400)]
    if representation == "masked":
        assert set(found.num_bytes.tolist()) == {snapshot}
        image = found.images[7].tobytes()
        assert image[:1] == b"\x45"
        assert not any(image[20 : min(snapshot, 32)])
    if representation == "packets":
        flags = 0x02 if snapshot > 33 else 0
        size = 0 if snapshot > 32 else 52 - 24  # Without the data offset, what is not there counts as payload.
        assert {image.tobytes() for image in found.images} == {bytes([5, 0, size, flags]).ljust(784, b"\0")}


@pytest.mark.parametrize("chunk", [100, 1 << 20])
@pytest.mark.parametrize(("snapshot", "size"), [(24, 80), (26, 80), (28, 80), (40, 80)])
def test_rows_of_datagrams_cut_in_their_headers_keep_to_themselves(tmp_path, monkeypatch, chunk, snapshot, size):
    """The length field of a datagram cut before it is the next packet's time."""
    monkeypatch.setattr(window, "CHUNK_BYTES", chunk)
    frames = [p.ipv4(p.udp(bytes(80), n))[:snapshot] for n in range(1000, 1040)]
    records = b"".join(
        struct.pack("<IIII", (n % 2) * 0x200 + 0x65530A00, 5, snapshot, 108) + f for n, f in enumerate(frames)
    )
    found = capture.load(p.write(tmp_path / "a.pcap", p.pcap([], 101) + records), "packets")
    assert (found.first_time - 5e-6).tolist() == pytest.approx([(n % 2) * 0x200 + 0x65530A00 for n in range(40)])
    assert {image.tobytes()[:4] for image in found.images} == {bytes([9, 0, size, 0])}


@pytest.mark.parametrize("snapshot", [38, 40, 44, 52])
def test_missing_options_are_no_payload(tmp_path, snapshot):
    frames = [p.ipv4(p.tcp(bytes(100 * (n % 2)), 1000 + n, off=8, opts=b"\x01" * 12)) for n in range(4)]
    records = b"".join(struct.pack("<IIII", n, 0, snapshot, len(f)) + f[:snapshot] for n, f in enumerate(frames))
    found = capture.load(p.write(tmp_path / "a.pcap", p.pcap([], 101) + records), "packets")
    assert [int.from_bytes(image.tobytes()[1:3], "big") for image in found.images] == [0, 100, 0, 100]


def test_sessions_as_a_pandas_table(tmp_path):
    frames = [
        p.ipv4(p.udp(b"ab", 1000)),
        p.ipv4(p.tcp(b"c", 2000, 443)),
        p.ipv4(p.udp(b"d", 53, 1000), p.SERVER, p.CLIENT),
    ]
    path = p.write(tmp_path / "a.pcap", p.pcap(frames, 101, start=1_700_000_000))
    table = capture.load(path, "l7").to_pandas()
    first, second = table.drop(columns=["first_time", "last_time"]).itertuples(index=False)
    assert tuple(first) == (str(path), "UDP", "10.0.0.1", 1000, "198.18.0.2", 53, 2, 3)
    assert tuple(second) == (str(path), "TCP", "10.0.0.1", 2000, "198.18.0.2", 443, 1, 1)
    assert [str(time)[:26] for time in table.loc[0, ["first_time", "last_time"]]] == [
        "2023-11-14 22:13:20.000005", "2023-11-14 22:13:22.000005",
    ]  # fmt: skip
