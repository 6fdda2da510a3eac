"""The tables of one trail: followed, opened, rebuilt and checked.

1. One process at a time writes tables (`state/tables.lock`); the others read what stands
   and fold the tail for themselves. No writer of the log waits for any of it.
2. Opening closes what is due first, if the lock is free: a tail is small when it is asked.
   When nothing is due, it reads the manifests and folds the tails, and opens no segment.
3. A rebuild folds ranges of the log in processes of their own, each with its own reader.
4. Where policy says that tables need an encrypted volume, this is checked before anything
   is written or opened (ADR 0005).
"""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec
from duckdb import DuckDBPyConnection

from phitrail.app.config import read_policy, read_tenant
from phitrail.app.key_wiring import open_reading_ring
from phitrail.app.pins import JOURNAL
from phitrail.app.spill import spilling
from phitrail.app.table_store import open_store
from phitrail.app.wiring import Trail, wire_log_keys
from phitrail.durable.files import DurableFiles
from phitrail.durable.lock import FileLock
from phitrail.errors import ConfigError, InputError, IntegrityError, StorageError
from phitrail.events.codes import Log
from phitrail.projection.fold import Folder
from phitrail.projection.follower import (
    JOINED_ROWS,
    REBUILT_ROWS,
    Follower,
    Tail,
    build_segment,
    next_generation,
    ranges,
    replace_all,
)
from phitrail.projection.segments import Manifest, Segment, SegmentStore
from phitrail.projection.tables import MEMORY_MB, THREADS, LogState, Tables
from phitrail.projection.volume import VolumeState, volume_state
from phitrail.tlog.journal import Journal
from phitrail.tlog.log_keys import LogKeys
from phitrail.tlog.reader import LogReader

TABLES_LOCK = "state/tables.lock"
CLOSE_BEFORE_QUERY_ROWS = 8_192
JOIN_BEFORE_QUERY_ROWS = 131_072
FOLD_MEMORY_MB = 400
REBUILD_MEMORY_MB = 200

Progress = Callable[[int, int], None]


def check_volume(directory: Path, *, is_required: bool) -> VolumeState:
    """Say what is known of the volume under the tables.

    Raises:
        ConfigError: policy requires an encrypted one and none can be seen.
    """
    state = volume_state(directory)
    if is_required and state is not VolumeState.ENCRYPTED:
        raise ConfigError(
            f"policy.yaml says tables_need_encrypted_volume, and no encryption of the "
            f"volume under {directory} can be seen; move the trail to a dm-crypt volume"
        )
    return state


@contextmanager
def writing_lock(directory: Path) -> Iterator[FileLock]:
    """Open the lock of whoever writes tables; the block takes it."""
    lock = FileLock(directory / TABLES_LOCK)
    try:
        yield lock
    finally:
        lock.close()


def advance_tables(
    trail: Trail,
    now: datetime,
    *,
    close_rows: int | None = None,
    joined_rows: int = JOINED_ROWS,
) -> bool:
    """Close and join what is due; say whether the lock was ours.

    Args:
        trail: the open trail.
        now: the present time.
        close_rows: close tails of at least so many rows even if they are not due.
        joined_rows: join segments up to so many rows; a million take some ten seconds.

    Raises:
        ConfigError: the volume is not what policy requires.
        IntegrityError: a log is shorter than its tables, or a segment was changed.
        StorageError: a file cannot be written.
    """
    check_volume(trail.directory, is_required=trail.policy.tables_need_encrypted_volume)
    with writing_lock(trail.directory) as lock:
        if not lock.try_acquire():
            return False
        with spilling(
            trail.directory, threads=2, memory_mb=FOLD_MEMORY_MB
        ) as connection:
            for log in Log:
                _advance(trail, log, connection, now, close_rows, joined_rows)
    return True


def _advance(
    trail: Trail,
    log: Log,
    connection: DuckDBPyConnection,
    now: datetime,
    close_rows: int | None,
    joined_rows: int,
) -> None:
    store = open_store(trail.directory, log, trail.log_keys[log.value])
    with closing(trail.behind_glass().reader(log)) as reader:
        pending = reader.size() - store.load().size
        is_due = close_rows is not None and pending >= close_rows
        folder = Folder(log, connection)
        follower = Follower(reader, folder, store, joined_rows=joined_rows)
        follower.advance(now, close=is_due)


@contextmanager
def open_tables(
    trail: Trail,
    now: datetime,
    *,
    sizes: Mapping[str, int] | None = None,
    memory_mb: int = MEMORY_MB,
) -> Iterator[Tables]:
    """Open the tables of all logs up to what is durable now.

    Args:
        trail: the open trail.
        now: the present time.
        sizes: show each log through the views (`Tables.ask`) as it was at this size.
        memory_mb: how much memory a question may use before it spills.

    Raises:
        ConfigError: the volume is not what policy requires.
        InputError: a log is smaller than the size that is asked for.
        IntegrityError: tables or log are damaged; the message says what to run.
        StorageError: a file cannot be read.
    """
    check_volume(trail.directory, is_required=trail.policy.tables_need_encrypted_volume)
    if not all(0 <= _pending(trail, log) < CLOSE_BEFORE_QUERY_ROWS for log in Log):
        advance_tables(
            trail,
            now,
            close_rows=CLOSE_BEFORE_QUERY_ROWS,
            joined_rows=JOIN_BEFORE_QUERY_ROWS,
        )
    with spilling(trail.directory, threads=THREADS, memory_mb=memory_mb) as connection:
        states = [_state(trail, log, connection) for log in Log]
        if sizes is not None:
            states = [_cut(state, sizes[state.log.value]) for state in states]
        yield Tables.open(states, connection)


def _cut(state: LogState, size: int) -> LogState:
    if size > state.size:
        raise InputError.for_field("as_of", f"the {state.log} log is smaller than that")
    return replace(state, size=size, is_cut=True)


def _pending(trail: Trail, log: Log) -> int:
    """Count the entries of a log that its tables do not hold; negative when it was cut."""
    store = open_store(trail.directory, log, trail.log_keys[log.value])
    size = store.load().size
    with closing(trail.behind_glass().reader(log)) as reader:
        return reader.size() - size


def _state(trail: Trail, log: Log, connection: DuckDBPyConnection) -> LogState:
    store = open_store(trail.directory, log, trail.log_keys[log.value])
    manifest = _present(store)
    with closing(trail.behind_glass().reader(log)) as reader:
        size = max(reader.size(), manifest.size)
        tail = (
            Tail(reader, Folder(log, connection), manifest.size).read(size)
            if size > manifest.size
            else None
        )
    return LogState(log, manifest.segments, store.directory, tail, size)


def _present(store: SegmentStore) -> Manifest:
    """Load a manifest whose files are there; once more if they were just joined."""
    manifest = store.load()
    try:
        store.check_present(manifest)
    except IntegrityError:
        manifest = store.load()
        store.check_present(manifest)
    return manifest


# --- rebuilding ---


def rebuild_tables(
    directory: Path,
    logs: Sequence[Log],
    *,
    processes: int,
    progress: Progress | None = None,
    rows: int = REBUILT_ROWS,
) -> dict[Log, Manifest]:
    """Make the tables of logs anew from the logs alone.

    Raises:
        ConfigError: there is no trail, a key is missing, or the volume is not encrypted.
        IntegrityError: the log itself is damaged; the old tables stand.
        StorageError: another process writes tables, or a file cannot be written.
    """
    policy = read_policy(directory)
    check_volume(directory, is_required=policy.tables_need_encrypted_volume)
    with writing_lock(directory) as lock:
        if not lock.try_acquire():
            raise StorageError(
                "another process writes tables at this moment; try again when it is done"
            )
        return {
            log: _rebuild(directory, log, processes, progress or _say_nothing, rows)
            for log in logs
        }


def _say_nothing(_done: int, _total: int) -> None:
    pass


def _rebuild(
    directory: Path, log: Log, processes: int, progress: Progress, rows: int
) -> Manifest:
    keys = _keys_of(directory, log)
    store = open_store(directory, log, keys)
    with closing(Journal.open(directory / JOURNAL, read_only=True)) as journal:
        size = journal.head(log.value).size
    places = ranges(size, rows)
    if processes == 1 or len(places) == 1:
        with _rebuilder(directory, log) as worker:
            built = (worker.build(*place) for place in places)
            return replace_all(worker.store, _counted(built, size, progress))
    with ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(directory, log, next_generation(store)),
    ) as pool:
        encoded = pool.map(_build_range, places)
        segments = (msgspec.json.decode(s, type=Segment) for s in encoded)
        return replace_all(store, _counted(segments, size, progress))


def _keys_of(directory: Path, log: Log) -> LogKeys:
    tenant = read_tenant(directory).tenant
    return wire_log_keys(tenant, open_reading_ring(directory))[log.value]


def _counted(
    segments: Iterator[Segment], size: int, progress: Progress
) -> Iterator[Segment]:
    for segment in segments:
        progress(segment.end, size)
        yield segment


@dataclass(frozen=True, slots=True)
class _Rebuilder:
    """What one process needs to fold ranges of one log."""

    reader: LogReader
    folder: Folder
    store: SegmentStore

    def build(self, first: int, end: int) -> Segment:
        return build_segment(self.reader, self.folder, self.store, first, end)


@contextmanager
def _rebuilder(directory: Path, log: Log) -> Iterator[_Rebuilder]:
    keys = _keys_of(directory, log)
    journal = Journal.open(directory / JOURNAL, read_only=True)
    reader = LogReader(log.value, journal, DurableFiles(directory), keys)
    with (
        closing(reader),
        spilling(directory, threads=1, memory_mb=REBUILD_MEMORY_MB) as connection,
    ):
        store = open_store(directory, log, keys)
        yield _Rebuilder(reader, Folder(log, connection), store)


_UNTIL_EXIT = ExitStack()
_WORKER: list[_Rebuilder] = []
"""The rebuilder of this process, where it is a worker of a rebuild."""


def _start_worker(directory: Path, log: Log, generation: int) -> None:
    worker = _UNTIL_EXIT.enter_context(_rebuilder(directory, log))
    worker.store.generation = generation
    _WORKER.append(worker)


def _build_range(place: tuple[int, int]) -> bytes:
    return msgspec.json.encode(_WORKER[0].build(*place))
