"""Timeouts, TCP close and bounded memory against a plain model of what they mean."""

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clgan_tf import capture
from clgan_tf.capture import SessionRules, session_table, window
from clgan_tf.capture.sessions import COLUMNS
from clgan_tf.common.errors import ConfigError
from tests import packets as p

FIN, SYN, RST, ACK = 1, 2, 4, 16
START = 1000


class Packet(NamedTuple):
    second: int
    client: int  # which of a few hosts
    back: bool
    flags: int  # -1: UDP
    payload: bytes
    sequence: int = 0


packet_lists = st.lists(
    st.builds(
        Packet,
        st.integers(-3, 9),
        st.integers(1, 3),
        st.booleans(),
        st.sampled_from([-1, SYN, SYN | ACK, ACK, FIN | ACK, RST]),
        st.binary(max_size=3),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=40,
)
all_rules = st.builds(
    SessionRules,
    idle_timeout=st.sampled_from([0.0, 1.0, 4.0]),
    active_timeout=st.sampled_from([0.0, 2.0, 9.0]),
    tcp_close=st.booleans(),
)


def pcap_of(packets: list[Packet]) -> bytes:
    """`second` counts from the packet before."""
    data, now = p.pcap([], 101), START
    for packet in packets:
        now += packet.second
        if packet.flags < 0:
            segment = p.udp(packet.payload, *((53, 4000) if packet.back else (4000, 53)))
        else:
            ports = (443, 4000) if packet.back else (4000, 443)
            segment = p.tcp(packet.payload, *ports, flags=packet.flags, seq=packet.sequence)
        ends = (bytes([10, 0, 0, packet.client]), p.SERVER)
        frame = p.ipv4(segment, *(ends[::-1] if packet.back else ends))
        data += struct.pack("<IIII", now, 0, len(frame), len(frame)) + frame
    return data


def sessions_of(packets: list[Packet], rules: SessionRules) -> list[tuple[float, float, int, bytes]]:
    """The model: first and last time, packets and payload of every session, in order of first packet."""
    sessions: list[dict] = []
    live: dict[tuple[int, bool], dict] = {}
    now = START
    for packet in packets:
        now += packet.second
        key = packet.client, packet.flags < 0
        session = live.get(key)
        if session is not None and (
            (rules.idle_timeout and now - session["previous"] > rules.idle_timeout)
            or (rules.active_timeout and now - session["begun"] > rules.active_timeout)
            or (
                rules.tcp_close
                and session["closed"] is not None
                and packet.flags == SYN
                and packet.sequence != session["syn"]
                and now >= session["closed"]
            )
        ):
            session = None
        if session is None:
            session = live[key] = {"begun": now, "times": [], "closed": None, "syn": None, "payload": b""}
            sessions.append(session)
        session["previous"] = now
        session["times"].append(now)
        session["payload"] += packet.payload
        if packet.flags == SYN:
            session["syn"] = packet.sequence
        if packet.flags > 0 and packet.flags & (FIN | RST):
            session["closed"] = now if session["closed"] is None else min(now, session["closed"])
    return [(float(min(s["times"])), float(max(s["times"])), len(s["times"]), s["payload"]) for s in sessions]


def rows(sessions: capture.Sessions) -> list[tuple[float, float, int, bytes]]:
    return [
        (first, last, packets, image.tobytes()[:length])
        for first, last, packets, image, length in zip(
            sessions.first_time.tolist(),
            sessions.last_time.tolist(),
            sessions.packets.tolist(),
            sessions.images,
            sessions.num_bytes.tolist(),
            strict=True,
        )
    ]


@settings(max_examples=150, deadline=None)
@given(packets=packet_lists, rules=all_rules, chunk=st.integers(40, 900), interval=st.integers(1, 50))
def test_sessions_are_those_of_the_model_whatever_the_chunks(tmp_path_factory, packets, rules, chunk, interval):
    if rules.idle_timeout:  # What is idle leaves: a packet that comes late in the file may find its session gone.
        packets = [packet._replace(second=abs(packet.second)) for packet in packets]
    path = p.write(tmp_path_factory.mktemp("rules") / "a.pcap", pcap_of(packets))
    expected = sessions_of(packets, rules)
    found = capture.load(path, "l7", rules=rules) if any(packet.payload for packet in packets) else None
    if found is not None:
        assert rows(found) == [row for row in expected if row[3]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "CHUNK_BYTES", chunk)
        patch.setattr(session_table, "INTERVAL", interval)
        whole = capture.load(path, "masked", rules=rules)
    assert [row[:3] for row in rows(whole)] == [row[:3] for row in expected]


@settings(max_examples=60, deadline=None)
@given(packets=packet_lists, chunks=st.tuples(st.integers(40, 900), st.integers(40, 900)))
def test_where_room_runs_out_the_longest_silent_leave_and_nothing_is_lost(tmp_path_factory, packets, chunks):
    path = p.write(tmp_path_factory.mktemp("room") / "a.pcap", pcap_of(packets))
    found = []
    for chunk in chunks:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(window, "CHUNK_BYTES", chunk)
            patch.setattr(session_table, "INTERVAL", 2)
            patch.setattr(session_table, "MOST_LIVE_SESSIONS", 4)
            patch.setattr(session_table, "LEAVE_EARLY", 2)
            patch.setattr(session_table, "COPIED_AT_ONCE", 2)
            parts = list(capture.stream(path, "masked"))
        assert parts[-1].ended[0].early % 2 == 0
        found.append(capture.concatenate(parts))
    for column in COLUMNS:
        assert np.array_equal(getattr(found[0], column), getattr(found[1], column)), column
    whole = capture.load(path, "masked")
    assert found[0].packets.sum() == whole.packets.sum() == len(packets)
    assert found[0].num_bytes.sum() == whole.num_bytes.sum()
    assert bool(found[0].ended[0].early) == any("cut in two" in warning for warning in found[0].warnings)
    assert len(found[0]) - len(whole) <= found[0].ended[0].early


def test_idle_sessions_come_out_before_the_end(tmp_path, monkeypatch):
    packets = [Packet(1, 1 + number // 10, False, -1, b"x") for number in range(100)]
    path = p.write(tmp_path / "a.pcap", pcap_of(packets))
    monkeypatch.setattr(session_table, "INTERVAL", 10)
    parts = list(capture.stream(path, "l7", rules=SessionRules(idle_timeout=5)))
    assert sum(map(len, parts)) == 10
    assert len(parts) > 5
    assert [len(part.ended) for part in parts] == [0] * (len(parts) - 1) + [1]
    assert not parts[-1].ended[0].early


@pytest.mark.parametrize(
    "values", [{"tunnels": "both"}, {"idle_timeout": -1}, {"active_timeout": float("nan")}, {"idle_timeout": np.inf}]
)
def test_values_out_of_range_are_refused(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        SessionRules(**values)


def test_a_reused_row_holds_nothing_of_its_former_session(tmp_path: Path, monkeypatch):
    packets = [Packet(0, 1, False, -1, b"long payload")] + [Packet(9, 2, False, -1, b"s")] * 4
    packets += [Packet(0, 3, False, -1, b"t")]
    path = p.write(tmp_path / "a.pcap", pcap_of(packets))
    monkeypatch.setattr(session_table, "INTERVAL", 1)
    found = capture.load(path, "l7", rules=SessionRules(idle_timeout=5))
    assert [row[3] for row in rows(found)] == [b"long payload", b"s", b"s", b"s", b"s", b"t"]
    assert not found.images.reshape(len(found), -1)[1:, 1:].any()


@pytest.mark.parametrize("unit", ["session", "flow"])
def test_parts_of_one_session_have_names_of_their_own_and_stay_together(tmp_path, unit):
    packets = [Packet(0, 1, number % 2 == 1, RST if number % 4 == 3 else SYN, b"x", number) for number in range(12)]
    rules = SessionRules(tcp_close=True)
    found = capture.load(p.write(tmp_path / "a.pcap", pcap_of(packets)), unit=unit, rules=rules)
    names = found.identifiers().tolist()
    assert len(found) > 2
    assert len(set(names)) == len(names)
    assert len({name.partition("#")[0] for name in names}) == 1


@pytest.mark.parametrize(
    ("sequence", "second", "sessions"),
    [(8, 1, 2), (7, 1, 1), (8, -4, 1)],
    ids=["a new connection", "the SYN sent twice", "a SYN that comes late in the file"],
)
def test_only_a_new_connection_opens_a_session_after_a_close(tmp_path, sequence, second, sessions):
    packets = [
        Packet(0, 1, False, SYN, b"a", 7),
        Packet(1, 1, False, ACK, b"b", 8),
        Packet(3, 1, False, FIN | ACK, b"c", 9),
        Packet(second, 1, False, SYN, b"d", sequence),
    ]
    path = p.write(tmp_path / "a.pcap", pcap_of(packets if second > 0 else packets[1:]))
    assert len(capture.load(path, rules=SessionRules(tcp_close=True))) == sessions


def test_first_and_last_time_are_the_smallest_and_greatest_whatever_the_order(tmp_path):
    packets = [Packet(second, 1, False, -1, b"x") for second in (5, -3, 4, 10, -8)]
    found = capture.load(p.write(tmp_path / "a.pcap", pcap_of(packets)))
    assert (found.first_time.tolist(), found.last_time.tolist()) == ([START + 2], [START + 16])


def test_one_packet_from_the_future_ends_no_other_session(tmp_path, monkeypatch):
    seconds = [100, 0, 1_000_000, -999_999, 1, 0]  # since the packet before
    clients = [1, 2, 3, 1, 2, 1]
    packets = [Packet(second, client, False, -1, b"x") for second, client in zip(seconds, clients, strict=True)]
    path = p.write(tmp_path / "a.pcap", pcap_of(packets))
    monkeypatch.setattr(session_table, "INTERVAL", 3)
    found = capture.load(path, "l7", rules=SessionRules(idle_timeout=5))
    assert found.packets.tolist() == [3, 2, 1]
