"""Breaking the glass: opening what a compromised key sealed, with a reason, on record.

1. `break_glass_started` is durable before anything is opened; why stands in a sealed
   document, whose digest it names. If it cannot be recorded, nothing is opened.
2. What is read then is recorded as any other read is.
3. `break_glass_ended` names the first event, and how it ended. One without an end ended with
   its process.

The log itself (publisher, tables, `verify`) goes on under compromised keys and breaks no
glass: nobody is shown anything by it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec

from phitrail.app import clock
from phitrail.app.documents import keep_document
from phitrail.app.key_reason import check_reason
from phitrail.app.reading import COMPONENT
from phitrail.app.running import RunningTrail, run_trail
from phitrail.app.wiring import Trail
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import (
    ActorType,
    Assurance,
    AttributionBasis,
    EventType,
    Outcome,
)
from phitrail.events.ids import format_time, new_uuid7

FIELD = "--break-glass"


@contextmanager
def breaking_glass(
    trail: Trail, reason: str, *, by: str, now: Callable[[], datetime]
) -> Iterator[Trail]:
    """Give a view of a trail that opens what is in quarantine, while the block runs.

    Args:
        trail: open.
        reason: why, in words; kept sealed.
        by: who does it, as the audit log will name them.
        now: gives the time.

    Raises:
        InputError: no reason was given, or `by` is no user id; nothing is opened.
        StorageError: not recorded; nothing is opened.
    """
    check_reason(reason, FIELD)
    began, event_id = now(), new_uuid7(now())
    document = {
        "schema": "phitrail/break-glass/v1",
        "at": format_time(began),
        "by": by,
        "reason": reason,
    }
    digest = keep_document(trail, encode_canonical(document))
    started = _event(
        EventType.BREAK_GLASS_STARTED, event_id, began, by, Outcome.SUCCESS
    )
    trail.recorder.record(msgspec.structs.replace(started, object_digest=digest), began)
    outcome = Outcome.FAILED
    try:
        yield trail.behind_glass()
        outcome = Outcome.SUCCESS
    finally:
        ended = now()
        event = _event(
            EventType.BREAK_GLASS_ENDED, new_uuid7(ended), ended, by, outcome
        )
        trail.recorder.record(msgspec.structs.replace(event, object_id=event_id), ended)


@contextmanager
def run_for_reading(
    directory: Path, *, by: str, break_glass: str | None = None
) -> Iterator[RunningTrail]:
    """Open a trail for one command that shows people what stands in it.

    Args:
        directory: the trail.
        by: who reads, as the audit log will name them.
        break_glass: why what is in quarantine is to be opened; else it is refused.

    Raises:
        InputError: the reason is none; nothing is opened.
        ConfigError: there is no trail, or a file or key of it is missing or wrong.
        IntegrityError: the log does not verify; see `run_trail`.
        StorageError: a file cannot be opened, or nothing can be recorded.
    """
    with run_trail(directory) as running:
        if break_glass is None:
            yield running
            return
        with breaking_glass(running.parts, break_glass, by=by, now=clock.now) as opened:
            yield replace(running, parts=opened)


def _event(
    kind: EventType, event_id: str, at: datetime, by: str, outcome: Outcome
) -> CallerEvent:
    return AuditEvent(
        event_type=kind,
        event_id=event_id,
        timestamp_utc=format_time(at),
        user_id=by,
        actor_type=ActorType.HUMAN,
        attribution_basis=AttributionBasis.STATIC,
        outcome=outcome,
        service_component=COMPONENT,
        assurance=Assurance.ENFORCED,
    )
