"""`source reconcile`: our record held against what somebody else counted.

1. Their files are read (`app.their_side`); nothing in them is recorded as an event. The
   identifiers that they name are looked up, never made; that is one look-up for the limit
   of policy, and one `identity_looked_up` says how many are known.
2. The window is the time that both tell of, unless it is given: from their first row, or
   the beginning of our log if that is later, to their last. What lies outside on their
   side is counted.
3. Requests are matched whenever they were counted. Accesses are matched within the
   tolerance: first among each other, and what is left at the ends of the window with what
   lies just outside. Only what is left within the window counts as left.
4. The outcome is sealed beside the log, and one `source_reconciled` names it: `object_id`
   is the SHA-256 of their file, `object_digest` that of the outcome, `reason_code` whether
   the counts agree, `result_count` how many rows only one side has. If that cannot be
   recorded, nothing is shown.

The same files against the same log say the same each time.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyConnection

from phitrail.app.documents import keep_document
from phitrail.app.importing import Progress
from phitrail.app.importing_history import read_field_map
from phitrail.app.our_side import (
    MICROSECOND,
    Window,
    log_begins_us,
    microseconds,
    name_ours,
    our_rows,
    read_beside,
    shown_ours,
    written,
)
from phitrail.app.query import check_lookup_rate, record_lookup
from phitrail.app.reading import COMPONENT
from phitrail.app.reconciliation import (
    Counts,
    Reconciliation,
    ReconciliationReport,
    TheirRow,
    Wanted,
)
from phitrail.app.spill import spilling
from phitrail.app.tables import open_tables
from phitrail.app.their_rows import TheirSide
from phitrail.app.their_side import TheirReader, foreign_files
from phitrail.app.wiring import Trail
from phitrail.capture.history.compared import Comparison
from phitrail.errors import InputError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import (
    Action,
    ActorType,
    Assurance,
    AttributionBasis,
    EventType,
    Log,
    Outcome,
)
from phitrail.events.ids import format_time, new_uuid7
from phitrail.keys import names
from phitrail.keys.mac import Mac
from phitrail.projection.reconcile import SIDE_SCHEMA, reconcile

AGREE: Final = "counts_agree"
DIFFER: Final = "counts_differ"
ACT: Final = "source_reconcile"
SALT_DOMAIN: Final = b"phitrail/reconcile/v1|"
KEPT_ROWS: Final = 1_000
"""So many rows of each side are named in the sealed outcome."""
_THREADS: Final = 2
_MEMORY_MB: Final = 700


def reconcile_source(
    trail: Trail,
    wanted: Wanted,
    *,
    by: str,
    now: datetime,
    progress: Progress | None = None,
) -> Reconciliation:
    """Compare our record with files of somebody else, and record what came of it.

    Args:
        trail: whose record.
        wanted: what with.
        by: who asks.
        now: the present time.
        progress: told how many bytes of theirs are read, and how many there are.

    Raises:
        InputError: a file or the map cannot be read, or nothing can be compared.
        RefusedError: too many look-ups of identifiers within the hour.
        IntegrityError: tables or log are damaged; the message says what to run.
        StorageError: it could not be compared or recorded; nothing is shown.
    """
    field_map = read_field_map(wanted.map_path, wanted.form)
    salt = Mac(trail.keys, names.IDEMPOTENCY).digest(SALT_DOMAIN)[1].hex()
    reader = TheirReader(trail, field_map, wanted.by, salt)
    with open_tables(trail, now) as tables:
        # 1. Their side.
        if wanted.by is Comparison.ACCESS:
            check_lookup_rate(trail, tables, by=by, now=now)
        with _comparing(trail) as connection:
            reader.read(foreign_files(wanted.path), connection, progress)
        if wanted.by is Comparison.ACCESS:
            record_lookup(trail, by=by, now=now, reason_code=ACT, count=reader.known)
        # 2. and 3. The window, our side, and what is left.
        side, tolerance = reader.side, _tolerance(trail, wanted)
        theirs = side.table
        window = _window(wanted, theirs, log_begins_us(tables))
        ours = our_rows(tables, wanted.by, salt, _widened(window, tolerance))
        ours = side.known_under(ours)
        with _comparing(trail) as connection:
            left = _match(connection, ours, theirs, window, tolerance)
        sure = _sure(wanted, window, tolerance)
        beside = read_beside(tables, wanted.by, window)
        ours_left = name_ours(tables, left.ours.filter(_is_within(left.ours, sure)))
        as_of = tables.as_of[Log.AUDIT.value]
    theirs_left = left.theirs.sort_by("place")
    # 4. The outcome.
    report = ReconciliationReport(
        by=wanted.by,
        form=wanted.form,
        source=field_map.source,
        map_sha256=field_map.digest,
        sha256=side.sha256,
        files=tuple(side.files),
        since=written(window.since),
        until=written(window.until),
        tolerance_s=None if tolerance is None else tolerance.total_seconds(),
        as_of=as_of,
        counts=Counts(
            matched=left.matched,
            theirs_only=theirs_left.num_rows,
            ours_only=ours_left.num_rows,
            their_entries=side.entries,
            passed_over=side.passed_over,
            refused=side.refused_count,
            outside=_count(pc.invert(_is_within(theirs, window))),
            ours_without_key=beside.without_key,
            ours_imported=beside.imported,
        ),
        theirs_only=tuple(_shown_theirs(side, theirs_left.slice(0, KEPT_ROWS))),
        ours_only=tuple(shown_ours(ours_left.slice(0, KEPT_ROWS))),
        refused=tuple(side.refused),
    )
    event = _event(trail, report, by, now)
    trail.recorder.record(event, now)
    event_id = cast("str", event.event_id)
    return Reconciliation(
        report,
        event_id,
        partial(_shown_theirs, side, theirs_left),
        partial(shown_ours, ours_left),
    )


def _comparing(trail: Trail) -> AbstractContextManager[DuckDBPyConnection]:
    return spilling(trail.directory, threads=_THREADS, memory_mb=_MEMORY_MB)


def _widened(window: Window, tolerance: timedelta | None) -> Window:
    return window if tolerance is None else window.widened(tolerance)


def _tolerance(trail: Trail, wanted: Wanted) -> timedelta | None:
    if wanted.by is Comparison.REQUEST:
        return None
    seconds = wanted.tolerance_s
    return timedelta(
        seconds=trail.policy.reconcile_tolerance_s if seconds is None else seconds
    )


# --- 2. the window ---


def _window(wanted: Wanted, theirs: pa.Table, begins_us: int) -> Window:
    """Say which time is compared.

    Raises:
        InputError: there is no such time.
    """
    first, last = pc.min_max(theirs.column("at_us")).as_py().values()
    since = None if wanted.since is None else microseconds(wanted.since)
    until = None if wanted.until is None else microseconds(wanted.until)
    if first is None and (since is None or until is None):
        raise InputError.for_field(
            "--since, --until",
            "must say which time this covers: nothing in it can be compared",
        )
    window = Window(
        max(first, begins_us) if since is None else since,
        last + 1 if until is None else until,
    )
    if window.since >= window.until:
        raise InputError.for_field(
            "--since, --until",
            "there is no time of which both tell; look at the times of the file",
        )
    return window


def _sure(wanted: Wanted, window: Window, tolerance: timedelta | None) -> Window:
    """Narrow the window where its end is only that of their file."""
    within_us = 0 if tolerance is None else tolerance // MICROSECOND
    return Window(
        window.since + within_us * (wanted.since is None),
        window.until - within_us * (wanted.until is None),
    )


def _count(mask: pa.ChunkedArray) -> int:
    return int(pc.sum(mask).as_py() or 0)


def _is_within(rows: pa.Table, window: Window) -> pa.ChunkedArray:
    at_us = rows.column("at_us")
    return pc.and_(pc.greater_equal(at_us, window.since), pc.less(at_us, window.until))


# --- 3. what is left ---


@dataclass(frozen=True, slots=True)
class _Left:
    """How many rows matched, and the rows that only one side has."""

    matched: int
    ours: pa.Table
    theirs: pa.Table


def _match(
    connection: DuckDBPyConnection,
    ours: pa.Table,
    theirs: pa.Table,
    window: Window,
    tolerance: timedelta | None,
) -> _Left:
    if tolerance is None:
        found = _pair(connection, ours, theirs, None)
        return _Left(
            found.matched,
            found.ours.filter(_is_within(found.ours, window)),
            found.theirs.filter(_is_within(found.theirs, window)),
        )
    ours_in, ours_by = _parted(ours, window)
    theirs_in, theirs_by = _parted(theirs, window)
    inside = _pair(connection, ours_in, theirs_in, tolerance)
    before = _pair(connection, ours_by, inside.theirs, tolerance)
    after = _pair(connection, inside.ours, theirs_by, tolerance)
    return _Left(
        inside.matched + before.matched + after.matched, after.ours, before.theirs
    )


def _pair(
    connection: DuckDBPyConnection,
    ours: pa.Table,
    theirs: pa.Table,
    tolerance: timedelta | None,
) -> _Left:
    found = reconcile(connection, _numbered(ours), _numbered(theirs), tolerance)
    return _Left(
        found.matched,
        ours.take(pa.array(found.ours_only, pa.int64())),
        theirs.take(pa.array(found.theirs_only, pa.int64())),
    )


def _numbered(rows: pa.Table) -> pa.Table:
    """Number rows: an event that names two patients is two rows of one place."""
    return rows.set_column(2, SIDE_SCHEMA.field(2), pa.arange(0, rows.num_rows))


def _parted(rows: pa.Table, window: Window) -> tuple[pa.Table, pa.Table]:
    """Part rows into those within the window and those beside it."""
    is_within = _is_within(rows, window)
    return rows.filter(is_within), rows.filter(pc.invert(is_within))


# --- 4. the outcome ---


def _shown_theirs(side: TheirSide, rows: pa.Table) -> Iterator[TheirRow]:
    for batch in rows.to_batches():
        columns = (batch.column(name).to_pylist() for name in ("place", "at_us"))
        for place, at_us in zip(*columns, strict=True):
            file, number = side.named(place)
            yield TheirRow(
                file=file.name, unit=file.unit, number=number, time=written(at_us)
            )


def _event(
    trail: Trail, report: ReconciliationReport, by: str, now: datetime
) -> CallerEvent:
    """Seal the report, and build the event that names it."""
    return AuditEvent(
        event_type=EventType.SOURCE_RECONCILED,
        event_id=new_uuid7(now),
        timestamp_utc=format_time(now),
        user_id=by,
        actor_type=ActorType.HUMAN,
        attribution_basis=AttributionBasis.STATIC,
        action=Action.QUERY,
        outcome=Outcome.SUCCESS,
        reason_code=AGREE if report.is_agreed else DIFFER,
        result_count=report.counts.theirs_only + report.counts.ours_only,
        object_id=report.sha256,
        object_digest=keep_document(trail, msgspec.json.encode(report)),
        source_id=report.source or None,
        service_component=COMPONENT,
        assurance=Assurance.ENFORCED,
    )
