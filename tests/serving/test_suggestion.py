"""Which sessions to label next, as a file that people fill in and prepare takes back."""

import csv
import shutil
import subprocess
from pathlib import Path

import pytest

from clgan_tf.common.errors import ConfigError
from clgan_tf.data.dataset import open_dataset
from clgan_tf.main import main
from clgan_tf.serving.suggestion import COLUMNS, wireshark_filter
from clgan_tf.settings import SuggestSettings


def suggested(finished_run, captures, output, *more: str) -> list[dict[str, str]]:
    flags = ["--mode=suggest", f"--run_dir={finished_run}", f"--captures={captures}", f"--output={output}"]
    assert main([*flags, *more]) == 0
    with open(output, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def labelled(path, rows: list[dict[str, str]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({**row, "label": f"class {number % 2}"} for number, row in enumerate(rows))


def test_filled_in_it_labels_the_sessions_of_a_new_data_set(finished_run, demo_corpus, tmp_path, capsys):
    path, todo = demo_corpus / "unseen.pcap", tmp_path / "todo.csv"
    rows = suggested(finished_run, path, todo, "--count=30")
    assert tuple(rows[0]) == COLUMNS
    assert len({(row["source"], row["source_port"], row["first_time"]) for row in rows}) == 30
    assert {row["label"] for row in rows} == {""}
    printed = capsys.readouterr().out
    assert printed.startswith("30 sessions; guessed: ")
    labelled(todo, rows)
    filled = todo.read_text()
    suggested(finished_run, path, todo, "--count=3")
    (kept,) = tmp_path.glob("todo-*.csv")  # Nobody's work is lost.
    assert kept.read_text() == filled
    assert f"{todo} was there; it is {kept} now" in capsys.readouterr().err
    kept.replace(todo)
    (tmp_path / "captures").mkdir()
    shutil.copy(path, tmp_path / "captures")
    flags = ["--mode=prepare", f"--source={tmp_path / 'captures'}", f"--session_labels={todo}"]
    assert main([*flags, f"--dataset={tmp_path / 'dataset'}"]) == 0
    sizes = open_dataset(tmp_path / "dataset").facts.class_sizes
    assert sum(of_class for split in sizes.values() for name, of_class in split.items() if name != "unlabelled") == 30
    # What has a label is not suggested again.
    more = suggested(finished_run, path, tmp_path / "more.csv", f"--session_labels={todo}", "--count=48")
    assert len(more) == 48 - 30
    assert not {row["wireshark_filter"] for row in more} & {row["wireshark_filter"] for row in rows}
    labelled(todo, [*rows, *more])
    flags = ["--mode=suggest", f"--run_dir={finished_run}", f"--captures={path}", f"--session_labels={todo}"]
    assert main([*flags, f"--output={tmp_path / 'none.csv'}"]) == 1
    assert "hold no session that is without a label and in doubt" in capsys.readouterr().err
    assert not (tmp_path / "none.csv").exists()


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_a_file_with_labels_of_one_class_says_which_sessions_have_one_and_a_full_disk_loses_none(
    finished_run, demo_corpus, tmp_path, monkeypatch
):
    flags = ["--mode=suggest", f"--run_dir={finished_run}", f"--captures={demo_corpus}/unseen.pcap", "--count=4"]
    todo = tmp_path / "todo.csv"
    assert main([*flags, f"--output={todo}"]) == 0
    lines = todo.read_text().splitlines()
    column = lines[0].split(",").index("label")
    cells = next(csv.reader([lines[1]]))
    cells[column] = "Chat"
    with open(tmp_path / "known.csv", "w", newline="") as file:
        csv.writer(file).writerows([lines[0].split(","), cells])
    before = todo.read_bytes()
    assert main([*flags, f"--output={tmp_path / 'more.csv'}", f"--session_labels={tmp_path / 'known.csv'}"]) == 0
    assert lines[1].split(",")[:6] not in [
        line.split(",")[:6] for line in (tmp_path / "more.csv").read_text().splitlines()
    ]

    def full(*_) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(csv.DictWriter, "writerows", full)
    assert main([*flags, f"--output={todo}"]) == 1
    assert todo.read_bytes() == before


def test_the_filter_shows_the_sessions_packets(finished_run, demo_corpus, tmp_path):
    path = demo_corpus / "unseen.pcap"
    for row in suggested(finished_run, path, tmp_path / "todo.csv", "--count=2"):
        command = ["tshark", "-r", str(path), "-Y", row["wireshark_filter"], "-T", "fields", "-e", "frame.number"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert len(shown) == int(row["packets"])
        assert (shown[0], shown[-1]) == (row["first_packet"], row["last_packet"])


def test_a_filter_of_ipv6_names_its_addresses():
    ends = {"source": "2001:db8::1", "destination": "2001:db8::2", "source_port": 5, "destination_port": 53}
    moment = "2026-01-01T00:00:00.000001Z"
    text = wireshark_filter({**ends, "protocol": "UDP", "first_time": moment, "last_time": moment})
    assert text == (
        "ipv6.addr == 2001:db8::1 && udp.port == 5 && ipv6.addr == 2001:db8::2 && udp.port == 53"
        " && frame.time_epoch >= 1767225600.000000 && frame.time_epoch <= 1767225600.000002"
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"captures": ()}, "needs --captures"),
        ({"captures": ("-",)}, "which are files"),
        ({"output": "todo.jsonl"}, "must end in .csv"),
        ({"run_dir": None}, "needs --classifier or --run_dir"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, values, words):
    given = {"run_dir": tmp_path, "captures": ("a.pcap",), "output": "todo.csv", **values}
    given["captures"] = tuple(map(Path, given["captures"]))
    with pytest.raises(ConfigError, match=words):
        SuggestSettings(**given)
