"""Containment of what an alert is about: what its rule proposes, and what stands.

1. A rule names subjects to contain (`x_containment`); an alert proposes those that it has.
2. A containment is of an alert where it names it (`object_id`), or where all that it names
   (`app.overdue.CONTAINED`) is a subject of the alert.
3. It ends with the first `containment_ended` that names it, or its alert, and after
   `containment_hours`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from phitrail.app.overdue import CONTAINED
from phitrail.app.wiring import Trail
from phitrail.errors import InputError
from phitrail.events.codes import EventType

LEAST_PREFIX = 8
_STARTED = (
    "SELECT idx, CAST(event_id AS VARCHAR) AS event_id, object_id, received_at, "
    f"{', '.join(CONTAINED)} FROM audit WHERE event_type = ? AND {{}} ORDER BY idx"
)
_LATER = (
    "SELECT event_type, object_id, received_at FROM audit WHERE event_type IN (?, ?) AND "
    "list_contains(?, object_id) AND idx > ? ORDER BY idx"
)


@dataclass(frozen=True, slots=True)
class StandingContainment:
    """A containment, and how it stands.

    Attributes:
        event_id: the event with which it began.
        entry: where that stands.
        alert_id: the alert that it names.
        named: what it is of.
        began_at: when it was received.
        ends_at: when somebody ended it, or when it ends by itself.
        is_ended: somebody ended it.
        is_confirmed: a second person confirmed it.
    """

    event_id: str
    entry: str
    alert_id: str | None
    named: Mapping[str, str]
    began_at: datetime
    ends_at: datetime
    is_ended: bool = False
    is_confirmed: bool = False

    def stands(self, now: datetime) -> bool:
        """Say whether it stands at a time."""
        return self.began_at <= now <= self.ends_at and not self.is_ended


def proposed(
    containment: Sequence[str], subjects: Mapping[str, str]
) -> Mapping[str, str]:
    """Say what a rule proposes to contain, of what its alert is about."""
    return {name: subjects[name] for name in containment if name in subjects}


def containments_of(
    trail: Trail, alert_id: str, subjects: Mapping[str, str], now: datetime
) -> tuple[StandingContainment, ...]:
    """Find the containments of an alert, or of its subjects.

    Raises:
        IntegrityError: tables or log are damaged.
        StorageError: a file cannot be read.
    """
    held = [name for name in CONTAINED if name in subjects]
    fits = " OR ".join(["object_id = ?", *(f"{name} = ?" for name in held)])
    values = [alert_id, *(subjects[name] for name in held)]
    return tuple(
        one
        for one in _read(trail, f"({fits})", values, now)
        if one.alert_id == alert_id or one.named.items() <= subjects.items()
    )


def find_containment(trail: Trail, wanted: str, now: datetime) -> StandingContainment:
    """Find the containment whose event id begins with these characters.

    Raises:
        InputError: there is none, or more than one.
    """
    rule = f"give {LEAST_PREFIX} characters of the event with which it began"
    if len(wanted) >= LEAST_PREFIX:
        fits = "starts_with(CAST(event_id AS VARCHAR), ?)"
        found = _read(trail, fits, [wanted], now)
        if len(found) == 1:
            return found[0]
        rule = "no containment has this id" if not found else "more than one begins so"
    raise InputError.for_field("--containment", rule)


def _read(
    trail: Trail, fits: str, values: Sequence[object], now: datetime
) -> list[StandingContainment]:
    from phitrail.app.tables import open_tables  # noqa: PLC0415 - loads DuckDB

    stands = timedelta(hours=trail.policy.overdue.containment_hours)
    with open_tables(trail, now) as tables:
        rows = tables.ask(
            _STARTED.format(fits), [EventType.CONTAINMENT_STARTED, *values]
        ).to_pylist()
        found = []
        for row in rows:
            one = _begun(row, stands)
            ids = [one.event_id, *([one.alert_id] if one.alert_id else [])]
            kinds = [EventType.CONTAINMENT_CONFIRMED, EventType.CONTAINMENT_ENDED]
            later = tables.ask(_LATER, [*kinds, ids, row["idx"]]).to_pylist()
            found.append(_gone_on(one, later))
    return found


def _begun(row: Mapping[str, Any], stands: timedelta) -> StandingContainment:
    began = row["received_at"].replace(tzinfo=UTC)
    named = {name: row[name] for name in CONTAINED if row[name] is not None}
    return StandingContainment(
        row["event_id"],
        f"audit:{row['idx']}",
        row["object_id"],
        named,
        began,
        began + stands,
    )


def _gone_on(
    one: StandingContainment, later: Sequence[Mapping[str, Any]]
) -> StandingContainment:
    for row in later:
        if row["event_type"] == EventType.CONTAINMENT_CONFIRMED:
            one = replace(one, is_confirmed=True)
        elif not one.is_ended:
            ended = min(one.ends_at, row["received_at"].replace(tzinfo=UTC))
            one = replace(one, is_ended=True, ends_at=ended)
    return one
