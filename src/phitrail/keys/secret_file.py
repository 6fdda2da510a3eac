"""A file that holds a secret: new, mode 0600, and refused when others may read it.

What a file holds is its owner's business; a refusal names the file and never quotes it.
"""

import os
from pathlib import Path
from typing import Final

from phitrail.errors import ConfigError

READABLE_BY_OTHERS: Final = 0o077


def make_secret_file(place: Path, data: bytes) -> None:
    """Write a new file; durable on return, its name too.

    Raises:
        FileExistsError: something stands there; it is not touched.
        OSError: it cannot be written.
    """
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    directory = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read_secret_file(
    place: Path, *, what: str = "key file", if_seen: str, if_missing: str
) -> bytes:
    """Read a file that its owner alone may read.

    Args:
        place: where it stands.
        what: what it is called in an error.
        if_seen: what to do where others may have read it.
        if_missing: what to do where it is not there.

    Raises:
        ConfigError: it is missing, or readable by others.
    """
    try:
        if place.stat().st_mode & READABLE_BY_OTHERS:
            raise ConfigError(
                f"{place} is readable by others; run: chmod 600 {place}, and {if_seen}"
            )
        return place.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read {what} {place}: {error.strerror}; {if_missing}"
        ) from error
