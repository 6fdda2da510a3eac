"""What the tables say of a window: what was received, is missing, was never closed.

1. Events and accesses belong to a window by their own time; what went missing by the time
   at which the log could notice it, since an event that never came has no other.
2. An epoch, a silence or a spool belongs to every window that it overlaps. A number that is
   missing belongs to the window if it was given before its end and noticed after its
   beginning.
3. The tables are those of the sizes that the statement names; nothing here looks further.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from phitrail.events.ids import format_time
from phitrail.evidence.completeness_statement import (
    LISTED,
    Counted,
    EpochSaid,
    Missing,
    MissingNumbers,
    OpenAccess,
    OpenAccesses,
    Received,
    Scope,
    Silent,
    Spooled,
    Thresholds,
)
from phitrail.projection.completeness import NUMBERED, Asked, Epoch, Gap, read_epochs
from phitrail.projection.unclosed import read_unclosed
from phitrail.projection.views import OPENINGS

_OF_NUMBERING: Final = (
    "('source_epoch_opened', 'source_heartbeat', 'source_epoch_closed')"
)
_OF_USE: Final = (
    f"{OPENINGS[:-1]}, 'access_closed', 'phi_access_denied', 'ai_phi_output_detected')"
)
UNSTATED: Final = "unstated"


@dataclass(frozen=True, slots=True)
class Window:
    """A time from `since` on and before `until`, and up to when things are known."""

    since: datetime
    until: datetime
    known_at: datetime

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """Both ends as the tables write times."""
        return self.since.replace(tzinfo=None), self.until.replace(tzinfo=None)

    def overlaps(self, since: datetime, until: datetime) -> bool:
        """Say whether a time has anything of the window."""
        return since < self.until and until > self.since


def read_received(
    tables: Asked, window: Window, scope: Scope, thresholds: Thresholds
) -> Received:
    """Count what stands in the audit log.

    Raises:
        InputError: it took too long.
        StorageError: a file cannot be read.
    """
    where, values = _in_scope(scope)
    since, until = window.bounds
    rows = tables.ask(
        "SELECT grouping(assurance) AS is_total, assurance, "
        "count(DISTINCT event_id) AS events, "
        f"count(DISTINCT access_id) FILTER (event_type IN {OPENINGS}) AS accesses, "
        "count(DISTINCT event_id) FILTER (is_numbered) AS numbered, "
        "count(DISTINCT event_id) FILTER (received_at >= ?) AS after_window, "
        "count(DISTINCT event_id) FILTER (epoch_ms(received_at) - "
        "epoch_ms(timestamp_utc) > ?) AS late "
        f"FROM (SELECT *, {_IS_NUMBERED} AS is_numbered FROM (SELECT * REPLACE "
        f"(coalesce(assurance, '{UNSTATED}') AS assurance) FROM audit) e WHERE "
        "timestamp_utc >= ? AND timestamp_utc < ? AND "
        f"event_type IN {_OF_USE} AND {where}) "
        "GROUP BY GROUPING SETS ((assurance), ()) ORDER BY assurance",
        [until, thresholds.late_after_ms, since, until, *values],
    ).to_pylist()
    total = next(row for row in rows if row["is_total"])
    return Received(
        total=_counted(total),
        by_assurance={r["assurance"]: _counted(r) for r in rows if not r["is_total"]},
        numbered=total["numbered"],
        unnumbered=total["events"] - total["numbered"],
        after_window=total["after_window"],
        late=total["late"],
        others=_others(tables, window, scope),
    )


def _others(tables: Asked, window: Window, scope: Scope) -> int:
    where, values = _in_scope(scope)
    (row,) = tables.ask(
        "SELECT count(DISTINCT event_id) AS others FROM audit WHERE timestamp_utc >= ? "
        f"AND timestamp_utc < ? AND event_type NOT IN {_OF_USE} AND event_type NOT IN "
        f"{_OF_NUMBERING} AND {where}",
        [*window.bounds, *values],
    ).to_pylist()
    return int(row["others"])


_IS_NUMBERED: Final = (
    "(source_epoch IS NOT NULL AND source_seq IS NOT NULL AND assurance <> 'imported')"
)


def _counted(row: Mapping[str, Any]) -> Counted:
    return Counted(events=row["events"], accesses=row["accesses"])


def _in_scope(scope: Scope) -> tuple[str, list[str]]:
    """Write what must hold of an event of the scope, and its parameters."""
    asked = [
        ("user_id = ?", scope.user),
        ("source_id = ?", scope.source),
        ("idx IN (SELECT idx FROM audit_records WHERE patient = ?)", scope.patient),
    ]
    given = [(condition, value) for condition, value in asked if value is not None]
    where = " AND ".join(["true", *(condition for condition, _ in given)])
    return where, [value for _, value in given]


def read_open(
    tables: Asked, window: Window, scope: Scope, thresholds: Thresholds
) -> OpenAccesses:
    """Read the accesses of the scope that were opened in the window and never closed.

    Raises:
        InputError: it took too long.
        StorageError: a file cannot be read.
    """
    where, values = _in_scope(scope)
    since, until = window.bounds
    found = read_unclosed(
        tables,
        window.known_at,
        timedelta(milliseconds=thresholds.unclosed_after_ms),
        where="opened_at >= ? AND opened_at < ? AND access_id IN (SELECT access_id "
        f"FROM audit WHERE access_id IS NOT NULL AND {where})",
        values=[since, until, *values],
    )
    return OpenAccesses(
        count=len(found),
        treated_as_released=sum(one.is_treated_as_released for one in found),
        oldest=tuple(
            OpenAccess(
                access_id=one.access_id,
                opened_at=format_time(one.opened_at),
                patients=one.patient_count,
                is_treated_as_released=one.is_treated_as_released,
            )
            for one in found[:LISTED]
        ),
    )


def read_window_epochs(
    tables: Asked, window: Window, scope: Scope, thresholds: Thresholds
) -> tuple[Epoch, ...]:
    """Read the epochs that have to do with the window.

    Raises:
        InputError: it took too long.
        StorageError: a file cannot be read.
    """
    silent_after = timedelta(milliseconds=thresholds.silent_after_ms)
    return tuple(
        epoch
        for epoch in read_epochs(tables, window.known_at, silent_after)
        if scope.source in (None, epoch.source_id) and _concerns(epoch, window)
    )


def _concerns(epoch: Epoch, window: Window) -> bool:
    is_heard = epoch.first_at < window.until and epoch.last_at >= window.since
    return is_heard or any(window.overlaps(s.since, s.until) for s in epoch.silences)


def read_missing(
    tables: Asked,
    window: Window,
    scope: Scope,
    epochs: Sequence[Epoch],
    unproven: Mapping[tuple[str, int], str],
) -> Missing:
    """Read what is known to be missing in the window.

    Args:
        tables: the logs.
        window: when.
        scope: only its source narrows what is missing.
        epochs: those that have to do with the window.
        unproven: why nobody knows who opened an epoch, where that is so.

    Raises:
        InputError: it took too long.
        StorageError: a file cannot be read.
    """
    gaps = [(e, g) for e in epochs for g in e.gaps if _was_given(tables, e, g, window)]
    silent = [
        Silent(
            source=epoch.source_id,
            epoch=epoch.epoch,
            since=format_time(max(one.since, window.since)),
            until=format_time(min(one.until, window.until)),
        )
        for epoch in epochs
        for one in epoch.silences
        if window.overlaps(one.since, one.until)
    ]
    crashed = [
        _said(e, "ended without a closing")
        for e in epochs
        if e.is_crashed and e.last_at < window.until
    ]
    strangers = [
        _said(e, unproven[e.source_id, e.epoch])
        for e in epochs
        if (e.source_id, e.epoch) in unproven
    ]
    spooled = _spooled(tables, window)
    return Missing(
        numbers=sum(gap.count for _, gap in gaps),
        gaps=tuple(_numbers(epoch, gap) for epoch, gap in gaps[:LISTED]),
        healed=_healed(tables, window, scope),
        doubled=sum(epoch.duplicates for epoch in epochs),
        silent=tuple(silent[:LISTED]),
        silent_count=len(silent),
        crashed=tuple(crashed[:LISTED]),
        crashed_count=len(crashed),
        unproven=tuple(strangers[:LISTED]),
        unproven_count=len(strangers),
        unheard=_unheard(tables, window, scope, epochs),
        spooled=tuple(spooled[:LISTED]),
        spooled_count=len(spooled),
    )


def _was_given(tables: Asked, epoch: Epoch, gap: Gap, window: Window) -> bool:
    """Say whether the missing numbers may have been given within the window."""
    if gap.noticed_at < window.since:
        return False
    if gap.noticed_at < window.until:
        return True
    (row,) = tables.ask(
        f"WITH numbered AS ({NUMBERED}) SELECT max(received_at) AS before FROM numbered "
        "WHERE source_id = ? AND epoch = ? AND seq < ?",
        [epoch.source_id, epoch.epoch, gap.first],
    ).to_pylist()
    before = row["before"]
    given_after = epoch.first_at if before is None else before.replace(tzinfo=UTC)
    return bool(given_after < window.until)


def _numbers(epoch: Epoch, gap: Gap) -> MissingNumbers:
    return MissingNumbers(
        source=epoch.source_id,
        epoch=epoch.epoch,
        first=gap.first,
        last=gap.last,
        noticed_at=format_time(gap.noticed_at),
    )


def _said(epoch: Epoch, why: str) -> EpochSaid:
    return EpochSaid(
        source=epoch.source_id,
        epoch=epoch.epoch,
        first_at=format_time(epoch.first_at),
        last_at=format_time(epoch.last_at),
        why=why,
    )


def _healed(tables: Asked, window: Window, scope: Scope) -> int:
    (row,) = tables.ask(
        "SELECT coalesce(sum(result_count), 0)::BIGINT AS healed FROM audit WHERE "
        "event_type = 'source_gap_healed' AND timestamp_utc >= ? AND timestamp_utc < ? "
        "AND object_id = coalesce(?, object_id)",
        [*window.bounds, scope.source],
    ).to_pylist()
    return int(row["healed"])


def _unheard(
    tables: Asked, window: Window, scope: Scope, epochs: Iterable[Epoch]
) -> tuple[str, ...]:
    """Name the sources that were registered by the end and of which nothing was heard."""
    rows = tables.ask(
        "SELECT object_id FROM audit WHERE event_type = 'source_registered' "
        "GROUP BY object_id HAVING min(timestamp_utc) < ? ORDER BY object_id",
        [window.bounds[1]],
    ).to_pylist()
    heard = {
        epoch.source_id
        for epoch in epochs
        if epoch.first_at < window.until and epoch.last_at >= window.since
    }
    return tuple(
        row["object_id"]
        for row in rows
        if row["object_id"] not in heard and scope.source in (None, row["object_id"])
    )


def _spooled(tables: Asked, window: Window) -> list[Spooled]:
    since, until = window.bounds
    rows = tables.ask(
        "SELECT min(timestamp_utc) FILTER (event_type = 'spool_started') AS began, "
        "max(timestamp_utc) FILTER (event_type = 'spool_replayed') AS ended, "
        "max(received_at) FILTER (event_type = 'spool_replayed') AS replayed, "
        "max(result_count) FILTER (event_type = 'spool_replayed') AS events, "
        "bool_and(outcome = 'success') FILTER (event_type = 'spool_replayed') AS is_whole "
        "FROM audit "
        "WHERE event_type IN ('spool_started', 'spool_replayed') GROUP BY object_id "
        "HAVING coalesce(began, ended) < ? AND coalesce(ended, ?) >= ? ORDER BY began",
        [until, until, since],
    ).to_pylist()
    return [
        Spooled(
            since=_time(row["began"] or row["ended"]),
            until=None if row["ended"] is None else _time(row["ended"]),
            replayed_at=None if row["replayed"] is None else _time(row["replayed"]),
            events=row["events"],
            is_whole=row["is_whole"],
        )
        for row in rows
    ]


def _time(moment: datetime) -> str:
    return format_time(moment.replace(tzinfo=UTC))
