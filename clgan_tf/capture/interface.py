"""Packets from a network interface, by the capturing program that is installed: dumpcap or tcpdump."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from clgan_tf.common.errors import CaptureError

PROGRAMS = {  # the first that is installed
    "dumpcap": ("-q", "-w", "-", "-i"),
    "tcpdump": ("--immediate-mode", "-U", "-w", "-", "-i"),
}


@contextmanager
def capturing(interface: str) -> Iterator[str]:
    """Yields a path from which to read the interface's packets as they come; says nothing of its own.

    Raises:
      CaptureError: neither program is installed, or it ended with an error, of which it tells on standard error.
    """
    program = next(filter(shutil.which, PROGRAMS), None)
    if not program:
        raise CaptureError(f"--interface={interface} needs {' or '.join(PROGRAMS)}; install one, or pipe packets in.")
    with subprocess.Popen([program, *PROGRAMS[program], interface], stdout=subprocess.PIPE) as process:
        assert process.stdout
        path = f"/dev/fd/{process.stdout.fileno()}"
        is_over = False
        try:
            yield path
            with suppress(subprocess.TimeoutExpired):  # The pipe may end a moment before the program does.
                is_over = process.wait(timeout=0.5) is not None
        except CaptureError as error:
            raise CaptureError(str(error).replace(path, interface)) from error
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):  # A pipe that is closed before its end is an error to it.
                process.communicate(timeout=2)
            process.kill()
    if is_over and process.returncode:
        raise CaptureError(f"{interface}: {program} ended with status {process.returncode}; see what it says above.")
