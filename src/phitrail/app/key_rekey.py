"""Re-keying the identity map: its rows move to the key versions in use.

After a rotation of `identity-index` or `identity-seal` old rows are found and opened under
the old version. A re-key moves them (`identity.rekey`), so that the old version may be
destroyed, or lies in quarantine without holding up anybody.

1. It may be killed at any moment and run again: it goes on with the rows that are left.
2. One event tells its beginning and one its end, each with a sealed document of what was
   counted, however often it was killed in between (`state/rekey` remembers both). Where
   nothing is left to move, nothing is recorded.
3. Rows that a compromised version sealed are opened: that is what a re-key is for.
4. A row that cannot be opened is told, and stays; `phitrail verify --deep` tells it too.
5. One re-key at a time; whoever records goes on meanwhile.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from phitrail.app import clock
from phitrail.app.documents import keep_document
from phitrail.app.wiring import IDENTITY, Trail, wire_map_keys
from phitrail.durable.database import Connect, open_database
from phitrail.durable.files import DurableFiles
from phitrail.durable.lock import FileLock
from phitrail.errors import ConfigError, StorageError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import (
    ActorType,
    Assurance,
    AttributionBasis,
    EventType,
    Outcome,
)
from phitrail.events.ids import format_time, new_uuid7, uuid_bytes
from phitrail.identity.rekey import Mover, Row, Target, count_old, target_of
from phitrail.identity.surrogate import written_surrogate
from phitrail.keys import names
from phitrail.keys.names import KeyId
from phitrail.tlog.reader import find_event

REKEY = "state/rekey"
REKEY_LOCK = "state/rekey.lock"
LISTED_AT_MOST = 1000

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What a re-key did.

    Attributes:
        index: the version that rows are found under now.
        seal: the version that they are sealed under now.
        rows: so many were moved.
        already: so many stood there before.
        failed: so many could not be moved, and stay as they were.
        failed_surrogates: whose they are, the first `LISTED_AT_MOST` of them.
        digest: of the document that tells the end; none where nothing was done.
    """

    index: KeyId
    seal: KeyId
    rows: int
    already: int
    failed: int
    failed_surrogates: tuple[str, ...]
    digest: str | None


class _Begun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A re-key on its way: the events of its beginning and of its end."""

    start_event: str
    end_event: str
    at: str
    by: str
    digest: str


@dataclass(slots=True)
class _Stuck:
    """Rows that stay as they were: how many, whose, under which index versions."""

    count: int = 0
    listed: tuple[str, ...] = ()
    versions: frozenset[int] = frozenset()

    def add(self, rows: Sequence[Row]) -> None:
        self.count += len(rows)
        named = [row.surrogate for row in rows if isinstance(row.surrogate, bytes)]
        room = LISTED_AT_MOST - len(self.listed)
        self.listed += tuple(map(written_surrogate, named[:room]))
        self.versions |= {row.version for row in rows if isinstance(row.version, int)}


def rows_to_rekey(trail: Trail) -> int:
    """Count the rows of the identity map that do not stand under the versions in use.

    Raises:
        StorageError: the map cannot be read, or no version is in use.
    """
    keys = wire_map_keys(trail.keys)
    with closing(open_database(trail.directory / IDENTITY, read_only=True)) as database:
        return count_old(database, keys, target_of(keys))[0]


def rekey_identity(
    trail: Trail,
    *,
    by: str,
    now: datetime,
    progress: Progress = lambda _done, _total: None,
    files: DurableFiles | None = None,
    connect: Connect = sqlite3.connect,
) -> Rekeyed:
    """Move every row of the identity map to the key versions in use.

    Args:
        trail: open for writing.
        by: who asks, as the audit log will name them.
        now: the time.
        progress: told how many rows were moved, and how many there were to move.
        files: the trail's files; the fault tests pass their own.
        connect: a seam for fault tests.

    Raises:
        StorageError: it did not come to its end; what was moved is moved, run it again.
        IntegrityError: a row that was just sealed does not open.
    """
    trail.keys.refresh()
    files = files or DurableFiles(trail.directory)
    keys = wire_map_keys(trail.keys.behind_glass())
    with ExitStack() as stack:
        stack.enter_context(_alone(trail.directory))
        mover = Mover(trail.directory / IDENTITY, keys, connect)
        stack.callback(mover.close)
        record = _Record(trail, files, by, now)
        left, every = mover.count_old()
        target, rows, stuck = _move_all(mover, record, left, progress)
        digest = record.end(target, rows, stuck)
    return Rekeyed(
        KeyId(names.IDENTITY_INDEX, target.index),
        KeyId(names.IDENTITY_SEAL, target.seal),
        rows,
        every - left,
        stuck.count,
        stuck.listed,
        digest,
    )


def _move_all(
    mover: Mover, record: "_Record", left: int, progress: Progress
) -> tuple[Target, int, _Stuck]:
    """Sweep until a sweep moves nothing; what that one leaves is stuck."""
    moved = 0
    while True:
        target, stuck, before = mover.admit(), _Stuck(), moved
        for page in mover.sweep(target):
            if page.renewed:
                record.begin(target, left)
            left_over = mover.write(page)
            moved += len(page.renewed) - len(left_over)
            stuck.add(page.failed)
            stuck.add(left_over)
            progress(moved, max(left, moved))
        if moved == before:
            mover.unlist(target, stuck.versions)
            return target, moved, stuck


class _Record:
    """The two events of a re-key: each is recorded once, whoever has to go on with it."""

    def __init__(
        self, trail: Trail, files: DurableFiles, by: str, now: datetime
    ) -> None:
        self._trail = trail
        self._files = files
        self._by = by
        self._now = now
        self._since_us = clock.monotonic_us()
        self._begun = self._read()
        self._is_started = False

    def begin(self, target: Target, rows: int) -> None:
        """Record the beginning, unless that was done.

        Raises:
            StorageError: it was not.
        """
        if self._begun is None:
            now, at = self._now, format_time(self._now)
            digest = self._keep(target, "started", at, {"rows": rows})
            begun = _Begun(new_uuid7(now), new_uuid7(now), at, self._by, digest)
            self._files.put_many({REKEY: msgspec.json.encode(begun) + b"\n"})
            self._begun = begun
        self._record_start(self._begun, target)

    def end(self, target: Target, rows: int, stuck: _Stuck) -> str | None:
        """Record the end of what was begun; give the digest of its document.

        Raises:
            StorageError: it was not; whoever runs this again does it.
        """
        begun = self._begun
        if begun is None:
            return None
        self._record_start(begun, target)
        took = timedelta(microseconds=clock.monotonic_us() - self._since_us)
        now = self._now + took
        facts = {
            "started": begun.start_event,
            "rows": rows,
            "failed": stuck.count,
            "failed_surrogates": list(stuck.listed),
        }
        at = format_time(now)
        digest = self._keep(target, "ended", at, facts)
        ended = _event(begun.end_event, at, self._by, target, digest)
        ended = msgspec.structs.replace(ended, outcome=Outcome.SUCCESS)
        self._trail.recorder.record(ended, now)
        self._files.remove(REKEY)
        self._begun = None
        return digest

    def _read(self) -> _Begun | None:
        """Read what an earlier run began; one whose end is recorded is over."""
        try:
            data = self._files.read(REKEY)
        except FileNotFoundError:
            return None
        begun = None
        with suppress(msgspec.MsgspecError, ValueError):
            begun = msgspec.json.decode(data, type=_Begun)
        if begun is None:
            raise ConfigError(
                f"{self._trail.directory / REKEY} is damaged; remove it, and run this "
                "again: what was moved is moved"
            )
        if self._is_recorded(begun.end_event):
            self._files.remove(REKEY)
            return None
        return begun

    def _is_recorded(self, event_id: str) -> bool:
        with closing(self._trail.journal()) as journal:
            return bool(find_event(journal, uuid_bytes(event_id)))

    def _record_start(self, begun: _Begun, target: Target) -> None:
        if self._is_started:
            return
        if not self._is_recorded(begun.start_event):
            event = _event(begun.start_event, begun.at, begun.by, target, begun.digest)
            self._trail.recorder.record(event, self._now)
        self._is_started = True

    def _keep(
        self, target: Target, phase: str, at: str, facts: Mapping[str, object]
    ) -> str:
        document = {
            "schema": "phitrail/map-rekey/v1",
            "phase": phase,
            "at": at,
            "by": self._by,
            "index": str(KeyId(names.IDENTITY_INDEX, target.index)),
            "seal": str(KeyId(names.IDENTITY_SEAL, target.seal)),
            **facts,
        }
        return keep_document(self._trail, encode_canonical(document))


def _event(event_id: str, at: str, by: str, target: Target, digest: str) -> CallerEvent:
    return AuditEvent(
        event_type=EventType.KEY_ROTATED,
        event_id=event_id,
        timestamp_utc=at,
        user_id=by,
        actor_type=ActorType.HUMAN,
        attribution_basis=AttributionBasis.STATIC,
        outcome=None,
        object_id=str(KeyId(names.IDENTITY_INDEX, target.index)),
        object_digest=digest,
        assurance=Assurance.ENFORCED,
    )


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    with closing(FileLock(directory / REKEY_LOCK)) as lock:
        if not lock.try_acquire():
            raise StorageError(
                "another process re-keys the identity map; wait until it is done, then "
                "run this again"
            )
        yield
