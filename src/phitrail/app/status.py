"""`status`: how a trail stands, from files alone; it needs no key and records nothing.

A log is *anchored* if as many places outside hold a checkpoint of it as `policy.yaml`
needs: anchors that gave evidence, and what people brought back into `state/outside/`. What
stands on this host alone shows only consistency with itself. All of it is read from this
host's disk: `status` tells an operator what to do, and `verify` tells what is so.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from phitrail.anchor.settings import AnchorSettings
from phitrail.app.anchor_standing import (
    Shelf,
    Standing,
    outside_name,
    time_within,
)
from phitrail.app.config import Policy, read_anchors, read_policy
from phitrail.app.detect_state import Standing as DetectionStanding
from phitrail.app.detect_state import read_report
from phitrail.app.pins import JOURNAL, read_lines, read_pins
from phitrail.app.wiring import OUTSIDE, PUBLISH_LOCK
from phitrail.durable.lock import FileLock
from phitrail.errors import StorageError
from phitrail.events.codes import Log
from phitrail.tlog.journal import Journal
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.layout import public_checkpoint
from phitrail.tlog.outside import OutsideCheckpoint, check_not_behind, read_outside


@dataclass(frozen=True, slots=True)
class AnchorStatus:
    """How one anchor stands with one log.

    Attributes:
        settings: what `anchors.yaml` says of it.
        log: which log.
        standing: what it holds, and what went wrong since.
        published_size: how many entries it could hold.
        within: the time within which it must hold a new checkpoint.
    """

    settings: AnchorSettings
    log: Log
    standing: Standing
    published_size: int
    within: timedelta

    @property
    def lag(self) -> int:
        """How many published entries it does not hold."""
        return max(0, self.published_size - self.standing.held_size)

    @property
    def kind(self) -> str:
        """Which kind of anchor it is."""
        return str(self.settings.__struct_config__.tag)

    def is_late(self, now: datetime) -> bool:
        """Say whether it should hold by now what it does not."""
        return self.standing.is_late(now, self.within)


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
        holders: the places outside that hold it, by name.
        holders_needed: how many of them make it anchored.
        anchors: how each anchor stands that takes this log.
    """

    log: Log
    origin: str
    size: int
    published_size: int
    published_at: datetime | None
    outside_size: int | None
    holders: tuple[str, ...]
    holders_needed: int
    anchors: tuple[AnchorStatus, ...]

    @property
    def lag(self) -> int:
        """How many durable entries no checkpoint covers yet."""
        return self.size - self.published_size

    @property
    def is_anchored(self) -> bool:
        """Whether enough places outside hold this log, and none another history."""
        return len(self.holders) >= self.holders_needed and not self.contradicted_by

    @property
    def contradicted_by(self) -> tuple[str, ...]:
        """The anchors that hold another history of this log."""
        return tuple(
            anchor.settings.name
            for anchor in self.anchors
            if anchor.standing.is_other_history
        )


@dataclass(frozen=True, slots=True)
class TrailStatus:
    """A trail: its logs, who publishes, how detection stands, its bytes on disk."""

    directory: Path
    tenant: str
    logs: tuple[LogStatus, ...]
    is_published_now: bool | None
    sizes_bytes: dict[str, int]
    detection: DetectionStanding | None

    @property
    def unjudged(self) -> int:
        """How many entries no rule has judged yet."""
        if self.detection is None:
            return sum(log.size for log in self.logs)
        judged = self.detection.batch
        return sum(max(0, log.size - judged.end(log.log)) for log in self.logs)


def read_status(directory: Path) -> TrailStatus:
    """Read how a trail stands.

    Raises:
        ConfigError: there is no trail here.
        IntegrityError: a checkpoint does not verify, or a log is behind one that came
            back from outside.
        StorageError: a file cannot be read.
    """
    pins, lines = read_pins(directory), read_lines(directory)
    policy, anchors = read_policy(directory), read_anchors(directory)
    report = read_report(directory)
    with closing(Journal.open(directory / JOURNAL, read_only=True)) as journal:
        logs = tuple(
            _log(directory, journal, log, lines[log], policy, anchors) for log in Log
        )
    return TrailStatus(
        directory,
        pins[Log.AUDIT].genesis.tenant,
        logs,
        _is_published_now(directory),
        {name: _bytes_under(directory / name) for name in _PLACES},
        None if report is None else report.standing,
    )


_PLACES = ("public", "state/bundles", "state/journal.db", "state/identity.db")


def _log(
    directory: Path,
    journal: Journal,
    log: Log,
    line: KeyLine,
    policy: Policy,
    anchors: Sequence[AnchorSettings],
) -> LogStatus:
    size = journal.head(log.value).size
    newest = journal.newest_checkpoint(log.value)
    published_size = 0
    if newest is not None:
        published_size = line.open_own(newest[1]).size
    standing = tuple(
        AnchorStatus(
            one,
            log,
            Shelf(directory, one.name, log).read(),
            published_size,
            time_within(one, policy),
        )
        for one in anchors
        if log in one.logs
    )
    seen = _outside(directory, line, size, standing)
    of_anchors = {outside_name(one.settings.name, log) for one in standing}
    return LogStatus(
        log,
        line.origin,
        size,
        published_size,
        _changed_at(directory / public_checkpoint(log.value)),
        max((one.checkpoint.size for one in seen), default=None),
        (
            *(one.settings.name for one in standing if one.standing.held_size),
            *(one.source for one in seen if one.source not in of_anchors),
        ),
        policy.anchors_needed,
        standing,
    )


def _outside(
    directory: Path, line: KeyLine, size: int, standing: Sequence[AnchorStatus]
) -> list[OutsideCheckpoint]:
    """Read what came back from outside; it must not be ahead of the log.

    What an anchor that holds another history gave is told as that anchor's trouble.
    """
    seen = list(read_outside(directory / OUTSIDE, line))
    if not any(one.standing.is_other_history for one in standing):
        for one in seen:
            check_not_behind(one, size, None)
    return [one for one in seen if one.checkpoint.size <= size]


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
