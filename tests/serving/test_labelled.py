"""A saved classifier before captures whose classes are known."""

import csv
import shutil

import numpy as np
import pytest

from clgan_tf import capture, serving
from clgan_tf.data import labelled_folder
from clgan_tf.main import main
from tests import packets as p


@pytest.fixture
def tuesday(demo_corpus, tmp_path):
    """Two classes that the classifier knows, one that it does not, and captures without a label."""
    folder = tmp_path / "tuesday"
    for name in ("Chat", "VoIP"):
        shutil.copytree(demo_corpus / name, folder / name)
    shutil.copytree(demo_corpus / "Chat", folder / "unlabelled")
    p.write(folder / "New" / "a.pcap", p.pcap([p.ethernet(p.ipv4(p.udp(b"\xff" * 700, n))) for n in range(20)]))
    return folder


def test_every_session_of_known_classes_is_scored_and_others_are_told(finished_run, tuesday):
    classifier = serving.load(finished_run / "classifier.keras")
    verdict = serving.judge(classifier, labelled_folder.sources_below(tuesday), reject=0.01)
    right, sizes = {}, {}
    for name in ("Chat", "VoIP"):
        images = capture.load(tuesday / name).images
        right[name] = classifier.predict_bytes(images).argmax(axis=1) == classifier.class_names.index(name)
        sizes[name] = len(images)
    assert {name: one.sessions for name, one in verdict.scores.per_class.items()} == sizes
    assert verdict.scores.accuracy == pytest.approx(np.concatenate(list(right.values())).mean())
    assert verdict.scores.recall == pytest.approx(np.mean([rows.mean() for rows in right.values()]))
    assert verdict.strange["New"] == (20, 1.0)
    assert verdict.absent == [name for name in classifier.class_names if name not in sizes]


def test_it_prints_scores_new_and_absent_classes(finished_run, tuesday, capsys):
    assert main(["--mode=evaluate", f"--run_dir={finished_run}", f"--captures={tuesday}"]) == 0
    printed = capsys.readouterr().out
    assert "New: the classifier does not know this class; 100.0 % of 20 are called unknown." in printed
    assert "Without a session here: Email, File," in printed
    assert "sessions of classes that the classifier knows: accuracy" in printed


def test_one_class_is_enough_and_damage_is_the_exit_status(finished_run, tuesday, capsys):
    for name in ("VoIP", "New", "unlabelled"):
        shutil.rmtree(tuesday / name)
    (tuesday.parent / "none" / "unlabelled").mkdir(parents=True)
    shutil.copy(sorted((tuesday / "Chat").iterdir())[0], tuesday.parent / "none" / "unlabelled")
    assert main(["--mode=evaluate", f"--run_dir={finished_run}", f"--captures={tuesday.parent / 'none'}"]) == 1
    assert "No capture lies in a class folder" in capsys.readouterr().err
    some = sorted((tuesday / "Chat").iterdir())[0]
    some.write_bytes(some.read_bytes()[:-5])
    assert main(["--mode=evaluate", f"--run_dir={finished_run}", f"--captures={tuesday}"]) == 3
    assert "ends inside a packet" in capsys.readouterr().err


def test_it_needs_a_data_set_or_captures(finished_run, capsys):
    assert main(["--mode=evaluate", f"--run_dir={finished_run}"]) == 2
    assert "--mode=evaluate needs either --captures or --dataset" in capsys.readouterr().err


def test_labels_of_files_or_of_sessions_name_the_classes_too(finished_run, tuesday, tmp_path, capsys):
    """The same sessions, labelled by folder, by file and one by one, have the same scores."""
    evaluate = ["--mode=evaluate", f"--run_dir={finished_run}", f"--captures={tuesday}"]
    assert main(evaluate) == 0
    by_folder = capsys.readouterr().out
    of_captures = tmp_path / "captures.csv"
    of_captures.write_text("file;class\nChat/*;Chat\nVoIP/*;VoIP\na.pcap;New\n")
    assert main([*evaluate, f"--capture_labels={of_captures}"]) == 0
    assert capsys.readouterr().out == by_folder

    of_sessions = tmp_path / "sessions.csv"
    labelled = [f"{tuesday / name}" for name in ("Chat", "VoIP", "New")]
    assert main(["--mode=classify", f"--run_dir={finished_run}", f"--captures={','.join(labelled)}",
                 f"--output={of_sessions}"]) == 0  # fmt: skip
    rows = list(csv.DictReader(of_sessions.open()))
    with of_sessions.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "label": row["capture"].split("/")[-2]} for row in rows)
    shutil.rmtree(tuesday / "unlabelled")  # copies of Chat's sessions, which would have its labels
    capsys.readouterr()
    assert main([*evaluate, f"--session_labels={of_sessions}"]) == 0
    assert capsys.readouterr().out == by_folder
    with of_sessions.open("a") as file:  # of another day
        file.write("a.pcap,TCP,192.0.2.1,1,192.0.2.2,2,,,1,1,Email,,,\n")
    assert main([*evaluate, f"--session_labels={of_sessions}"]) == 0
    printed = capsys.readouterr()
    assert printed.out == by_folder
    assert "none of the 1 lines of class Email is of a session in the captures" in printed.err


def test_one_kind_of_labels_and_one_folder(finished_run, tuesday, capsys):
    evaluate = ["--mode=evaluate", f"--run_dir={finished_run}"]
    both = ["--capture_labels=a.csv", "--session_labels=b.csv"]
    assert main([*evaluate, f"--captures={tuesday}", *both]) == 2
    assert "takes --capture_labels or --session_labels, not both" in capsys.readouterr().err
    assert main([*evaluate, f"--captures={tuesday}", "--dataset=set"]) == 2
    assert "needs either --captures or --dataset" in capsys.readouterr().err
    assert main([*evaluate, "--dataset=set", "--capture_labels=a.csv"]) == 2
    assert "are for --captures; a data set has its own" in capsys.readouterr().err
    assert main([*evaluate, f"--captures={tuesday},{tuesday}"]) == 2
    assert "--captures of --mode=evaluate is one folder" in capsys.readouterr().err
