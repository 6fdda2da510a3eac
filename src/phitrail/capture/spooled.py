"""What stands in a spool's rows: records as callers wrote them, and two events of ours.

A record is kept in the bytes that the keyed hash for exactly-once is taken over, so that a
replay of what the log has already is seen for the retry that it is. An action may be the
tenant's own name of one: the door exchanges it, at the replay as ever.
"""

from typing import Any

import msgspec

from phitrail.capture.spool_rows import Episode
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import CallerRecord, decode_caller_record
from phitrail.events.codes import (
    Action,
    ActorType,
    AttributionBasis,
    EventType,
    Outcome,
)

COMPONENT = "phitrail-sdk"
_ACTIONS = frozenset(Action)


def decode_spooled(line: bytes) -> CallerRecord:
    """Read one record back, as its caller gave it.

    Raises:
        InputError: this version knows no such record.
    """
    plain: dict[str, Any] = msgspec.json.decode(line)
    action = plain.get("action")
    if action is None or action in _ACTIONS:
        return decode_caller_record(line)
    del plain["action"]
    record = decode_caller_record(msgspec.json.encode(plain))
    return msgspec.structs.replace(record, action=action)


def started(episode_id: str, at: str) -> CallerEvent:
    """Make the event that says since when a spool took what the log could not."""
    return _event(
        EventType.SPOOL_STARTED,
        event_id=episode_id,
        timestamp_utc=at,
        object_id=episode_id,
    )


def ended(episode: Episode) -> CallerEvent:
    """Make the event that says how many events were replayed, and of when the last is."""
    return _event(
        EventType.SPOOL_REPLAYED,
        event_id=episode.ended_id,
        timestamp_utc=episode.last_at,
        object_id=episode.episode_id,
        result_count=episode.events - episode.refused,
        outcome=Outcome.FAILED if episode.refused else Outcome.SUCCESS,
    )


def _event(kind: EventType, **more: Any) -> CallerEvent:  # noqa: ANN401 - fields of AuditEvent
    return AuditEvent(
        event_type=kind,
        actor_type=ActorType.SERVICE,
        attribution_basis=AttributionBasis.STATIC,
        service_component=COMPONENT,
        **more,
    )
