"""Open a trail: a directory on this host; first ask what became of its promises.

`phitrail.app` is loaded here, when a directory is opened, and not before.
"""

import asyncio
import os
from pathlib import Path

from phitrail.errors import ConfigError, IntegrityError
from phitrail.sdk.backend import Backend
from phitrail.sdk.promise_store import receipts_directory
from phitrail.sdk.promises import Promises
from phitrail.sdk.trail import AsyncTrail, Trail

DEFAULT_TRAIL = "./phitrail"
TRAIL_VARIABLE = "PHITRAIL_TRAIL"
SOURCE_VARIABLE = "PHITRAIL_SOURCE"


def connect(
    where: str | Path | None = None,
    *,
    source: str | Path | None = None,
    receipts: str | Path | None = "",
) -> Trail:
    """Open a trail for use by threads.

    Args:
        where: the trail's directory; by default the variable `PHITRAIL_TRAIL`, or
            `./phitrail`.
        source: the file with this application's credential from `phitrail source add`; its
            events are numbered then, so that one that is missing shows. By default the
            variable `PHITRAIL_SOURCE`; without either, nothing is numbered.
        receipts: the directory in which this application keeps what it is promised, best
            on another disk than the trail; None to keep nothing. By default the variable
            `PHITRAIL_RECEIPTS`, or `phitrail/receipts` in the user's state directory.

    Raises:
        ConfigError: there is no trail, or a file or key of it is missing or wrong; or
            receipts cannot be kept.
        IntegrityError: the log broke a promise that was kept; or the journal is behind a
            checkpoint from outside.
        StorageError: a file cannot be opened.
    """
    return Trail(*_open(where, source, receipts))


async def aconnect(
    where: str | Path | None = None,
    *,
    source: str | Path | None = None,
    receipts: str | Path | None = "",
) -> AsyncTrail:
    """Open a trail for use on an event loop; see `connect`.

    Raises:
        ConfigError: there is no trail, a file or key of it is missing or wrong, or
            receipts cannot be kept.
        IntegrityError: the log broke a promise, or is behind a checkpoint from outside.
        StorageError: a file cannot be opened.
    """
    return AsyncTrail(*await asyncio.to_thread(_open, where, source, receipts))


def _open(
    where: str | Path | None,
    source: str | Path | None,
    receipts: str | Path | None,
) -> tuple[Backend, Promises | None]:
    directory = receipts_directory(receipts, os.environ)
    backend = _open_backend(where, source)
    if directory is None:
        return backend, None
    try:
        promises = Promises(backend, directory)
        promises.start()
    except BaseException as error:
        try:
            backend.close()
        except IntegrityError as refusal:
            error.add_note(f"and at closing the trail: {refusal}")
        raise
    return backend, promises


def _open_backend(where: str | Path | None, source: str | Path | None) -> Backend:
    place = str(where or os.environ.get(TRAIL_VARIABLE) or DEFAULT_TRAIL)
    if "://" in place:
        raise ConfigError(
            "this version opens directories only; give the path of a trail"
        )
    from phitrail.sdk.directory import Directory

    credential = source or os.environ.get(SOURCE_VARIABLE)
    return Directory(Path(place), source=Path(credential) if credential else None)
