"""The recovery key leaves once: into a file of the operator's, or onto the screen.

1. The file is made first, mode 0600, and must not exist: a trail whose recovery key
   could not be handed out is not made.
2. Nothing keeps the key after that. Whoever loses it cannot replace a signing key after
   a compromise.
"""

import os
from collections.abc import Callable
from pathlib import Path

from phitrail.app.founding import Founded
from phitrail.errors import InputError, StorageError
from phitrail.events.unprotect import unprotect


def recovery_line(founded: Founded) -> str:
    """Return the line to hand out; the one use of it is to show it to the operator."""
    return unprotect(founded.recovery_key)


def found_with_recovery_file(path: Path, found: Callable[[], Founded]) -> Founded:
    """Found a trail and write its recovery key to a new file.

    Raises:
        InputError: the file exists.
        StorageError: it cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InputError.for_field("--recovery-out", "must not exist yet") from None
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            founded = found()
            file.write(recovery_line(founded) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(
            f"the recovery key could not be written to {path}: {error.strerror}; "
            "remove the trail and run `phitrail init` again"
        ) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return founded
