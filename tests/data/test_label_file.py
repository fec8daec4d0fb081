"""Labels of single sessions from a CSV file: which session a line is of, and every mistake in the file."""

import csv
import shutil
from pathlib import Path

import pytest

from clgan_tf import capture
from clgan_tf.capture import SessionRules
from clgan_tf.common.errors import DataError
from clgan_tf.data import csv_file, label_file
from clgan_tf.data.dataset import open_dataset
from clgan_tf.data.prepare import prepare
from clgan_tf.main import main
from clgan_tf.settings import PrepareSettings
from tests import packets as p

OURS = "source,source_port,destination,destination_port,protocol,first_time,last_time,label"
START = 1_700_000_000  # 2023-11-14T22:13:20Z
CLIENT = "10.0.0.1"
ONE = f"{CLIENT},1000,198.18.0.2,53,UDP"


def written(folder: Path, *lines: str, header: str = OURS) -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


@pytest.fixture
def twice(tmp_path) -> capture.Sessions:
    """One 5-tuple, two sessions: from START to START + 10, and one packet at START + 100."""
    parts = [p.pcap([p.ipv4(p.udp(b"x", 1000))], 101, start=START + seconds) for seconds in (0, 10, 100)]
    path = p.write(tmp_path / "a.pcap", parts[0] + parts[1][24:] + parts[2][24:])  # packets come 5 us later
    sessions = capture.load(path, "l7", rules=SessionRules(idle_timeout=50))
    assert [sessions.endpoints(row) for row in (0, 1)] == [("10.0.0.1", 1000, "198.18.0.2", 53)] * 2
    return sessions


def labels(path: Path, sessions: capture.Sessions) -> list[str]:
    read = label_file.read([path])
    return [read.class_names[label] if label >= 0 else "" for label in read.of(sessions)]


OTHER = "10.9.9.9,1,198.18.0.2,53,UDP,,,Other"
CIC = "Flow ID,Src IP,Src Port,Dst IP,Dst Port,Protocol,Timestamp,Flow Duration,Label"


@pytest.mark.parametrize(
    ("header", "line", "expected"),
    [
        (OURS, f"{ONE},,,Chat", ["Chat", "Chat"]),
        (OURS, f"{ONE},,,", ["", ""]),
        (OURS, f"{ONE},,,unknown", ["", ""]),
        (OURS, f"{ONE},,,No Label", ["", ""]),
        (OURS, "198.18.0.2,53,10.0.0.1,1000,17,,,Chat", ["Chat", "Chat"]),
        (OURS, "10.0.0.1,1000,198.18.0.2,53,TCP,,,Chat", ["", ""]),
        (OURS, "10.0.0.1,1001,198.18.0.2,53,UDP,,,Chat", ["", ""]),
        (OURS, f"{ONE},{START},{START + 10},Chat", ["Chat", ""]),
        (OURS, f"{ONE},2023-11-14T22:13:20.000000Z,2023-11-14T22:13:30Z,Chat", ["Chat", ""]),
        (OURS, f"{ONE},2023-11-15T00:13:20+02:00,2023-11-15T00:13:21+02:00,Chat", ["Chat", ""]),
        (OURS, f"{ONE},{START + 100}.000005,{START + 100}.000005,Chat", ["", "Chat"]),
        (OURS, f"{ONE},{START + 5},{START + 200},Chat", ["Chat", "Chat"]),
        (OURS, f"{ONE},{START - 50},{START},Chat", ["", ""]),
        (OURS, f"{ONE},{START + 100},,Chat", ["", "Chat"]),
        (CIC, f"id,{ONE},14/11/2023 10:13:20 PM,10000000,Chat", ["Chat", ""]),
        (CIC, f"id,{ONE},14/11/2023 22:15,0,Chat", ["", "Chat"]),
        (" Source IP, Source Port, Destination IP, Destination Port, Protocol, Label", f"{ONE},Chat", ["Chat"] * 2),
    ],
)
def test_a_line_is_of_the_sessions_that_it_describes(tmp_path, twice, header, line, expected):
    others = [f"{line.replace(CLIENT, '10.9.9.9').rpartition(',')[0]},{name}" for name in ("Other", "Third")]
    path = written(tmp_path, line, *others, header=header)
    assert labels(path, twice) == expected


def test_where_ranges_meet_the_session_belongs_to_the_one_it_begins_in(tmp_path, twice):
    lines = (f"{ONE},{START},{START + 5},Chat", f"{ONE},{START + 5},{START + 500},Email")
    assert labels(written(tmp_path, *lines), twice) == ["Chat", "Email"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["x,1000,198.18.0.2,53,UDP,,,Chat"], "line 2: 'x' does not appear to be an IPv4 or IPv6 address"),
        (["::1,1000,198.18.0.2,53,UDP,,,Chat"], "line 2: one address is IPv4 and the other IPv6"),
        (["10.0.0.1,65536,198.18.0.2,53,UDP,,,Chat"], "line 2: '65536' is no port"),
        (["10.0.0.1,1000,198.18.0.2,-1,UDP,,,Chat"], "line 2: '-1' is no port"),
        (["10.0.0.1,1000,198.18.0.2,53,ICMP,,,Chat"], "line 2: 'ICMP' is neither TCP nor UDP"),
        ([OTHER, f"{ONE},yesterday,,Chat"], "line 3: 'yesterday' is no time; write 2024-05-01T12:00:00Z"),
        ([f"{ONE},nan,,Chat"], "line 2: 'nan' is no time"),
        ([f"{ONE},20,10,Chat"], "line 2: it ends before it begins"),
        ([f"{ONE},20,nan,Chat"], "line 2: 'nan' is no time"),
        ([f"{ONE},,,Chat"], "labels of 1 classes; at least 2 are needed"),
        ([f"{ONE},,,Chat", f"{ONE},,,chat "], "'Chat' and 'chat' differ in case or spaces alone"),
        ([f"{ONE},,,Unlabelled"], "'Unlabelled' would be a class"),
        ([f'{ONE},,,"a\tb"', OTHER], "is no name of a class"),
        (["10.0.0.1"], "labels of 0 classes"),
    ],
)
def test_what_a_line_must_not_say(tmp_path, lines, words):
    with pytest.raises(DataError) as raised:
        label_file.read([written(tmp_path, *lines)])
    assert words in str(raised.value)
    assert str(tmp_path / "labels.csv") in str(raised.value)


def test_a_duration_that_is_none_is_told_with_its_line(tmp_path):
    path = written(tmp_path, f"id,{ONE},14/11/2023 22:15,nan,Chat", header=CIC)
    with pytest.raises(DataError, match="line 2: 'nan' is no time"):
        label_file.read([path])


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(DataError, match="line 1 has no column destination, destination_port, label"):
        label_file.read([written(tmp_path, header="source,source_port,protocol")])
    with pytest.raises(DataError, match="No such file"):
        label_file.read([tmp_path / "none.csv"])
    path = tmp_path / "labels.csv"
    path.write_bytes(OURS.encode() + b"\n\xff\xfe")
    with pytest.raises(DataError, match="is not UTF-8"):
        label_file.read([path])
    path.write_text(OURS + "\n" + "x" * 200_000)
    with pytest.raises(DataError, match="is no CSV file"):
        label_file.read([path])


def test_two_labels_for_one_session_and_a_class_without_one_are_refused(tmp_path, twice):
    read = label_file.read([written(tmp_path, f"{ONE},,,Chat", f"{ONE},,,Email")])
    with pytest.raises(DataError, match="lines 2 and 3 call one session Chat and Email; correct one"):
        read.of(twice)
    read = label_file.read([written(tmp_path, f"{ONE},,,Chat", OTHER, OTHER)])
    read.of(twice)
    with pytest.raises(DataError, match="none of the 2 lines of class Other is of a session in the captures"):
        read.unused()
    read = label_file.read([written(tmp_path, OTHER, OTHER.replace("Other", "Email"))])
    read.of(twice)
    with pytest.raises(DataError, match="none of the 2 labels is of a session in the captures; are they of these"):
        read.unused()


def test_several_files_are_as_one_and_each_is_named(tmp_path, twice):
    one = written(tmp_path, f"{ONE},,,Chat").rename(tmp_path / "one.csv")
    two = written(tmp_path, OTHER, OTHER, header=OURS)
    read = label_file.read([one, two])
    assert read.class_names == ["Chat", "Other"]
    assert read.of(twice).tolist() == [0, 0]
    assert read.fingerprint not in (csv_file.fingerprint([one]), csv_file.fingerprint([two]))
    assert csv_file.fingerprint([one, two]) == read.fingerprint != csv_file.fingerprint([two, one])
    two.write_text(two.read_text().replace(OTHER, f"{ONE},,,Other", 1))
    read = label_file.read([one, two])
    with pytest.raises(DataError, match=r"one.csv: line 2; \S+labels.csv: line 2 call one session Chat and Other"):
        read.of(twice)


def test_captures_and_a_file_of_labels_become_a_data_set(tmp_path, demo_corpus, capsys):
    """The labels are those of the folders; every other session is there without one."""
    captures = tmp_path / "days/monday"
    captures.mkdir(parents=True)
    known = {}
    with open(tmp_path / "labels.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(OURS.split(","))
        for name in ("Chat", "VoIP"):
            shutil.copy(demo_corpus / name / "1.pcap", captures / f"{name}.pcap")
            sessions = capture.load(captures / f"{name}.pcap")
            for row in range(len(sessions)):
                first, last = (f"{time:.6f}" for time in (sessions.first_time[row], sessions.last_time[row]))
                is_told = row % 2
                writer.writerow([*sessions.endpoints(row), sessions.key[row]["protocol"], first, last, name * is_told])
                if is_told:
                    known[sessions.identifiers()[row]] = name
        writer.writerow(["10.9.9.9", 1, "198.18.0.2", 53, 6, "", "", "Chat"])
    flags = ["--mode=prepare", f"--source={tmp_path / 'days'}", f"--dataset={tmp_path / 'data'}"]
    flags += [f"--session_labels={tmp_path / 'labels.csv'}"]
    assert main(flags) == 0
    printed = capsys.readouterr()
    assert f"1 of {len(known) + 1} labels are of no session: {tmp_path / 'labels.csv'}: line " in printed.err
    total = next(line for line in printed.out.splitlines() if line.startswith("total"))
    packets = sum(row.packets for row in open_dataset(tmp_path / "data").captures if row.class_name == "unlabelled")
    assert total.split()[1] == f"{packets:,}"  # Those of a capture with several classes count once.
    settings = PrepareSettings(
        source=tmp_path / "days", dataset=tmp_path / "again", session_labels=(tmp_path / "labels.csv",)
    )
    dataset = prepare(settings)
    assert dataset.facts.class_names == ["Chat", "VoIP"]
    assert dataset.facts.fingerprint[:16] in printed.out
    told = {}
    for split in ("train", "validation", "test"):
        examples = dataset.read(split)
        told |= {
            session: dataset.facts.class_names[label]
            for session, label in zip(examples.sessions, examples.labels, strict=True)
        }
    assert told == known
    assert dataset.facts.sizes["unlabelled"] > len(known) / 2
    (tmp_path / "labels.csv").write_text((tmp_path / "labels.csv").read_text() + "\n")
    train = ["--mode=train", f"--run_dir={tmp_path / 'run'}", *flags[1:]]
    assert main(train) == 1
    assert "was prepared with other --session_labels than now" in capsys.readouterr().err
    assert main([*flags, f"--dataset={tmp_path / 'third'}", "--split_by=capture"]) == 2
    assert "--session_labels is for --source_kind=captures and --split_by=session" in capsys.readouterr().err
