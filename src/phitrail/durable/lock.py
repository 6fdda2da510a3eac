"""A lock between processes of one host that the kernel releases when its holder dies.

`flock(2)` on an open file: no lease times, no stale lock after kill -9, and waiters sleep
in the kernel instead of polling. Not for network file systems.
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakMethod

from phitrail.errors import StorageError


class FileLock:
    """One lock file; not for use by several threads at once."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(
                f"cannot open the lock file {path}: {error.strerror}; "
                "is the directory writable?"
            ) from error
        # A forked child shares the lock as long as it has the file open: it would keep
        # it when we die.
        close = WeakMethod(self.close)
        os.register_at_fork(after_in_child=lambda: _call(close))

    def acquire(self) -> None:
        """Wait until the lock is ours."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def try_acquire(self) -> bool:
        """Take the lock if nobody holds it; say whether it is ours now."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def share(self) -> None:
        """Hold the lock with all who share it; wait until nobody has it alone."""
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def release(self) -> None:
        """Let the next one have it."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release and close the file; calling it again is harmless."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _call(method: WeakMethod[Callable[[], None]]) -> None:
    """Call a method of something that may be gone."""
    bound = method()
    if bound is not None:
        bound()
