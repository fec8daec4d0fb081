import json

import numpy as np
import pytest

from clgan_tf import capture
from clgan_tf.capture import REPRESENTATIONS, SessionRules
from clgan_tf.capture.representation import FieldGroup
from clgan_tf.common.errors import DataError
from clgan_tf.data import sources
from clgan_tf.data.examples import Examples
from clgan_tf.data.published import sources_below
from clgan_tf.evaluation import audit
from clgan_tf.main import main
from tests import packets as p


def examples_of(sessions: capture.Sessions, labels: np.ndarray) -> Examples:
    names = np.array([f"s{row}" for row in range(len(sessions))], dtype=object)
    return Examples(sessions.images[..., np.newaxis], labels, names, names, sessions.num_bytes)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Two classes that differ in their hour of capture, ports and addresses alone: the payload is random."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("audit")
    found = []
    for label in (0, 1):
        frames = [
            p.ethernet(
                p.ipv4(p.udp(rng.bytes(40), 1000 + n, 5000 + label), bytes([10, label, n // 200, n % 200]), p.SERVER)
            )
            for n in range(300)
        ]
        found.append(p.write(folder / f"{label}.pcap", p.pcap(frames, 1, start=100_000 * (label + 1))))
    return found


CONTENT = {group for group in FieldGroup if group.is_content}


def by_group(paths, representation):
    sessions = capture.load(paths, representation)
    found = audit.audit(examples_of(sessions, sessions.capture), REPRESENTATIONS[representation])
    assert [one.accuracy for one in found] == sorted((one.accuracy for one in found), reverse=True)
    return {one.group: one for one in found}


def test_it_finds_what_tells_the_classes_apart_and_nothing_else(paths):
    found = by_group(paths, "all_layers")
    assert set(found) == set(FieldGroup)
    for group in ("capture time", "IP", "ports"):
        assert found[group].accuracy > 0.98
        assert found[group].is_shortcut
    for group in ("link type", "MAC", "TTL", "IP-ID", "lengths"):
        assert found[group].accuracy == pytest.approx(0.5, abs=0.02)
        assert not found[group].is_shortcut
    assert not found["first payload bytes"].is_shortcut


def test_the_others_have_none_of_it(paths):
    masked, l7, packets = (by_group(paths, representation) for representation in ("masked", "l7", "packets"))
    assert set(masked) == {"TTL", *CONTENT}
    assert set(l7) == set(packets) == set(CONTENT)
    assert not any(one.is_shortcut for one in (*masked.values(), *l7.values(), *packets.values()))


@pytest.mark.parametrize("version", [4, 6])
def test_fields_are_read_where_they_lie(tmp_path, version):
    options = b"\x01" * 4
    segment = p.tcp(b"\x16\x03\x01payload", 1234, 443, seq=7, ack=9, opts=options, off=6)
    packet = p.ipv4(segment, ttl=61, id=77) if version == 4 else p.ipv6(segment)
    sessions = capture.load(p.write(tmp_path / "a.pcap", p.pcap([p.ethernet(packet)], 1, start=123)), "all_layers")
    groups = audit.field_groups(examples_of(sessions, np.zeros(1, np.int64)), REPRESENTATIONS["all_layers"])
    assert groups["capture time"].tolist() == [[123, 5]]
    assert groups["link type"].tolist() == [[1]]
    assert groups["ports"].tolist() == [[1234, 443]]
    assert groups["TCP numbers"].tolist() == [[7, 9]]
    assert groups["TTL"].tolist() == [[61 if version == 4 else 64]]
    assert groups["IP-ID"].tolist() == [[77 if version == 4 else -1]]
    assert groups["first payload bytes"][0, :3].tolist() == [0x16, 3, 1]
    ends = (p.CLIENT, p.SERVER) if version == 4 else (p.CLIENT6, p.SERVER6)
    sessions = capture.load(tmp_path / "a.pcap", "packets")
    of_rows = audit.field_groups(examples_of(sessions, np.zeros(1, np.int64)), REPRESENTATIONS["packets"])
    assert of_rows["lengths"].tolist() == [[10, 10]]
    assert of_rows["first payload bytes"].tolist() == groups["first payload bytes"].tolist()
    assert groups["IP"][0, :2].tolist() == [int.from_bytes(end[:4], "big") for end in ends]


def test_overlap_counts_what_splits_share():
    def split(values, labels):
        images = np.array(values, np.uint8)[:, np.newaxis, np.newaxis, np.newaxis] * np.ones((1, 28, 28, 1), np.uint8)
        names = np.array([f"{values}{row}" for row in range(len(values))], dtype=object)
        return Examples(images, np.array(labels), names, names, np.ones(len(values), np.int64))

    found = audit.overlap({"train": split([1, 2, 2, 3], [0, 0, 0, 0]), "test": split([2, 3, 4], [0, 1, 0])})
    assert found == {"images_in_several_splits": 2, "repeated_sessions": 2, "sessions_with_two_labels": 2}


def test_too_small_a_class_is_told():
    images, labels = np.zeros((7, 28, 28, 1), np.uint8), np.array([0] * 5 + [1] * 2)
    names = np.array([str(row) for row in range(7)], dtype=object)
    with pytest.raises(DataError, match="needs 5 sessions of every class"):
        audit.audit(Examples(images, labels, names, names, np.ones(7, np.int64)), REPRESENTATIONS["l7"])


def test_the_mode_prints_a_table_and_writes_json_and_picture(prepared, tmp_path, capsys):
    output = tmp_path / "audit/demo.json"
    assert main(["--mode=audit", f"--dataset={prepared.directory}", f"--output={output}"]) == 0
    printed = capsys.readouterr().out
    assert "| TTL |" in printed
    assert "| ports | not in this representation" in printed
    assert "capture time | not in this representation" in printed
    values = json.loads(output.read_text())
    assert values["data"]["fingerprint"] == prepared.facts.fingerprint
    assert {row["group"] for row in values["groups"]} <= set(FieldGroup)
    assert output.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["iscx_vpn_nonvpn_2016", "ustc_tfc2016"])
def test_on_published_all_layers_the_time_stamp_alone_is_nearly_enough(published, name):
    found = sources_below(published / name, name, "all_layers")
    examples, _, _ = sources.read(found.sources, "all_layers", "session", SessionRules(), strict=False)
    found = {one.group: one for one in audit.audit(examples, REPRESENTATIONS["all_layers"])}
    assert found["capture time"].accuracy > (0.95 if name.startswith("iscx") else 0.9)
    assert found["capture time"].is_shortcut
