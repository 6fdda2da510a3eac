"""What time alone makes: things that should have happened by now, as events.

Nothing is recorded when nobody closes an access, looks at an alert or reviews an emergency.
Whoever publishes looks (`app.overdue_watch`) and records that it did not happen:

1. `access_unclosed`: an access is open for longer than `access_unclosed_after_s`. Once each.
2. `alert_overdue` (security log): an alert has no disposition `*_alert_days` after it was
   opened, by its level (`overdue`), and again after twice as long (`overdue_twice`). An alert
   that rests on such an event is left out, so that none is made of its own kind.
3. `review_overdue`: a `break_glass_started` that no `break_glass_reviewed` names by its id in
   `object_id`, `review_hours` later. Once.
4. `dormant_user_active`: a person's access after `dormant_days` or more without any. Once a
   return; `result_count` says after how many days.
5. `containment_breached`: an access opened although a containment of it stands: after
   `containment_started`, within `containment_hours`, before `containment_ended`. Once for each
   user of a containment. A containment names what it is of in its own fields (`user_id`,
   `source_ip`, `use_case`, ...; all that it names must fit), and in `object_id` its alert; its
   end names it, or the same alert, in `object_id`.

The id of such an event follows from what it is about and from nothing else: however often
somebody looks, and whoever, the log holds it once. Its time is left to the log, so rules judge
it when it is told, however late that is.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from phitrail.app.config import OverdueSection
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import (
    ActorType,
    Assurance,
    AttributionBasis,
    EventType,
    Severity,
)
from phitrail.events.ids import RANDOM_BYTES, new_uuid7
from phitrail.events.security import SecurityEvent

COMPONENT: Final = "phitrail"
OVERDUE, OVERDUE_TWICE = "overdue", "overdue_twice"
STAGES: Final = (OVERDUE, OVERDUE_TWICE)
CONTAINED: Final = (
    "user_id",
    "source_ip",
    "use_case",
    "facility_id",
    "ai_model_id",
    "ai_model_version",
)
"""What a containment may be of: the fields of an access that it names."""
Named: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OpenAccess:
    """An access that was opened and not closed; what its openings say of it."""

    access_id: str
    received_at: datetime
    named: Named = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that nobody has disposed of."""

    alert_id: str
    severity: Severity
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class OpenGlass:
    """An emergency access that nobody has reviewed."""

    event_id: str
    received_at: datetime
    user_id: str | None


@dataclass(frozen=True, slots=True)
class Return:
    """The first access of somebody who had been away."""

    user_id: str
    at: datetime
    away: timedelta
    access_id: str | None = None
    use_case: str | None = None


@dataclass(frozen=True, slots=True)
class Containment:
    """What is contained: from which entry on, since when, and up to which entry."""

    event_id: str
    alert_id: str | None
    index: int
    received_at: datetime
    named: Named
    ended_before: int | None = None


@dataclass(frozen=True, slots=True)
class Breach:
    """The first access of a user under a containment."""

    containment: Containment
    received_at: datetime
    access_id: str | None
    named: Named


def limit_of(severity: Severity, settings: OverdueSection) -> timedelta | None:
    """Say how long an alert may go without a disposition; None for ever."""
    days = {
        Severity.CRITICAL: settings.critical_alert_days,
        Severity.HIGH: settings.high_alert_days,
        Severity.MEDIUM: settings.medium_alert_days,
        Severity.LOW: settings.low_alert_days,
    }.get(severity)
    return None if days is None else timedelta(days=days)


def stage_of(
    severity: Severity, opened_at: datetime, now: datetime, settings: OverdueSection
) -> int:
    """Say how often an alert's time has passed: 0, 1 or 2."""
    limit = limit_of(severity, settings)
    if limit is None:
        return 0
    return max(0, min(len(STAGES), (now - opened_at) // limit))


# --- the events ---


def unclosed(access: OpenAccess) -> CallerEvent:
    """Say that an access was not closed."""
    return _event(
        EventType.ACCESS_UNCLOSED,
        _id(EventType.ACCESS_UNCLOSED, access.received_at, access.access_id),
        access_id=access.access_id,
        **access.named,
    )


def alert_overdue(alert: OpenAlert, stage: int) -> SecurityEvent:
    """Say that nobody has disposed of an alert in time."""
    reason = STAGES[stage - 1]
    return SecurityEvent(
        event_type=EventType.ALERT_OVERDUE,
        event_id=_id(
            EventType.ALERT_OVERDUE, alert.opened_at, f"{alert.alert_id}|{reason}"
        ),
        severity=alert.severity,
        reason_code=reason,
        object_id=alert.alert_id,
        service_component=COMPONENT,
    )


def review_overdue(glass: OpenGlass) -> CallerEvent:
    """Say that nobody has reviewed an emergency access in time."""
    return _event(
        EventType.REVIEW_OVERDUE,
        _id(EventType.REVIEW_OVERDUE, glass.received_at, glass.event_id),
        object_id=glass.event_id,
        user_id=glass.user_id,
    )


def dormant_active(back: Return) -> CallerEvent:
    """Say that somebody who had been away had access again."""
    return _event(
        EventType.DORMANT_USER_ACTIVE,
        _id(EventType.DORMANT_USER_ACTIVE, back.at, back.user_id),
        user_id=back.user_id,
        access_id=back.access_id,
        use_case=back.use_case,
        result_count=back.away.days,
    )


def breached(breach: Breach) -> CallerEvent:
    """Say that somebody or something under containment had access all the same."""
    of, user = breach.containment, breach.named.get("user_id", "")
    return _event(
        EventType.CONTAINMENT_BREACHED,
        _id(EventType.CONTAINMENT_BREACHED, of.received_at, f"{of.event_id}|{user}"),
        object_id=of.event_id,
        access_id=breach.access_id,
        **breach.named,
    )


def without_terms(event: CallerRecord) -> CallerRecord:
    """Leave out what a tenant's lists may no longer admit."""
    names = ("use_case", "facility_id", "ai_model_id", "ai_model_version")
    held = [name for name in names if getattr(event, name, None) is not None]
    return replace(event, **dict.fromkeys(held))


def _id(kind: EventType, at: datetime, subject: str) -> str:
    said = f"phitrail/overdue/v1|{kind}|{subject}"
    if kind is EventType.DORMANT_USER_ACTIVE:
        said += f"|{at.isoformat()}"
    entropy = hashlib.sha256(said.encode()).digest()[:RANDOM_BYTES]
    return new_uuid7(at, entropy)


def _event(kind: EventType, event_id: str, **said: Any) -> CallerEvent:  # noqa: ANN401
    held = {name: value for name, value in said.items() if value is not None}
    return AuditEvent(
        event_type=kind,
        event_id=event_id,
        actor_type=ActorType.SERVICE,
        attribution_basis=AttributionBasis.STATIC,
        service_component=COMPONENT,
        assurance=Assurance.ENFORCED,
        **held,
    )
