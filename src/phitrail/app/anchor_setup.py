"""Adding an anchor: the log learns of it first, then `anchors.yaml` names it."""

import hashlib
from datetime import datetime

from phitrail.anchor.settings import AnchorSettings
from phitrail.app.anchor_wiring import open_anchor
from phitrail.app.config import print_anchors, read_anchors, write_anchors
from phitrail.app.wiring import Trail
from phitrail.errors import InputError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import (
    ActorType,
    AttributionBasis,
    EventType,
    Outcome,
)
from phitrail.events.ids import format_time, new_uuid7


def add_anchor(
    trail: Trail, settings: AnchorSettings, *, by: str, now: datetime
) -> None:
    """Add an anchor to a trail; `anchor_added` holds the digest of the new file.

    Raises:
        InputError: an anchor has that name already, or `by` is no user id.
        ConfigError: what is said of it cannot be.
        StorageError: nothing was added.
    """
    anchors = read_anchors(trail.directory)
    if any(known.name == settings.name for known in anchors):
        raise InputError.for_field(
            "NAME", "an anchor has that name already; `phitrail anchor list` shows it"
        )
    open_anchor(settings, trail.directory)
    wanted = (*anchors, settings)
    event: CallerEvent = AuditEvent(
        event_type=EventType.ANCHOR_ADDED,
        event_id=new_uuid7(now),
        timestamp_utc=format_time(now),
        user_id=by,
        actor_type=ActorType.HUMAN,
        attribution_basis=AttributionBasis.STATIC,
        outcome=Outcome.SUCCESS,
        object_id=settings.name,
        object_digest=hashlib.sha256(print_anchors(wanted)).hexdigest(),
        service_component="phitrail-cli",
    )
    trail.recorder.record(event, now)
    write_anchors(trail.directory, wanted)
