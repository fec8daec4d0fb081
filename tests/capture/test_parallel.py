import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from clgan_tf import capture
from clgan_tf.capture import parallel
from clgan_tf.capture.sessions import COLUMNS
from clgan_tf.common.errors import CaptureError
from tests import packets as p


@pytest.fixture
def paths(tmp_path):
    rng = np.random.default_rng(0)
    found = []
    for number in range(5):
        frames = [p.ipv4(p.udp(rng.bytes(40), 1000 + n % 7, 53)) for n in range(10 + 400 * (number % 2))]
        found.append(p.write(tmp_path / f"{number}.pcap", p.pcap(frames, 101)))
    return found


def same(one: list[capture.Sessions], other: list[capture.Sessions]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.ended == b.ended
        for column in COLUMNS:
            assert np.array_equal(getattr(a, column), getattr(b, column)), column


@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.parametrize("by_file", [True, False])
def test_any_number_of_processes_gives_the_same_parts_in_the_same_order(paths, monkeypatch, start, by_file):
    monkeypatch.setattr(parallel, "_start_method", lambda: start)
    if by_file and start == "fork":
        monkeypatch.setattr(parallel, "BYTES_BY_FILE", 1)
    monkeypatch.setattr(parallel, "MOST_WAITING", 10)
    expected = list(capture.stream(paths))
    seen: list[tuple[int, int]] = []
    found = list(capture.stream(paths, workers=2, progress=lambda *counts: seen.append(counts)))
    same(expected, found)
    assert sum(packets for packets, _ in seen) == sum(part.packets_read for part in found)
    assert sum(size for _, size in seen) == sum(path.stat().st_size for path in paths)
    same(expected, list(capture.stream(paths, workers=3)))


def test_an_error_comes_when_its_capture_has_its_turn(paths):
    p.write(paths[2], b"no capture")
    parts = capture.stream(paths, workers=2)
    assert [int(next(parts).capture[0]) for _ in range(2)] == [0, 1]
    with pytest.raises(CaptureError, match="neither pcap nor pcapng"):
        next(parts)


def dies(_progress):
    os._exit(7)


def test_a_process_that_dies_is_told(monkeypatch):
    monkeypatch.setattr(parallel, "_start_method", lambda: "fork")
    with pytest.raises(CaptureError, match="ended with status 7; is there enough memory"):
        list(parallel.in_order([dies, dies], 2, lambda *_: None))


def test_a_full_disk_is_told_and_nothing_stays(paths, monkeypatch, tmp_path):
    monkeypatch.setattr(parallel, "_start_method", lambda: "fork")
    monkeypatch.setattr(parallel, "BYTES_BY_FILE", 1)
    monkeypatch.setattr(parallel, "_scratch", lambda: str(tmp_path))

    def full(*_arguments):
        raise OSError(28, "No space left on device", "scratch")

    monkeypatch.setattr(parallel, "_packed", full)
    with pytest.raises(CaptureError, match="No space left on device; free space there, or set TMPDIR"):
        list(capture.stream(paths, workers=2))
    assert not list(tmp_path.glob("clgan_tf_*"))


def test_processes_end_with_the_first_one():
    """The first process is killed; those that it forked notice."""
    code = (
        "from clgan_tf.capture import parallel; import time\n"
        "def job(progress):\n"
        "    while True:\n"
        "        time.sleep(0.05); progress(1, 1)\n"
        "    yield\n"
        "print('on', flush=True)\n"
        "list(parallel.in_order([job, job], 2, lambda *_: None))\n"
    )
    first = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert first.stdout.readline() == b"on\n"
    time.sleep(1)
    children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
    assert len(children) == 2
    first.kill()
    first.wait()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_how_many_processes_are_worth_it(paths, monkeypatch):
    monkeypatch.setattr(parallel, "_cores", lambda: 4)
    names = [str(path) for path in paths]
    assert parallel.workers_for(names) == 1
    monkeypatch.setattr(parallel, "WORTH_A_PROCESS", 1000)
    assert parallel.workers_for(names) == 4
    assert parallel.workers_for(names[:2]) == 2
    assert parallel.workers_for(["-"]) == 1


def ends(_progress):
    yield from ()


def test_a_process_that_died_while_it_waited_is_told(monkeypatch):
    monkeypatch.setattr(parallel, "_start_method", lambda: "fork")
    start = parallel._Worker.start

    def start_after_its_death(worker, job, jobs):
        if job == 2:
            worker.process.kill()
            worker.process.join()
        start(worker, job, jobs)

    monkeypatch.setattr(parallel._Worker, "start", start_after_its_death)
    with pytest.raises(CaptureError, match="ended with status -9; is there enough memory"):
        list(parallel.in_order([ends] * 4, 2, lambda *_: None))


def test_nothing_stays_in_memory_if_the_first_process_is_killed(paths, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    code = (
        "import sys, time; from clgan_tf import capture; from clgan_tf.capture import parallel\n"
        "parallel.BYTES_BY_FILE = 1\n"
        "for part in capture.stream(sys.argv[1:], workers=2):\n"
        "    print('on', flush=True); time.sleep(60)\n"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, paths)],
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    assert first.stdout.readline() == b"on\n"
    first.kill()
    first.wait()
    deadline = time.monotonic() + 10
    while list(scratch.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not list(scratch.iterdir())
