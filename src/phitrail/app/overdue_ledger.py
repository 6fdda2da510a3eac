"""What is open in a trail: accesses, alerts, emergencies, containments, and who was seen when.

1. Everything is read from the tables, and after the first look from the rows that are new
   since the last one. Nothing is kept on disk: who begins anew reads all rows once.
2. The first look groups the columns of the openings by access and by user and day; memory
   grows with users, alerts that nobody disposed of and emergencies, and not with accesses.
3. Accesses are looked at when their time is up: those whose first opening was received after
   the last ones that were looked at. Each look gives `MOST` of them; the rest come next.
4. A user is away from the last access to the next, by the earlier of the event's own time and
   that of its receipt, so that nobody is seen in the future. Services and jobs are left out;
   imported history says that somebody was there, and is no return. A return that is longer
   ago than `dormant_days` is history.
5. A containment is looked at while it stands; a process that begins anew takes up those of
   the last `containment_hours` and a week.

What was told stays open here until `forget` says that the log has it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeAlias

from phitrail.app.config import Policy
from phitrail.app.overdue import (
    CONTAINED,
    Breach,
    Containment,
    OpenAccess,
    OpenAlert,
    OpenGlass,
    Return,
    alert_overdue,
    breached,
    dormant_active,
    review_overdue,
    stage_of,
    unclosed,
)
from phitrail.app.rules import ALERT_SCHEMA
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import EventType, Log, Severity
from phitrail.projection.segments import Segment, SegmentFile
from phitrail.projection.views import OPENINGS

MOST: Final = 5_000
LONGEST_S: Final = 900.0
"""How long a question over all rows may take; a look rests twenty times as long."""
SLACK: Final = timedelta(minutes=5)
"""How far apart times of receipt may stand from the order of the entries."""
TAKEN_UP: Final = timedelta(days=7)
_BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AT: Final = "least(timestamp_utc, received_at)"
_LIVE: Final = "coalesce(assurance, '') <> 'imported'"
_PERSON: Final = "coalesce(actor_type, 'human') NOT IN ('service', 'job')"
_ACCESS_COLUMNS: Final = (
    "idx",
    "event_id",
    "access_id",
    "event_type",
    "timestamp_utc",
    "received_at",
    "assurance",
    "actor_type",
    "object_id",
    *CONTAINED,
)
_MARKS: Final = (
    EventType.BREAK_GLASS_STARTED,
    EventType.BREAK_GLASS_REVIEWED,
    EventType.CONTAINMENT_STARTED,
    EventType.CONTAINMENT_ENDED,
)
_Found: TypeAlias = Mapping[str, Any]


class Sourced(Protocol):
    """What the ledger needs of the tables."""

    @property
    def as_of(self) -> Mapping[str, int]:
        """Say how many entries each log has."""

    def segments(self, log: Log) -> tuple[Segment, ...]:
        """List the segments of a log."""

    def events(
        self, log: Log, files: Sequence[SegmentFile], columns: Sequence[str]
    ) -> str:
        """Write what stands in FROM."""

    def select(
        self, select: str, values: Sequence[object] = (), *, timeout_s: float
    ) -> Any:  # noqa: ANN401 - a table of Arrow
        """Answer one SELECT."""


@dataclass(slots=True)
class Ledger:
    """What is open; for one thread."""

    policy: Policy
    ends: dict[Log, int] = field(
        default_factory=lambda: {Log.AUDIT: 0, Log.SECURITY: 0}
    )
    _judged_until: datetime = _BEGIN
    judged_from: int = 0
    _accesses: dict[str, OpenAccess] = field(default_factory=dict)
    _alerts: dict[str, OpenAlert] = field(default_factory=dict)
    _told: dict[str, int] = field(default_factory=dict)
    _overdue_entries: set[str] = field(default_factory=set)
    _glasses: dict[str, OpenGlass] = field(default_factory=dict)
    _seen: dict[str, datetime] = field(default_factory=dict)
    _returns: dict[str, Return] = field(default_factory=dict)
    _containments: dict[str, Containment] = field(default_factory=dict)
    _breaches: dict[tuple[str, str], Breach] = field(default_factory=dict)

    def has_all(self, sizes: Mapping[Log, int]) -> bool:
        """Say whether nothing can be new in logs of these sizes, not even by time."""
        is_read = all(self.ends[log] == sizes[log] for log in self.ends)
        return is_read and self.judged_from >= sizes[Log.AUDIT]

    def read(self, tables: Sourced, now: datetime) -> None:
        """Take up what is new, and what has become due by time alone.

        Raises:
            InputError: it took too long.
            StorageError: a file cannot be read.
        """
        begin = self.ends[Log.AUDIT]
        if tables.as_of[Log.AUDIT] > begin:
            self._read_marks(tables, begin)
            self._read_users(tables, begin, now)
            self._read_breaches(tables, begin, now)
        self._read_accesses(tables, now)
        if tables.as_of[Log.SECURITY] > self.ends[Log.SECURITY]:
            self._read_alerts(tables, self.ends[Log.SECURITY])
        self.ends = {log: tables.as_of[log] for log in self.ends}

    # --- what is due ---

    def due(self, now: datetime) -> list[CallerRecord]:
        """Say what did not happen in time; the same things give the same events."""
        settings = self.policy.overdue
        review = timedelta(hours=settings.review_hours)
        events: list[CallerRecord] = [unclosed(one) for one in self._accesses.values()]
        for alert in self._alerts.values():
            stage = stage_of(alert.severity, alert.opened_at, now, settings)
            told = self._told.get(alert.alert_id, 0)
            events += [alert_overdue(alert, n) for n in range(told + 1, stage + 1)]
        events += [
            review_overdue(one)
            for one in self._glasses.values()
            if now - one.received_at >= review
        ]
        events += [dormant_active(one) for one in self._returns.values()]
        events += [breached(one) for one in self._breaches.values()]
        return events

    def forget(self, events: Iterable[CallerRecord]) -> None:
        """Take note that the log holds these."""
        for event in events:
            said: Any = event
            match said.event_type:
                case EventType.ACCESS_UNCLOSED:
                    self._accesses.pop(said.access_id, None)
                case EventType.ALERT_OVERDUE:
                    told = self._told.get(said.object_id, 0)
                    self._told[said.object_id] = told + 1
                case EventType.REVIEW_OVERDUE:
                    self._glasses.pop(said.object_id, None)
                case EventType.DORMANT_USER_ACTIVE:
                    self._returns.pop(said.event_id, None)
                case _:
                    self._breaches.pop((said.object_id, said.user_id or ""), None)

    # --- accesses ---

    def _read_accesses(self, tables: Sourced, now: datetime) -> None:
        """Find the accesses whose time is up and that nothing closed."""
        until = now - timedelta(seconds=self.policy.access_unclosed_after_s)
        if until <= self._judged_until:
            return
        rows = _rows(tables, Log.AUDIT, self.judged_from)
        named = ", ".join(f"max({name}) AS {name}" for name in CONTAINED)
        found = _select(
            tables,
            f"WITH news AS ({rows}) SELECT CAST(access_id AS VARCHAR) AS access_id, "
            f"min(received_at) AS received_at, {named} FROM news "
            f"WHERE event_type IN {OPENINGS} AND {_LIVE} AND access_id IS NOT NULL "
            "AND access_id NOT IN (SELECT access_id FROM news WHERE access_id IS NOT "
            f"NULL AND event_type IN ('access_closed', '{EventType.ACCESS_UNCLOSED}')) "
            "GROUP BY news.access_id HAVING min(received_at) > ? AND "
            f"min(received_at) <= ? ORDER BY min(received_at) LIMIT {MOST}",
            [_plain(self._judged_until - SLACK), _plain(until)],
        )
        for row in found:
            access_id, received_at = (
                row.pop("access_id"),
                _aware(row.pop("received_at")),
            )
            self._accesses[access_id] = OpenAccess(access_id, received_at, _held(row))
        if len(found) == MOST:
            return  # the next look leaves out what was told of these
        self._judged_until = until
        (place,) = _select(
            tables,
            f"SELECT min(idx) AS first_idx FROM ({rows}) WHERE received_at > ?",
            [_plain(until - SLACK)],
        )
        self.judged_from = (
            tables.as_of[Log.AUDIT]
            if place["first_idx"] is None
            else place["first_idx"]
        )

    # --- users ---

    def _read_users(self, tables: Sourced, begin: int, now: datetime) -> None:
        """Find who came back, and when everybody was seen last."""
        away = timedelta(days=self.policy.overdue.dormant_days)
        horizon = _plain(now - away)
        rows = f"SELECT *, {_AT} AS moment FROM ({_rows(tables, Log.AUDIT, begin)})"
        openings = (
            f"WITH openings AS ({rows} WHERE event_type IN {OPENINGS} AND {_PERSON} AND "
            "user_id IS NOT NULL AND timestamp_utc IS NOT NULL)"
        )
        for row in _select(
            tables,
            f"{openings} SELECT user_id, max(moment) AS last_at FROM openings WHERE moment < ? "
            "GROUP BY user_id",
            [horizon],
        ):
            self._see(row["user_id"], _aware(row["last_at"]))
        days = _select(
            tables,
            f"{openings} SELECT user_id, min(moment) AS first_at, max(moment) AS last_at, "
            f"arg_min(idx, moment) AS idx, bool_or({_LIVE}) AS is_live FROM openings "
            "WHERE moment >= ? GROUP BY user_id, date_trunc('day', moment) ORDER BY first_at",
            [horizon],
        )
        back: dict[int, Return] = {}
        for row in days:
            user, first = row["user_id"], _aware(row["first_at"])
            seen = self._seen.get(user)
            if seen is not None and row["is_live"] and first - seen >= away:
                back[row["idx"]] = Return(user, first, first - seen)
            self._see(user, _aware(row["last_at"]))
        for one in _with_access(tables, begin, back):
            self._returns[dormant_active(one).event_id or ""] = one

    def _see(self, user: str, at: datetime) -> None:
        self._seen[user] = max(at, self._seen.get(user, at))

    # --- emergencies and containments ---

    def _read_marks(self, tables: Sourced, begin: int) -> None:
        """Take up what begins and ends emergencies and containments."""
        kinds = ", ".join(f"'{kind}'" for kind in _MARKS)
        for row in _select(
            tables,
            f"SELECT idx, event_type, CAST(event_id AS VARCHAR) AS event_id, object_id, "
            f"received_at, {', '.join(CONTAINED)} FROM "
            f"({_rows(tables, Log.AUDIT, begin)}) WHERE event_type IN ({kinds}) AND "
            f"{_LIVE} ORDER BY idx",
        ):
            self._mark(row)

    def _mark(self, row: _Found) -> None:
        event_id, named = row["event_id"], row["object_id"]
        received_at = _aware(row["received_at"])
        match row["event_type"]:
            case EventType.BREAK_GLASS_STARTED:
                self._glasses[event_id] = OpenGlass(
                    event_id, received_at, row["user_id"]
                )
            case EventType.BREAK_GLASS_REVIEWED:
                self._glasses.pop(named, None)
            case EventType.CONTAINMENT_STARTED:
                subject = _held({name: row[name] for name in CONTAINED})
                if subject:
                    self._containments[event_id] = Containment(
                        event_id, named, row["idx"], received_at, subject
                    )
            case _:
                for one in list(self._containments.values()):
                    if named in (one.event_id, one.alert_id) and named is not None:
                        ended = replace(one, ended_before=row["idx"])
                        self._containments[one.event_id] = ended

    def _read_breaches(self, tables: Sourced, begin: int, now: datetime) -> None:
        """Find accesses under containment; let go of containments that are over."""
        stands = timedelta(hours=self.policy.overdue.containment_hours)
        for one in list(self._containments.values()):
            until = one.received_at + stands
            if until + TAKEN_UP > now:
                for breach in _breaches_of(
                    tables, one, max(begin, one.index + 1), until
                ):
                    user = breach.named.get("user_id", "")
                    self._breaches[one.event_id, user] = breach
            if one.ended_before is not None or until + SLACK < now:
                del self._containments[one.event_id]

    # --- alerts ---

    def _read_alerts(self, tables: Sourced, begin: int) -> None:
        """Take up alerts, and let go of those that somebody said something of."""
        rows = _rows(
            tables,
            Log.SECURITY,
            begin,
            ("schema", "event_type", "alert_id", "state", "severity", "received_at",
             "evidence", "disposition"),
        )  # fmt: skip
        own = _select(
            tables,
            f"SELECT idx FROM ({rows}) WHERE event_type = '{EventType.ALERT_OVERDUE}'",
        )
        self._overdue_entries.update(f"{Log.SECURITY}:{row['idx']}" for row in own)
        for row in _select(
            tables,
            "SELECT alert_id, severity, received_at, evidence, disposition FROM "
            f"({rows}) WHERE schema = '{ALERT_SCHEMA}' AND (state = 'open' OR "
            "disposition IS NOT NULL) ORDER BY idx",
        ):
            alert_id = row["alert_id"]
            if row["disposition"] is not None:
                self._alerts.pop(alert_id, None)
                self._told.pop(alert_id, None)
            elif self._overdue_entries.isdisjoint(row["evidence"] or ()):
                self._alerts[alert_id] = OpenAlert(
                    alert_id, Severity(row["severity"]), _aware(row["received_at"])
                )


def _rows(
    tables: Sourced, log: Log, begin: int, columns: Sequence[str] = _ACCESS_COLUMNS
) -> str:
    """Write a SELECT of the rows of a log from an entry on."""
    files = [
        file
        for segment in tables.segments(log)
        if segment.end > begin
        for file in segment.events
    ]
    names = ("idx", *(name for name in columns if name != "idx"))
    source = tables.events(log, files, names)
    return f"SELECT {', '.join(names)} FROM {source} WHERE idx >= {begin}"


def _select(
    tables: Sourced, select: str, values: Sequence[object] = ()
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tables.select(
        select, values, timeout_s=LONGEST_S
    ).to_pylist()
    return rows


def _with_access(
    tables: Sourced, begin: int, back: Mapping[int, Return]
) -> Iterable[Return]:
    """Add to each return which access it was."""
    if not back:
        return
    places = ", ".join(map(str, back))
    for row in _select(
        tables,
        f"SELECT idx, CAST(access_id AS VARCHAR) AS access_id, use_case FROM "
        f"({_rows(tables, Log.AUDIT, begin)}) WHERE idx IN ({places}) ORDER BY idx",
    ):
        yield replace(
            back[row["idx"]], access_id=row["access_id"], use_case=row["use_case"]
        )


def _breaches_of(
    tables: Sourced, containment: Containment, begin: int, until: datetime
) -> Iterable[Breach]:
    """Find the first access of each user under a containment."""
    end = containment.ended_before or tables.as_of[Log.AUDIT]
    fits = " AND ".join(f"{name} = ?" for name in containment.named)
    others = ", ".join(
        f"arg_min({name}, idx) AS {name}" for name in CONTAINED if name != "user_id"
    )
    for row in _select(
        tables,
        f"SELECT user_id, arg_min(CAST(access_id AS VARCHAR), idx) AS access_id, {others}, "
        f"min(received_at) AS received_at FROM ({_rows(tables, Log.AUDIT, begin)}) "
        f"WHERE event_type IN {OPENINGS} AND {_LIVE} AND idx < ? AND received_at <= ? "
        f"AND {fits} GROUP BY user_id",
        [end, _plain(until), *containment.named.values()],
    ):
        access_id, received_at = row.pop("access_id"), _aware(row.pop("received_at"))
        yield Breach(containment, received_at, access_id, _held(row))


def _held(row: _Found) -> dict[str, str]:
    return {name: value for name, value in row.items() if value is not None}


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def _plain(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
