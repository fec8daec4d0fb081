"""The command line: help, wrong flags, every mistake a user can make with a file, and nothing half-written."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from absl import flags as absl_flags

from clgan_tf import __version__, flags
from clgan_tf.common.lock import DirectoryLock
from clgan_tf.common.output import UntilClosed
from clgan_tf.common.setting import expanded, leaves
from clgan_tf.main import main
from tests import packets as p
from tests.conftest import train_flags


def failing(capsys: pytest.CaptureFixture, arguments: list[str], code: int) -> str:
    assert main(arguments) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("clgan-tf: ")
    assert printed.err.count("\n") == 1, printed.err
    return printed.err


def test_version_and_help_without_flags(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"clgan_tf {__version__}\n"
    assert main([]) == 0
    assert "--flagfile=experiments/demo.flags" in capsys.readouterr().out


def test_a_flagfile_may_hold_flags_of_other_modes(capsys, tmp_path):
    path = tmp_path / "mine.flags"
    path.write_text("--run_dir=none\n--representation=l7\n")
    message = failing(capsys, [f"--flagfile={path}", "--mode=classify", "--captures=none.pcap"], 1)
    assert "no such file" in message


def test_help_groups_every_flag_by_mode(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    positions = [text.index(f"\n{group}:") for group in ("all modes", *flags.MODES)]
    assert positions == sorted(positions)
    for kind in flags.MODES.values():
        for field, _ in leaves(kind):
            assert f"--{field.name}" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--mode=learn"],
            "--mode takes prepare, audit, pretrain, train, sweep, evaluate, classify, suggest, export, report, not 'learn'",
        ),
        (["--labels_unit=percent"], "--labels_unit takes total, per_class, per_class_at_most, fraction, not 'percent'"),
        (["--lables=3"], "Did you mean: labels"),
        (["--batch_size=many"], "--batch_size takes an integer >= 2, not 'many'"),
        (["--batch_size=1"], "--batch_size takes an integer >= 2, not '1'"),
        (["--strict=perhaps"], "--strict takes true or false, not 'perhaps'"),
        (["--test_fraction=1.5"], "--test_fraction takes a number in the range [0.01, 0.9], not '1.5'"),
        (["--flagfile=/none"], "/none"),
        (["trian"], "trian is no flag"),
        (["train"], "--mode=train needs --dataset"),
        (["train", "report"], "report is no flag"),
        (
            ["train", "--resume", "--run_dir=/none"],
            "--resume: /none holds no run.flags; give the run directory of a run",
        ),
        (
            ["--mode=classify", "--run_dir=r", "--captures=c", "--representation=l7"],
            "--mode=classify has no use for --representation, a flag of prepare; leave it out",
        ),
        (["--mode=audit", "--dataset=d", "--nostrict"], "has no use for --strict, a flag of prepare, classify"),
        (
            ["--mode=train", "--dataset=d", "--run_dir=r", "--source_kind=demo"],
            "--mode=train has no use for --source_kind, a flag of prepare",
        ),
        (["--mode=classify", "--run_dir=r", "--captures=c", "--rotate=1h"], "--rotate is for a stream"),
        (["--mode=train"], "--mode=train needs --dataset"),
        (["--mode=train", "--dataset=d"], "--mode=train needs --run_dir"),
        (["--mode=prepare"], "--mode=prepare needs --source"),
        (["--mode=classify", "--run_dir=r"], "needs --captures"),
        (["--mode=classify", "--captures=a"], "needs --classifier or --run_dir"),
        (["--mode=classify", "--run_dir=r", "--captures=a", "--output=a.txt"], "must end in .jsonl or .csv"),
        (["--mode=report"], "needs --runs"),
        (["--mode=prepare", "--source=$NOT_SET_ANYWHERE/x", "--dataset=d"], "environment variable that is not set"),
        (["--dataset=d", "--run_dir=r", "--labels=0.5"], "--labels must be a whole number"),
        (["--dataset=d", "--run_dir=r", "--labels=3", "--labels_unit=fraction"], "--labels must lie in (0, 1]"),
        (
            ["--dataset=d", "--run_dir=r", "--baselines=svm"],
            "--baselines takes supervised, random_forest, extra_trees, nearest_neighbour, ngram_neighbour, gradient_boosting, self_trained_forest, label_spreading, not 'svm'",
        ),
        (
            ["--dataset=d", "--run_dir=r", "--learning_rate=0"],
            "--learning_rate takes a number above 0, at most 1, not '0'",
        ),
        (["--dataset=d", "--run_dir=d/run"], "must not lie in each other"),
        (["--dataset=d", "--run_dir=r", "--labels=nan"], "--labels"),
        (["--dataset=d", "--run_dir=r", "--seed=4294967296"], "--seed takes an integer in the range [0, 4294967295]"),
        (["--mode=prepare", "--source=~nobody_of_that_name/x", "--dataset=d"], "a home directory that is not there"),
        (
            ["--mode=prepare", "--source=s", "--dataset=d", "--source_kind=ustc_tfc2016", "--unit=flow"],
            "was published as sessions",
        ),
        (["--mode=prepare,classify", "--source=s", "--dataset=d", "--captures=c"], "needs --classifier or --run_dir"),
        (["--mode=report", "--runs=r", "--output=labels.jsonl"], "must end in .md"),
        (["--dataset=d", "--run_dir=r", "--batch_size=99999999999999999999"], "--batch_size may be 65,536 at most"),
        (["--dataset=d", "--run_dir=r", "--width=17"], "--width must be even, not 17"),
        (["--dataset=d", "--run_dir=r", "--nostrict=true"], "--nostrict=true does not take an argument"),
        (["train", "--resume", "--run_dir", "/none"], "--resume: /none holds no run.flags"),
        (
            ["--mode=pretrain", "--dataset=d", "--run_dir=r", "--pretraining_epochs=0"],
            "leaves nothing of --mode=pretrain",
        ),
        (["--mode=export", "--run_dir=r", "--output=-"], "is a file or a directory, not standard output"),
    ],
)
def test_a_wrong_flag_is_one_sentence_naming_it(capsys, arguments, words):
    assert words in failing(capsys, arguments, 2)


def test_missing_and_unreadable_data(capsys, tmp_path, prepared):
    run = f"--run_dir={tmp_path / 'run'}"
    assert "make the data set with --mode=prepare" in failing(capsys, ["--dataset=/none", run], 1)
    assert "no such folder" in failing(capsys, ["--mode=prepare", "--source=/none", f"--dataset={tmp_path / 'd'}"], 1)
    message = failing(capsys, train_flags(prepared, tmp_path / "run", "--labels=4000"), 1)
    assert "Class Chat has" in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("first", ["# A comment.", "--mode=classify"])
def test_a_flagfile_may_begin_with_a_byte_order_mark(tmp_path, first):
    path = tmp_path / "run.flags"
    path.write_text(f"{first}\n--mode=classify\n--captures=a.pcap\n", encoding="utf-8-sig")
    values = absl_flags.FlagValues()
    flags.define(values)
    flags.parse(values, [f"--flagfile={path}", "--captures=b.pcap"])
    assert (values.mode, values.captures) == (["classify"], ["b.pcap"])


def test_a_dollar_sign_may_be_part_of_a_name(tmp_path, monkeypatch):
    named, other = p.write(tmp_path / "cost$HOME.pcap", b""), tmp_path / "other"
    monkeypatch.setenv("ELSEWHERE", str(other))
    assert expanded("--captures", str(named)) == Path(named)
    assert expanded("--captures", "$ELSEWHERE/a.pcap") == other / "a.pcap"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"no capture at all", "neither pcap nor pcapng"),
        (p.pcap([p.ipv4(p.udp(b"x"))], 101)[:-1], "ends inside a packet"),
        (p.pcap([p.ipv4(p.udp(b"x"))], 101)[:30], "ends inside a record header"),
        (p.pcap([])[:20], "the pcap file header is truncated"),
        (p.pcap([]) + b"\xff" * 16, "a record claims 4294967295 bytes"),
        (p.pcap([p.ethernet(bytes(28), 0x0806)]), "none of its 1 packets is TCP or UDP"),
        (p.pcap([]), "holds no packet"),
    ],
)
@pytest.mark.parametrize("strict", ["--strict", "--nostrict"])
def test_a_bad_capture_stops_prepare_with_its_name_and_leaves_nothing(capsys, tmp_path, data, words, strict):
    p.write(tmp_path / "source/a/good.pcap", p.pcap([p.ipv4(p.udp(b"x"))], 101))
    bad = p.write(tmp_path / "source/b/bad.pcap", data)
    message = failing(
        capsys, ["--mode=prepare", f"--source={tmp_path / 'source'}", f"--dataset={tmp_path / 'data'}", strict], 1
    )
    assert words in message
    assert str(bad) in message
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_damage_in_one_of_many_captures_is_a_warning_and_the_exit_status(capsys, tmp_path, demo_corpus):
    source = tmp_path / "source"
    for name in ("Chat", "Email"):
        p.write(source / name / "1.pcap", (demo_corpus / name / "1.pcap").read_bytes())
    p.write(source / "Chat/2.pcap", (demo_corpus / "Chat/2.pcap").read_bytes()[:-5])
    flags = ["--mode=prepare", f"--source={source}", f"--dataset={tmp_path / 'data'}"]
    assert main(flags) == 3
    assert "Warning: Chat/2.pcap: at offset" in capsys.readouterr().out
    assert "--strict" in failing(capsys, [*flags, "--overwrite", "--strict"], 1)


def test_an_empty_file_among_captures_is_a_warning_and_no_failure(capsys, tmp_path, demo_corpus):
    source = tmp_path / "source"
    for name in ("Chat", "Email"):
        p.write(source / name / "1.pcap", (demo_corpus / name / "1.pcap").read_bytes())
    p.write(source / "Chat/2.pcap", b"")
    assert main(["--mode=prepare", f"--source={source}", f"--dataset={tmp_path / 'data'}"]) == 0
    assert "Warning: Chat/2.pcap: at offset 0: the file is empty" in capsys.readouterr().out


def test_an_unreadable_capture(capsys, tmp_path, finished_run):
    message = failing(capsys, ["--mode=classify", f"--run_dir={finished_run}", "--captures=/none.pcap"], 1)
    assert "/none.pcap" in message
    assert "No such file" in message


@pytest.mark.parametrize(("frames", "dropped"), [([p.ethernet(bytes(28), 0x0806)], "arp 1"), ([], "none")])
def test_a_capture_without_a_session_is_a_warning_of_classify_and_no_failure(
    capsys, tmp_path, finished_run, frames, dropped
):
    quiet = p.write(tmp_path / "quiet.pcap", p.pcap(frames))
    flags = ["--mode=classify", f"--run_dir={finished_run}", f"--captures={quiet}", f"--output={tmp_path / 'a.jsonl'}"]
    assert main(flags) == 0
    assert (tmp_path / "a.jsonl").read_text() == ""
    told = capsys.readouterr().err
    assert told.count(f"Warning: {quiet}: ") == 1
    assert told.endswith(f"0 sessions labelled to {tmp_path / 'a.jsonl'}; packets in no session: {dropped}.\n")
    broken = p.write(tmp_path / "broken.pcap", b"no capture at all")
    assert "neither pcap nor pcapng" in failing(capsys, [*flags, f"--captures={broken}"], 1)


def test_an_existing_run_directory_is_never_overwritten_silently(capsys, finished_run, prepared):
    before = (finished_run / "metrics.json").read_bytes()
    assert "pass --resume to continue it or --overwrite" in failing(capsys, train_flags(prepared, finished_run), 2)
    assert (finished_run / "metrics.json").read_bytes() == before


def test_overwrite_never_removes_a_directory_that_is_not_ours(capsys, prepared, tmp_path):
    kept = p.write(tmp_path / "precious/thesis.tex", b"years of work")
    message = failing(capsys, train_flags(prepared, kept.parent, "--overwrite"), 2)
    assert "did not make it" in message
    assert kept.read_bytes() == b"years of work"


def test_an_unknown_class_order_is_refused_by_evaluate(capsys, finished_run, tmp_path):
    for number, name in enumerate("ab"):
        frames = [p.ipv4(p.udp(bytes([number, n]), 1000 * (number + 1) + n)) for n in range(20)]
        p.write(tmp_path / f"source/{name}/1.pcap", p.pcap(frames, 101))
    other = tmp_path / "data"
    assert main(["--mode=prepare", f"--source={tmp_path / 'source'}", f"--dataset={other}"]) == 0
    capsys.readouterr()
    message = failing(capsys, ["--mode=evaluate", f"--run_dir={finished_run}", f"--dataset={other}"], 1)
    assert "sessions of a, b; " in message


def test_evaluate_repeats_the_runs_own_scores(capsys, finished_run, prepared):
    before = json.loads((finished_run / "metrics.json").read_text())
    assert main(["--mode=evaluate", f"--run_dir={finished_run}", f"--dataset={prepared.directory}"]) == 0
    assert "was evaluated on this test split before" in capsys.readouterr().out
    assert json.loads((finished_run / "metrics.json").read_text()) == before


def test_evaluate_warns_of_sessions_that_were_grouped_otherwise(capsys, finished_run, demo_corpus, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / "run")
    flags = [f"--source={demo_corpus}", f"--dataset={tmp_path / 'data'}", "--idle_timeout=1000"]
    assert main(["--mode=prepare", *flags]) == 0
    assert main(["--mode=evaluate", f"--run_dir={run}", f"--dataset={tmp_path / 'data'}"]) == 0
    assert "grouped by other rules than those the classifier learned from" in capsys.readouterr().err


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_process_without_standard_streams_works(finished_run, demo_corpus, tmp_path, closed):
    """As a daemon may start it: whatever is opened next must not take their numbers."""
    command = (
        f"{sys.executable} -m clgan_tf.main classify --run_dir={finished_run} --captures={demo_corpus}/unseen.pcap"
    )
    done = subprocess.run(f"{command} --output={tmp_path / 'labels.jsonl'} {closed}", shell=True, check=False)
    assert done.returncode == 0
    rows = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert len({row["source"] for row in rows}) > 1


def test_evaluate_on_other_data_leaves_the_runs_own_results(capsys, finished_run, demo_corpus, tmp_path):
    other = tmp_path / "other"
    flags = [f"--source={demo_corpus}", f"--dataset={other}", "--split_seed=5"]
    assert main(["--mode=prepare", *flags]) == 0
    before = {path.name: path.read_bytes() for path in finished_run.iterdir() if path.is_file()}
    assert main(["--mode=evaluate", f"--run_dir={finished_run}", f"--dataset={other}"]) == 0
    assert {path.name: path.read_bytes() for path in finished_run.iterdir() if path.is_file()} == before
    (folder,) = (finished_run / "evaluations").iterdir()
    assert list(json.loads((folder / "metrics.json").read_text())["systems"]) == ["clgan"]
    shutil.rmtree(finished_run / "evaluations")


def test_training_refuses_a_data_set_that_was_prepared_otherwise(capsys, demo_corpus, prepared, tmp_path):
    flags = [*train_flags(prepared, tmp_path / "run"), f"--source={demo_corpus}", "--validation_fraction=0.15"]
    assert "was prepared with --representation=packets, not l7" in failing(capsys, [*flags, "--representation=l7"], 1)
    assert "was prepared with --split_seed=0, not 3" in failing(capsys, [*flags, "--split_seed=3"], 1)


def test_resuming_keeps_the_data_set(capsys, demo_corpus, prepared, tmp_path):
    before = (prepared.directory / "dataset.json").stat().st_mtime_ns
    flags = [*train_flags(prepared, tmp_path / "run"), f"--source={demo_corpus}", "--validation_fraction=0.15"]
    assert main([*flags, "--mode=prepare,train", "--overwrite", "--resume"]) == 2  # there is no such run yet
    assert "start the run without --resume" in capsys.readouterr().err
    assert (prepared.directory / "dataset.json").stat().st_mtime_ns == before


def test_report_puts_runs_side_by_side(capsys, finished_run, prepared, tmp_path):
    other = tmp_path / "runs/seed1"
    shutil.copytree(finished_run, tmp_path / "runs/finished")
    shutil.copytree(finished_run, other)
    result = json.loads((other / "metrics.json").read_text())
    result["settings"]["seed"] = 1
    result["systems"]["clgan"]["f1"] += 0.02
    (other / "metrics.json").write_text(json.dumps(result))
    capsys.readouterr()
    assert main(["--mode=report", f"--runs={other.parent}/*"]) == 0
    text = capsys.readouterr().out
    assert "Seeds 0, 1" in text
    f1 = 100 * result["systems"]["clgan"]["f1"] - 1
    assert f"| {f1:.1f} ± 1.4 |" in next(line for line in text.splitlines() if line.startswith("| CLGAN |"))
    assert prepared.facts.fingerprint[:16] in text
    page = tmp_path / "pages/report.md"
    page.parent.mkdir()
    assert main(["--mode=report", f"--runs={other.parent}/finished,{other}", f"--output={page}"]) == 0
    assert page.read_text() == text
    assert {path.name for path in page.parent.iterdir()} == {
        "report.md",
        "report-runs-finished-curves.png",
        "report-runs-seed1-curves.png",
    }
    capsys.readouterr()
    assert "no run directory matches" in failing(capsys, ["--mode=report", f"--runs={tmp_path}/none*"], 1)


def test_a_shard_damaged_after_preparing_stops_training_with_its_name(capsys, prepared, tmp_path):
    target = tmp_path / "data"
    shutil.copytree(prepared.directory, target)
    shard = target / prepared.shards["unlabelled"][0]
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-7])
    flags = [*train_flags(prepared, tmp_path / "run"), f"--dataset={target}", "--unlabelled=0"]
    assert main(flags) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith(f"clgan-tf: {shard}: at offset ")
    assert "a record is truncated" in message
    shard.write_bytes(whole[:300] + bytes([whole[300] ^ 1]) + whole[301:])
    assert main([*flags, "--overwrite"]) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith(f"clgan-tf: {shard}: a record is truncated or corrupt")


def test_a_full_disk_is_one_sentence(capsys, finished_run, demo_corpus):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    flags = ["--mode=classify", f"--run_dir={finished_run}", f"--captures={demo_corpus / 'unseen.pcap'}"]
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "clgan_tf.main", *flags]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_ends_what_is_printed_and_not_the_training(prepared, tmp_path):
    flags = " ".join(train_flags(prepared, tmp_path / "run", "--model=random_forest"))
    command = f"{sys.executable} -u -m clgan_tf.main {flags} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout.split()[-1] == "0", done.stderr
    assert (tmp_path / "run/metrics.json").exists()
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_a_stream_whose_reader_is_gone_swallows_the_rest(tmp_path):
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", encoding="latin-1", closefd=True) as pipe:
        stream = UntilClosed(pipe)
        stream.write("Видео")  # which Latin-1 lacks
        assert not stream.is_closed
        stream.flush()
        assert stream.is_closed
        assert stream.write("more") == 4


def test_characters_that_a_terminal_lacks_are_question_marks(tmp_path):
    path = tmp_path / "terminal"
    with open(path, "w", encoding="latin-1") as file:
        UntilClosed(file).write("Видео é\n")
    assert path.read_bytes() == b"????? \xe9\n"


def test_sigterm_leaves_no_half_written_file(prepared, tmp_path):
    run = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "clgan_tf.main", *train_flags(prepared, run, "--pretraining_epochs=500")],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    awaited = run / "checkpoints/state.npz"
    while not awaited.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert "stopped. The training continues" in errors
    assert not list(tmp_path.rglob(".partial*"))


def test_a_second_training_in_one_directory_is_refused(prepared, tmp_path, capsys):
    flags = train_flags(prepared, tmp_path / "run", "--model=random_forest")
    assert main(flags) == 0
    lock = DirectoryLock(tmp_path / "run")
    for more in ("--overwrite", "--resume"):
        (tmp_path / "run/metrics.json").unlink(missing_ok=True)
        assert main([*flags, more]) == 2
        assert "another process is at work there" in capsys.readouterr().err
    lock.close()
    assert main([*flags, "--overwrite"]) == 0


def test_standard_error_is_quiet_and_who_stops_reading_labels_is_told_by_the_status(finished_run, demo_corpus):
    captures = ",".join([str(demo_corpus / "unseen.pcap")] * 10)  # more rows than a pipe holds
    command = f"{sys.executable} -m clgan_tf.main --mode=classify --run_dir={finished_run} --captures={captures}"
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -n 1; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True, check=False
    )
    row, status = done.stdout.splitlines()
    assert json.loads(row)["label"]
    assert status == "141"
    assert done.stderr.splitlines() in ([], [line for line in done.stderr.splitlines() if "sessions labelled" in line])
