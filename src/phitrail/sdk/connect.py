"""Open a trail: a directory on this host.

`phitrail.app` is loaded here, when a directory is opened, and not before.
"""

import asyncio
import os
from pathlib import Path

from phitrail.errors import ConfigError
from phitrail.sdk.backend import Backend
from phitrail.sdk.trail import AsyncTrail, Trail

DEFAULT_TRAIL = "./phitrail"
TRAIL_VARIABLE = "PHITRAIL_TRAIL"


def connect(where: str | Path | None = None) -> Trail:
    """Open a trail for use by threads.

    Args:
        where: the trail's directory; by default the variable `PHITRAIL_TRAIL`, or
            `./phitrail`.

    Raises:
        ConfigError: there is no trail, or a file or key of it is missing or wrong.
        IntegrityError: the journal is behind a checkpoint from outside.
        StorageError: a file cannot be opened.
    """
    return Trail(_open(where))


async def aconnect(where: str | Path | None = None) -> AsyncTrail:
    """Open a trail for use on an event loop; see `connect`.

    Raises:
        ConfigError: there is no trail, or a file or key of it is missing or wrong.
        IntegrityError: the journal is behind a checkpoint from outside.
        StorageError: a file cannot be opened.
    """
    return AsyncTrail(await asyncio.to_thread(_open, where))


def _open(where: str | Path | None) -> Backend:
    place = str(where or os.environ.get(TRAIL_VARIABLE) or DEFAULT_TRAIL)
    if "://" in place:
        raise ConfigError(
            "this version opens directories only; give the path of a trail"
        )
    from phitrail.sdk.directory import Directory

    return Directory(Path(place))
