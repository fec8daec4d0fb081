"""Standard output that its reader may close (`| head`): what is printed ends there, the work does not."""

import os
import sys
from collections.abc import Callable
from typing import Any, TextIO


class UntilClosed:
    """A text stream that swallows what is written once its reader is gone.

    Characters that the terminal's encoding lacks are written as question marks.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_closed = False
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")

    def write(self, text: str) -> int:
        """Writes it, if someone still reads."""
        self._attempt(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flushes, if someone still reads."""
        self._attempt(self._stream.flush)

    def _attempt(self, call: Callable[[], Any]) -> None:
        if self.is_closed:
            return
        try:
            call()
        except BrokenPipeError:
            self.is_closed = True
            # Python flushes once more at its end, and would complain of the pipe again.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_standard_streams() -> None:
    """Gives a process that was started without standard streams, as by a daemon, ones that lead nowhere.

    Else the next file that is opened takes their number, and what is meant for them goes into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The system gives the lowest number that is free.
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w", closefd=False))


def reader_is_gone() -> bool:
    """Whether what is written to standard output now goes nowhere, as far as writing has shown."""
    return isinstance(sys.stdout, UntilClosed) and sys.stdout.is_closed
