"""One process at a time in a directory."""

import os
from pathlib import Path

from clgan_tf.common.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows has no such locks, and there nothing is locked.
    fcntl = None  # type: ignore[assignment]


class DirectoryLock:
    """Held as long as this object lives, or its process: the operating system lets go of what a dead process held.

    Raises:
      ConfigError: another process holds it.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = None
        if fcntl is None:
            return
        self._descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise ConfigError(f"{path}: another process is at work there; wait for it or choose another.") from error
        except OSError:  # A file system without locks.
            self.close()

    def close(self) -> None:
        """Lets go of it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.close()
