import os
import unicodedata

import pytest

from clgan_tf.common.errors import DataError
from clgan_tf.data.examples import UNLABELLED
from clgan_tf.data.labelled_folder import sources_below
from clgan_tf.main import main
from tests import packets as p

CAPTURE = p.pcap([p.ipv4(p.udp(b"x"))], 101)


def test_captures_of_a_class_may_lie_in_folders_below_it_and_behind_links(tmp_path):
    for path in ("root/Chat/a.pcap", "root/Chat/2024/may/b.pcap", "root/unlabelled/lab/c.pcap", "disk/d.pcap"):
        p.write(tmp_path / path, CAPTURE)
    p.write(tmp_path / "root/Chat/notes.txt", b"no capture")
    (tmp_path / "root/Video").symlink_to(tmp_path / "disk")
    found = sources_below(tmp_path / "root")
    assert found.class_names == ["Chat", "Video"]
    assert {source.name: source.label for source in found.sources} == {
        "Chat/2024/may/b.pcap": 0,
        "Chat/a.pcap": 0,
        "Video/d.pcap": 1,
        "unlabelled/lab/c.pcap": UNLABELLED,
    }


def test_a_capture_beside_the_class_folders_is_named(tmp_path, capsys):
    for port, name in ((1000, "Chat"), (2000, "Video")):
        packets = [p.ipv4(p.udp(name.encode() + bytes([n]), port + n)) for n in range(40)]
        p.write(tmp_path / f"source/{name}/a.pcap", p.pcap(packets, 101))
    stray = p.write(tmp_path / "source/stray.pcap", CAPTURE)
    p.write(tmp_path / "source/notes.txt", b"no capture")
    assert main(["--mode=prepare", f"--source={tmp_path / 'source'}", f"--dataset={tmp_path / 'data'}"]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Left out")]
    assert told == [f"Left out, because it lies in no class folder: {stray}"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["Chat", "chat", "Video"], "'Chat' and 'chat' differ only in case"),
        (["Chat", "Chat ", "Video"], "'Chat' and 'Chat ' differ only in case, spaces"),
        ([unicodedata.normalize(form, "Café") for form in ("NFC", "NFD")], r"'Cafe\u0301' and 'Caf\xe9' differ only"),
        (["Chat", "Video", "unlabeled"], "'unlabeled' would be a class; call the folder of captures without a label"),
        (["Chat", "Video", "Unlabelled", "unlabelled"], "'Unlabelled', 'unlabelled' would be a class"),
    ],
)
def test_names_that_look_alike_are_refused_as_classes(tmp_path, names, words):
    for name in names:
        p.write(tmp_path / name / "a.pcap", CAPTURE)
    with pytest.raises(DataError) as error:
        sources_below(tmp_path)
    assert words in str(error.value)


def test_a_class_whose_name_is_not_utf8_is_refused_before_any_work(tmp_path, capsys):
    for name in (b"Chat", b"vid\xe9o"):
        p.write(tmp_path / "source" / os.fsdecode(name) / "a.pcap", CAPTURE)
    flags = ["--mode=prepare", f"--source={tmp_path / 'source'}", f"--dataset={tmp_path / 'data'}"]
    assert main(flags) == 1
    assert "'vid\\udce9o' is not UTF-8" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
