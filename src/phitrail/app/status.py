"""`status`: how a trail stands, from files alone; it needs no key and records nothing.

A log is *anchored* if `state/outside/` holds a checkpoint of it that came back from
outside; what stands on this host alone shows only consistency with itself.
"""

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from phitrail.app.wiring import JOURNAL, OUTSIDE, PUBLISH_LOCK, read_pins
from phitrail.durable.lock import FileLock
from phitrail.errors import StorageError
from phitrail.events.codes import Log
from phitrail.tlog.checkpoint import open_checkpoint
from phitrail.tlog.genesis import Pinned
from phitrail.tlog.journal import Journal
from phitrail.tlog.layout import public_checkpoint
from phitrail.tlog.outside import check_not_behind, read_outside


@dataclass(frozen=True, slots=True)
class LogStatus:
    """One log.

    Attributes:
        log: which one.
        origin: its name.
        size: how many entries are durable.
        published_size: how many a checkpoint covers; the rest is the lag.
        published_at: when the newest checkpoint was put where readers look.
        outside_size: size of the largest checkpoint that came back from outside.
    """

    log: Log
    origin: str
    size: int
    published_size: int
    published_at: datetime | None
    outside_size: int | None

    @property
    def lag(self) -> int:
        """How many durable entries no checkpoint covers yet."""
        return self.size - self.published_size

    @property
    def is_anchored(self) -> bool:
        """Whether something from outside supports this log."""
        return self.outside_size is not None


@dataclass(frozen=True, slots=True)
class TrailStatus:
    """A trail: its logs, who publishes, and what it takes on disk (bytes)."""

    directory: Path
    tenant: str
    logs: tuple[LogStatus, ...]
    is_published_now: bool | None
    sizes_bytes: dict[str, int]


def read_status(directory: Path) -> TrailStatus:
    """Read how a trail stands.

    Raises:
        ConfigError: there is no trail here.
        IntegrityError: a checkpoint does not verify, or a log is behind one that came
            back from outside.
        StorageError: a file cannot be read.
    """
    pins = read_pins(directory)
    with closing(Journal.open(directory / JOURNAL, read_only=True)) as journal:
        logs = tuple(_log(directory, journal, log, pins[log]) for log in Log)
    return TrailStatus(
        directory,
        pins[Log.AUDIT].genesis.tenant,
        logs,
        _is_published_now(directory),
        {name: _bytes_under(directory / name) for name in _PLACES},
    )


_PLACES = ("public", "state/bundles", "state/journal.db", "state/identity.db")


def _log(directory: Path, journal: Journal, log: Log, pinned: Pinned) -> LogStatus:
    origin = pinned.genesis.origin
    size = journal.head(log.value).size
    newest = journal.newest_checkpoint(log.value)
    published_size = 0
    if newest is not None:
        published_size = open_checkpoint(newest[1], [pinned.log_key]).size
    known = [pinned.log_key, pinned.promise_key]
    outside = list(read_outside(directory / OUTSIDE, origin, known))
    for seen in outside:
        check_not_behind(seen, size, None)
    return LogStatus(
        log,
        origin,
        size,
        published_size,
        _changed_at(directory / public_checkpoint(log.value)),
        max((seen.checkpoint.size for seen in outside), default=None),
    )


def _changed_at(place: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(place.stat().st_mtime, UTC)
    except OSError:
        return None


def _is_published_now(directory: Path) -> bool | None:
    """Say whether some process holds the lease; None where that cannot be asked."""
    if not (directory / PUBLISH_LOCK).exists():
        return False
    try:
        lease = FileLock(directory / PUBLISH_LOCK)
    except StorageError:
        return None
    with closing(lease):
        return not lease.try_acquire()


def _bytes_under(place: Path) -> int:
    """Add up a directory, or a database with what SQLite keeps beside it."""
    files = place.rglob("*") if place.is_dir() else place.parent.glob(place.name + "*")
    return sum(file.stat().st_size for file in files if file.is_file())
