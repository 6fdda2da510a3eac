"""Alerts as people see them: which there are, what they stand at, and which are overdue.

1. An alert is the sum of its moves in the security log. Detection opens, updates and ends
   its episode; people assign it and close it with a disposition (`app.alert_moves`). Only the
   latter is a verdict: an alert without one is undisposed, whether its episode goes on or not.
2. Listing is a read of the security log, recorded before anything is shown.
3. What is asked for is found in the tables; the moves are read from the log.
4. Overdue is what `app.overdue` calls so, told by then or not.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias

from phitrail.app.config import OverdueSection
from phitrail.app.overdue import stage_of
from phitrail.app.reading import record_read
from phitrail.app.rules import ALERT_SCHEMA
from phitrail.app.wiring import Trail
from phitrail.detect.alert_marks import JOINED
from phitrail.detect.alerts import SUBJECTS
from phitrail.errors import InputError
from phitrail.events.alert import Alert
from phitrail.events.canonical import decode_leaf
from phitrail.events.codes import (
    Action,
    AlertState,
    Disposition,
    EventType,
    Log,
    Severity,
)
from phitrail.events.ids import format_time, parse_time

LEAST_PREFIX = 6
MOST_LISTED = 1_000
LEVELS = tuple(Severity)
_STANDING = (
    f"WITH about AS (SELECT alert_id FROM (SELECT alert_id, unnest(evidence) AS entry "
    f"FROM security WHERE state = 'open') SEMI JOIN (SELECT '{Log.SECURITY}:' || idx AS "
    f"entry FROM security WHERE event_type = '{EventType.ALERT_OVERDUE}') USING (entry)) "
    "SELECT alert_id, min(idx) AS first_idx, arg_min(rule_id, idx) AS rule_id, "
    "arg_min(severity, idx) AS severity, arg_min(received_at, idx) AS received_at, "
    "arg_min(timestamp_utc, idx) AS opened_at, "
    "alert_id IN (SELECT alert_id FROM about) AS is_about_overdue, "
    "arg_max(assigned_to, idx) AS assigned_to, arg_max(disposition, idx) AS disposition "
    "FROM security WHERE schema = ? GROUP BY alert_id"
)
_OVERDUE = "SELECT idx FROM security WHERE event_type = ?"
_MOVES = (
    "SELECT idx FROM security WHERE schema = ? AND list_contains(?, alert_id) "
    "ORDER BY idx"
)
_FIRST_OF = (
    "SELECT idx FROM security WHERE schema = ? AND starts_with(alert_id, ?) "
    "ORDER BY idx"
)
Row: TypeAlias = Mapping[str, Any]


class Standing(StrEnum):
    """Where an alert stands with people."""

    OPEN = "open"
    UNASSIGNED = "unassigned"
    DISPOSED = "disposed"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts are asked for.

    Attributes:
        standing: undisposed ones (`open`), those of them that nobody looks at, or others.
        level: of this level or a higher one.
        rule_ids: of one of these rules.
        since: opened from then on.
        assigned_to: who looks at it.
        is_overdue: only those that are.
        limit: how many are shown, the newest of them.
    """

    standing: Standing = Standing.OPEN
    level: Severity | None = None
    rule_ids: Collection[str] | None = None
    since: datetime | None = None
    assigned_to: str | None = None
    is_overdue: bool = False
    limit: int = MOST_LISTED


UNDISPOSED = AlertFilter()


@dataclass(frozen=True, slots=True)
class StandingAlert:
    """An alert, and where it stands.

    Attributes:
        newest: the newest that detection said of it.
        opened: its first move.
        moves: every move, with its index in the security log.
        assigned_to: who looks at it.
        disposition: what it was found to be.
        note_digest: the newest sealed note.
        overdue: how often its time has passed: 0, 1 or 2.
    """

    newest: Alert
    opened: Alert
    moves: tuple[tuple[int, Alert], ...]
    assigned_to: str | None = None
    disposition: Disposition | None = None
    note_digest: str | None = None
    overdue: int = 0

    @property
    def is_disposed(self) -> bool:
        """Whether somebody said what it is, or it went into another one."""
        return self.disposition is not None

    @property
    def is_over(self) -> bool:
        """Whether its episode is over."""
        told = [one for _, one in self.moves if one.note_digest is None]
        return bool(told) and told[-1].state == AlertState.CLOSE

    def age(self, now: datetime) -> timedelta:
        """Say how long ago it was opened."""
        return now - parse_time(self.opened.timestamp_utc or format_time(now))

    def subjects(self) -> Mapping[str, str]:
        """Say who and what it is about."""
        names = ("patient", *SUBJECTS)
        found = {name: getattr(self.opened, name) for name in names}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Board:
    """What was asked for, the newest first.

    Attributes:
        alerts: those that are shown.
        total: how many there are.
        dispositions: how many of all alerts that the filter fits, wherever they stand, have
            which disposition; `none` has those without.
    """

    alerts: tuple[StandingAlert, ...]
    total: int
    dispositions: Mapping[str, int] = field(default_factory=dict)


def list_alerts(
    trail: Trail, *, by: str, now: datetime, wanted: AlertFilter = UNDISPOSED
) -> Board:
    """List alerts, the newest first.

    Raises:
        InputError: `by` is no user id.
        StorageError: the read could not be recorded; nothing is shown.
        IntegrityError: tables or log are damaged.
    """
    from phitrail.app.tables import open_tables  # noqa: PLC0415 - loads DuckDB

    with open_tables(trail, now) as tables:
        rows = tables.ask(_STANDING, [ALERT_SCHEMA]).to_pylist()
        stages = _stages(rows, now, trail.policy.overdue)
        fitting = [row for row in rows if _fits(row, wanted)]
        found = [
            row
            for row in fitting
            if _stands(row, wanted, stages.get(row["alert_id"], 0))
        ]
        found.sort(key=lambda row: row["first_idx"], reverse=True)
        names = [row["alert_id"] for row in found[: wanted.limit]]
        indexes = tables.ask(_MOVES, [ALERT_SCHEMA, names]).to_pylist()
    alerts = read_moves(trail, (row["idx"] for row in indexes), stages)
    record_read(
        trail,
        Log.SECURITY,
        by=by,
        reason_code="alert_list",
        result_count=len(alerts),
        action=Action.QUERY,
        now=now,
    )
    counts = Counter(str(row["disposition"] or "none") for row in fitting)
    return Board(tuple(reversed(alerts)), len(found), dict(counts))


def find_alert(trail: Trail, wanted: str, now: datetime) -> StandingAlert:
    """Find the alert whose id begins with these characters.

    Raises:
        InputError: there is none, or more than one.
    """
    if len(wanted) < LEAST_PREFIX:
        raise InputError.for_field("ALERT", f"give {LEAST_PREFIX} characters of its id")
    from phitrail.app.tables import open_tables  # noqa: PLC0415 - loads DuckDB

    with open_tables(trail, now) as tables:
        indexes = tables.ask(_FIRST_OF, [ALERT_SCHEMA, wanted]).to_pylist()
        own = tables.ask(_OVERDUE, [EventType.ALERT_OVERDUE]).to_pylist()
    found = read_moves(trail, (row["idx"] for row in indexes))
    if len(found) != 1:
        rule = "no alert has this id" if not found else "more than one begins with this"
        raise InputError.for_field("ALERT", rule)
    (one,) = found
    return _with_stage(one, own, now, trail.policy.overdue)


# --- reading ---


def read_moves(
    trail: Trail, indexes: Iterable[int], stages: Mapping[str, int] | None = None
) -> list[StandingAlert]:
    """Read moves of alerts from the log, in the order in which the alerts were opened.

    Raises:
        IntegrityError: an entry is missing or altered.
    """
    moves: dict[str, list[tuple[int, Alert]]] = {}
    with closing(trail.reader(Log.SECURITY)) as reader:
        for index in indexes:
            record = decode_leaf(reader.entry(index))
            assert isinstance(record, Alert)  # noqa: S101 - asked by its schema
            moves.setdefault(record.alert_id, []).append((index, record))
    known = stages or {}
    return [_stand(one, known.get(name, 0)) for name, one in moves.items()]


def _stand(moves: Sequence[tuple[int, Alert]], overdue: int) -> StandingAlert:
    told = [one for _, one in moves if one.note_digest is None]
    said = [one for _, one in moves if one.note_digest is not None]
    assigned = [one.assigned_to for one in said if one.assigned_to is not None]
    verdicts = [one.disposition for one in said if one.disposition is not None]
    joined = [one.disposition for one in told if one.reason_codes == (JOINED,)]
    return StandingAlert(
        (told or said)[-1],
        moves[0][1],
        tuple(moves),
        assigned[-1] if assigned else None,
        (verdicts or joined or [None])[-1],
        said[-1].note_digest if said else None,
        overdue,
    )


# --- what fits ---


def _fits(row: Row, wanted: AlertFilter) -> bool:
    """Say whether an alert is one that is asked for, wherever it stands."""
    is_level = wanted.level is None or LEVELS.index(row["severity"]) >= LEVELS.index(
        wanted.level
    )
    is_rule = wanted.rule_ids is None or row["rule_id"] in wanted.rule_ids
    is_new = wanted.since is None or _aware(row["opened_at"]) >= wanted.since
    is_whose = wanted.assigned_to in (None, row["assigned_to"])
    return is_level and is_rule and is_new and is_whose


def _stands(row: Row, wanted: AlertFilter, stage: int) -> bool:
    """Say whether an alert stands where those stand that are asked for."""
    is_disposed = row["disposition"] is not None
    stands = {
        Standing.OPEN: not is_disposed,
        Standing.UNASSIGNED: not is_disposed and row["assigned_to"] is None,
        Standing.DISPOSED: is_disposed,
        Standing.ALL: True,
    }
    return stands[wanted.standing] and (stage > 0 or not wanted.is_overdue)


def _stages(
    rows: Iterable[Row], now: datetime, settings: OverdueSection
) -> dict[str, int]:
    """Say how often the time of each undisposed alert has passed."""
    return {
        row["alert_id"]: stage_of(
            Severity(row["severity"]), _aware(row["received_at"]), now, settings
        )
        for row in rows
        if row["disposition"] is None and not row["is_about_overdue"]
    }


def _with_stage(
    one: StandingAlert, told: Iterable[Row], now: datetime, settings: OverdueSection
) -> StandingAlert:
    first = one.opened
    if one.is_disposed or not _entries(told).isdisjoint(first.evidence):
        return one
    received = parse_time(first.received_at or format_time(now))
    stage = stage_of(first.severity, received, now, settings)
    return replace(one, overdue=stage)


def _entries(told: Iterable[Row]) -> set[str]:
    """Name the entries that say of alerts that they are overdue."""
    return {f"{Log.SECURITY}:{row['idx']}" for row in told}


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
