"""Open a trail: a directory on this host; first ask what became of its promises.

`phitrail.app` is loaded here, when a directory is opened, and not before.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from phitrail.capture.guarding import Guarding
from phitrail.errors import ConfigError, IntegrityError, StorageError
from phitrail.sdk import clock
from phitrail.sdk.backend import Backend
from phitrail.sdk.promise_store import receipts_directory
from phitrail.sdk.promises import Promises
from phitrail.sdk.trail import AsyncTrail, Trail

DEFAULT_TRAIL = "./phitrail"
TRAIL_VARIABLE = "PHITRAIL_TRAIL"
SOURCE_VARIABLE = "PHITRAIL_SOURCE"
SPOOL_VARIABLE = "PHITRAIL_SPOOL"


def connect(
    where: str | Path | None = None,
    *,
    source: str | Path | None = None,
    receipts: str | Path | None = "",
    spool: str | Path | None = None,
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
        spool: a directory of this process alone, best on another disk than the trail, for
            what a log that is down cannot take (`sdk.spooling`). By default the variable
            `PHITRAIL_SPOOL`; without either nothing is recorded, and so nothing released,
            while the log is down.

    Raises:
        ConfigError: there is no trail, or a file or key of it is missing or wrong; or
            receipts cannot be kept; or another process has the spool open.
        IntegrityError: the log broke a promise that was kept; or the journal is behind a
            checkpoint from outside; or the spool was altered.
        StorageError: a file cannot be opened.
    """
    return Trail(*_open(where, source, receipts, spool))


async def aconnect(
    where: str | Path | None = None,
    *,
    source: str | Path | None = None,
    receipts: str | Path | None = "",
    spool: str | Path | None = None,
) -> AsyncTrail:
    """Open a trail for use on an event loop; see `connect`.

    Raises:
        ConfigError: there is no trail, a file or key of it is missing or wrong, or
            receipts cannot be kept.
        IntegrityError: the log broke a promise, or is behind a checkpoint from outside.
        StorageError: a file cannot be opened.
    """
    return AsyncTrail(*await asyncio.to_thread(_open, where, source, receipts, spool))


def _open(
    where: str | Path | None,
    source: str | Path | None,
    receipts: str | Path | None,
    spool: str | Path | None,
) -> tuple[Backend, Promises | None, Guarding | None]:
    directory = receipts_directory(receipts, os.environ)
    credential = source or os.environ.get(SOURCE_VARIABLE)
    spooled = spool or os.environ.get(SPOOL_VARIABLE)
    place = _check_place(where)
    key = Path(credential) if credential else None
    if spooled:
        return _open_spooling(place, key, directory, Path(spooled))
    from phitrail.sdk.directory import Directory

    backend = Directory(place, source=key)
    with _closed_on_error(backend):
        guarding = backend.open_guarding()
        if directory is None:
            return backend, None, guarding
        promises = Promises(backend, directory)
        promises.start()
    return backend, promises, guarding


def _open_spooling(
    place: Path, source: Path | None, receipts: Path | None, spooled: Path
) -> tuple[Backend, Promises | None, Guarding | None]:
    """Open a trail with a spool; the log itself may be down."""
    from phitrail.capture.spool import Spool
    from phitrail.sdk.directory import Directory
    from phitrail.sdk.offline import Offline
    from phitrail.sdk.spooling import Spooling, tell_log

    offline = Offline(place, source, clock.now())
    try:
        spool = Spool.open(spooled, offline.limits, clock.now())
    except IntegrityError as error:
        try:
            log = Directory(place, source=source)
        except StorageError as unsaid:
            error.add_note(f"and the log was not told: {unsaid}")
            raise error from None
        with closing(log):
            tell_log(log, spooled.name, error)
        raise
    backend = Spooling(offline, spool, lambda: Directory(place, source=source))
    with _closed_on_error(backend):
        backend.open()
        if receipts is None:
            backend.start()
            return backend, None, offline.guarding
        promises = Promises(backend, receipts)
        backend.on_receipts = promises.note
        promises.start(may_be_down=True)
        backend.start()
    return backend, promises, offline.guarding


@contextmanager
def _closed_on_error(backend: Backend) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        try:
            backend.close()
        except IntegrityError as refusal:
            error.add_note(f"and at closing the trail: {refusal}")
        raise


def _check_place(where: str | Path | None) -> Path:
    place = str(where or os.environ.get(TRAIL_VARIABLE) or DEFAULT_TRAIL)
    if "://" in place:
        raise ConfigError(
            "this version opens directories only; give the path of a trail"
        )
    return Path(place)
