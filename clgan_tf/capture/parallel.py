"""Captures read by several processes at the same time, their sessions handed on in the captures' order."""

import itertools
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path
from typing import Any

import numpy as np

from clgan_tf.common.errors import CaptureError, UserError

Progress = Callable[[int, int], None]  # packets and bytes read since the last call
MOST_WAITING = 1 << 18  # sessions of later captures that may wait for their turn
BYTES_BY_FILE = 1 << 20  # arrays from this size on travel in a file, which is mapped, not copied
ALIGNMENT = 64  # bytes
ROOM_IN_MEMORY = 2 << 30
WORTH_A_PROCESS = 32 << 20  # bytes of captures: below, starting one takes longer than reading


Job = Callable[[Progress], Iterator[Any]]  # it yields dataclasses with `images`, such as Sessions


def workers_for(paths: Sequence[str]) -> int:
    """How many processes are worth starting for these files on this machine."""
    size = sum(Path(path).stat().st_size for path in paths if Path(path).is_file())
    return max(1, min(_cores(), len(paths), size // WORTH_A_PROCESS))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def in_order(jobs: Sequence[Job], workers: int, progress: Progress) -> Iterator[Any]:
    """Yields what the jobs yield, job after job, whichever process is done first.

    Raises:
      UserError: what a job raised, when its turn comes; CaptureError: a process was killed.
    """
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            yield from job(progress)
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clgan_tf_", dir=_scratch())))
        team: list[_Worker] = []
        stack.callback(_stop, team)
        for number in range(min(workers, len(jobs))):
            team.append(_Worker(number, folder))
        yield from _collect(jobs, team, progress)


def _collect(jobs: Sequence[Job], team: "list[_Worker]", progress: Progress) -> Iterator[Any]:
    waiting = [_Outcome() for _ in jobs]
    todo = iter(range(len(jobs)))
    for worker in team:
        worker.start(next(todo), jobs)
    turn, held = 0, 0  # held: sessions that wait, of any capture
    while turn < len(jobs):
        heard = {
            worker.pipe: worker
            for worker in team
            if worker.job is not None and (worker.job == turn or held < MOST_WAITING)
        }
        for pipe in connection.wait(list(heard)):
            worker = heard[pipe]  # type: ignore[index]
            kind, *content = worker.receive()
            assert worker.job is not None
            if kind == "progress":
                progress(*content)
            elif kind == "part":
                part = _unpacked(*content)
                waiting[worker.job].parts.append(part)
                held += len(part)
            else:
                waiting[worker.job].is_done = True
                waiting[worker.job].error = content[0]
                worker.job = None
                following = next(todo, None)
                if following is not None:
                    worker.start(following, jobs)
        while turn < len(jobs):
            outcome = waiting[turn]
            while outcome.parts:
                part = outcome.parts.popleft()
                held -= len(part)
                yield part
            if outcome.error:
                raise outcome.error
            if not outcome.is_done:
                break
            turn += 1


@dataclass
class _Outcome:
    parts: deque[Any] = field(default_factory=deque)
    is_done: bool = False
    error: UserError | None = None


def _start_method() -> str:
    """A fork starts at once, but may hang where TensorFlow's threads hold locks."""
    return "fork" if sys.platform == "linux" and "tensorflow" not in sys.modules else "spawn"


_OUR_ENDS: list[Any] = []  # a fork inherits them, and must close them to notice that this process has ended


class _Worker:
    """A process, our end of the pipe to it, and the job that it is at."""

    def __init__(self, number: int, folder: Path) -> None:
        context = multiprocessing.get_context(_start_method())
        self.pipe, other = context.Pipe()
        _OUR_ENDS.append(self.pipe)
        self.process = context.Process(  # type: ignore[attr-defined]
            target=_work, args=(other, folder / str(number)), daemon=True
        )
        self.process.start()
        other.close()
        self.job: int | None = None

    def start(self, job: int, jobs: Sequence[Job]) -> None:
        self.job = job
        try:
            self.pipe.send(jobs[job])
        except OSError as error:
            raise self._ended() from error

    def receive(self) -> tuple[Any, ...]:
        try:
            return self.pipe.recv()
        except (EOFError, OSError) as error:
            raise self._ended() from error

    def _ended(self) -> CaptureError:
        self.process.join(timeout=5)
        return CaptureError(
            f"A process that read captures ended with status {self.process.exitcode}; is there enough memory?"
        )


def _stop(team: list[_Worker]) -> None:
    for worker in team:
        worker.process.terminate()
    for worker in team:
        worker.process.join()
        _OUR_ENDS.remove(worker.pipe)
        worker.pipe.close()


def _work(pipe: Any, folder: Path) -> None:
    """A worker's life: jobs in, parts and progress out, until the first process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's to handle
    for inherited in _OUR_ENDS:
        inherited.close()
    folder.mkdir()
    names = (folder / str(number) for number in itertools.count())
    with suppress(EOFError, ConnectionError):
        while True:
            job = pipe.recv()
            pipe.send(("end", _run(job, pipe, names)))
    shutil.rmtree(folder.parent, ignore_errors=True)  # The first process was killed and could not.


def _run(job: Job, pipe: Any, names: Iterator[Path]) -> UserError | None:
    try:
        for part in job(lambda packets, size: pipe.send(("progress", packets, size))):
            pipe.send(("part", *_packed(part, next(names))))
    except ConnectionError:
        raise
    except UserError as error:
        return error
    except OSError as error:  # no space for the arrays, most likely
        return CaptureError(f"{error.filename or 'a scratch file'}: {error.strerror}; free space there, or set TMPDIR.")
    return None


def _packed(part: Any, path: Path) -> tuple[bytes, list[int], Path | None]:
    """A pickle without the arrays' bytes, and those in a file, each at a multiple of ALIGNMENT."""
    arrays: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(part, 5, buffer_callback=arrays.append)
    sizes = [array.raw().nbytes for array in arrays]
    if sum(sizes) < BYTES_BY_FILE:
        return pickle.dumps(part), [], None
    with open(path, "wb") as file:
        for array, size in zip(arrays, sizes, strict=True):
            file.write(array.raw())
            file.write(bytes(-size % ALIGNMENT))
    return rest, sizes, path


def _unpacked(rest: bytes, sizes: list[int], path: Path | None) -> Any:
    if path is None:
        return pickle.loads(rest)
    mapped = memoryview(np.memmap(path, np.uint8, "c"))  # type: ignore[arg-type]
    path.unlink()  # the mapping stays
    arrays, at = [], 0
    for size in sizes:
        arrays.append(mapped[at : at + size])
        at += size + -size % ALIGNMENT
    return pickle.loads(rest, buffers=arrays)


def _scratch() -> str | None:
    """TMPDIR if it is set; memory, where there is a folder of it with room; or else the usual place."""
    shared = "/dev/shm"
    if "TMPDIR" in os.environ or not Path(shared).is_dir() or shutil.disk_usage(shared).free < ROOM_IN_MEMORY:
        return None
    return shared
