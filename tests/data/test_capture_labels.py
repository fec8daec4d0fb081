"""Labels of whole captures from a CSV file: which captures a line is of, and every mistake in the file."""

import shutil

import pytest

from clgan_tf.common.errors import DataError
from clgan_tf.data import capture_labels
from clgan_tf.data.dataset import open_dataset
from clgan_tf.data.own_captures import own_captures
from clgan_tf.main import main
from tests import packets as p


@pytest.fixture
def captures(tmp_path):
    """Captures of two days, in folders that say nothing of their classes."""
    for name in ("monday/skype_a.pcap", "monday/skype_b.pcap", "tuesday/skype_a.pcap", "tuesday/mail.pcapng"):
        p.write(tmp_path / "captures" / name, p.pcap([p.ipv4(p.udp(b"x", 1000))], 101))
    return tmp_path / "captures"


def classes(captures, *lines, header="capture,label"):
    """The class of each capture, by its name."""
    path = captures.parent / "labels.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    found = capture_labels.sources_below(captures, [path])
    return {source.name: found.class_names[source.label] for source in found.labelled}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["skype_a.pcap,VoIP", "mail.pcapng,Mail"], {"monday/skype_a.pcap", "tuesday/skype_a.pcap"}),
        (["monday/skype_a.pcap,VoIP", "*.pcapng,Mail"], {"monday/skype_a.pcap"}),
        (["./monday/*,VoIP", "mail*,Mail"], {"monday/skype_a.pcap", "monday/skype_b.pcap"}),
        (["skype_[b-z].pcap,VoIP", "mail*,Mail", "skype_a.pcap,"], {"monday/skype_b.pcap"}),
        (["skype*,VoIP", "monday/skype_b.pcap,VoIP", "mail*,Mail"],
         {"monday/skype_a.pcap", "monday/skype_b.pcap", "tuesday/skype_a.pcap"}),
    ],
)  # fmt: skip
def test_a_line_is_of_the_captures_that_it_names(captures, lines, expected):
    assert classes(captures, *lines) == dict.fromkeys(expected, "VoIP") | {"tuesday/mail.pcapng": "Mail"}


def test_spreadsheets_semicolons_and_other_names_of_columns(captures):
    lines = ('"skype_a.pcap";"VoIP"', "mail.pcapng;Mail")
    assert classes(captures, *lines, header="File Name;Class") == classes(
        captures, "skype_a.pcap,VoIP", "mail.pcapng,Mail"
    )


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["skype*,VoIP"], "labels of 1 classes; at least 2 are needed"),
        (["skype*,VoIP", "mail*,voip"], "'VoIP' and 'voip' differ in case or spaces alone"),
        (["skype*,VoIP", "mail*,unlabelled"], "'unlabelled' would be a class"),
        (["skype*,VoIP", "monday/*,Mail"], "labels.csv, line 2 calls monday/skype_a.pcap VoIP, .*line 3 Mail"),
        (["skype*,VoIP", "mial*,Mail"], "line 3: no capture below .* is called 'mial\\*'; correct it"),
    ],
)
def test_every_mistake_is_told_with_its_line(captures, lines, words):
    with pytest.raises(DataError, match=words):
        classes(captures, *lines)


def test_a_name_is_a_name_whatever_a_shell_would_make_of_it(captures):
    p.write(captures / "mail[1].pcap", p.pcap([p.ipv4(p.udp(b"x", 1000))], 101))
    assert classes(captures, "mail[1].pcap,Mail", "skype_a.pcap,VoIP")["mail[1].pcap"] == "Mail"


def test_many_names_are_no_matter_and_many_patterns_are_refused(captures, monkeypatch):
    monkeypatch.setattr(capture_labels, "MOST_PATTERNS", 1)
    assert len(classes(captures, "skype_*,VoIP", "mail.pcapng,Mail")) == 4
    with pytest.raises(DataError, match="line 3: more than 1 patterns; name files instead"):
        classes(captures, "skype_*,VoIP", "mail*,Mail")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('capture,label\nmail.pcapng,Mail\n"skype_a.pcap,VoIP\n', "no CSV file .unexpected end of data behind line 2."),
        ("label;capture;a,b,c,d\nMail;mail.pcapng\n", "labels of 1 classes"),
        ('capture,label,"no\nte"\nmail.pcapng,Mail\nmial,VoIP\n', "line 4: no capture below"),
        ("sep=;\ncapture;label\n", "line 1 has no column capture, label; .* separated by commas, semicolons or tabs"),
    ],
)
def test_odd_files_are_read_as_they_are_or_refused(captures, text, words):
    (captures.parent / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        capture_labels.sources_below(captures, [captures.parent / "labels.csv"])


def test_a_file_without_the_columns_is_refused(captures):
    with pytest.raises(DataError, match="line 1 has no column capture; it must name capture, label"):
        classes(captures, "skype*,VoIP", header="what,label")


def test_without_a_folder_or_a_capture(tmp_path):
    (tmp_path / "labels.csv").write_text("capture,label\na,A\nb,B\n")
    with pytest.raises(DataError, match="no such folder"):
        own_captures(tmp_path / "none", [tmp_path / "labels.csv"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no capture in this folder"):
        own_captures(tmp_path / "empty", [tmp_path / "labels.csv"])


def test_a_data_set_of_labelled_files_is_that_of_class_folders(demo_corpus, tmp_path, capsys):
    """The same sessions have the same labels and splits; another file of labels is another data set."""
    flat = tmp_path / "flat"
    flat.mkdir()
    lines = ["capture,label"]
    for capture in demo_corpus.glob("*/*.pcap*"):
        name = f"{capture.parent.name}_{capture.name}"
        shutil.copy(capture, flat / name)
        if capture.parent.name != "unlabelled":
            lines.append(f"{name},{capture.parent.name}")
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(lines) + "\n")
    prepare = ["--mode=prepare", f"--source={flat}", f"--dataset={tmp_path / 'flat_set'}"]
    assert main([*prepare, f"--capture_labels={labels}"]) == 0
    assert main(["--mode=prepare", f"--source={demo_corpus}", f"--dataset={tmp_path / 'folders_set'}"]) == 0
    of_files, of_folders = open_dataset(tmp_path / "flat_set").facts, open_dataset(tmp_path / "folders_set").facts
    assert of_files.class_names == of_folders.class_names
    assert of_files.class_sizes == of_folders.class_sizes
    assert of_files.capture_labels
    assert not of_folders.capture_labels
    capsys.readouterr()
    labels.write_text("\n".join(lines[:-1]) + "\n")
    train = ["--mode=train", *prepare[1:], f"--capture_labels={labels}", f"--run_dir={tmp_path / 'run'}"]
    assert main(train) == 1
    assert "was prepared with other --capture_labels than now" in capsys.readouterr().err


def test_it_stands_alone(tmp_path, capsys):
    given = [f"--source={tmp_path}", f"--dataset={tmp_path / 'set'}", "--capture_labels=a.csv"]
    assert main(["--mode=prepare", *given, "--session_labels=b.csv"]) == 2
    assert "--capture_labels is for --source_kind=captures alone, and not beside" in capsys.readouterr().err
