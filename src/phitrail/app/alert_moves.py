"""What people make of an alert: who looks at it, and what it was found to be.

A person's move names who made it, and why, in a sealed document; the move holds its digest.
Nothing is edited: a later move stands beside the earlier ones. A closing may name the
containment that was begun for it; the document holds it.
"""

from datetime import datetime

from msgspec.structs import replace

from phitrail.app.alert_board import StandingAlert, find_alert
from phitrail.app.alert_containment import find_containment
from phitrail.app.documents import keep_document
from phitrail.app.key_reason import check_reason
from phitrail.app.wiring import Trail
from phitrail.errors import RefusedError
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import AlertState, Disposition
from phitrail.events.ids import format_time, new_uuid7

NOTE_SCHEMA = "phitrail/alert-note/v1"


def assign_alert(
    trail: Trail, wanted: str, *, to: str, by: str, now: datetime
) -> StandingAlert:
    """Say who looks at an alert.

    Raises:
        InputError: there is no such alert, or a name is no user id.
        StorageError: not recorded.
    """
    alert = find_alert(trail, wanted, now)
    note = _keep_note(trail, alert, f"assigned to {to}", by, now)
    _record(
        trail, alert, now, state=AlertState.UPDATE, assigned_to=to, note_digest=note
    )
    return find_alert(trail, alert.newest.alert_id, now)


def close_alert(
    trail: Trail,
    wanted: str,
    *,
    disposition: Disposition,
    reason: str,
    by: str,
    now: datetime,
    reason_code: str | None = None,
    containment: str | None = None,
) -> StandingAlert:
    """Say what an alert is, and why; the words stay sealed.

    Raises:
        InputError: there is no such alert or containment, no reason was given, or the code
            is none of the vocabulary.
        RefusedError: it was disposed of already in this way.
        StorageError: not recorded.
    """
    check_reason(reason)
    alert = find_alert(trail, wanted, now)
    if alert.disposition == disposition:
        raise RefusedError(f"this alert is closed as {disposition} already")
    of = None
    if containment is not None:
        of = find_containment(trail, containment, now).event_id
    note = _keep_note(trail, alert, reason, by, now, of)
    codes = alert.newest.reason_codes if reason_code is None else (reason_code,)
    _record(
        trail,
        alert,
        now,
        state=AlertState.CLOSE,
        disposition=disposition,
        reason_codes=codes,
        note_digest=note,
    )
    return find_alert(trail, alert.newest.alert_id, now)


def _keep_note(
    trail: Trail,
    alert: StandingAlert,
    reason: str,
    by: str,
    now: datetime,
    containment: str | None = None,
) -> str:
    document = {
        "schema": NOTE_SCHEMA,
        "alert": alert.newest.alert_id,
        "at": format_time(now),
        "by": by,
        "reason": reason,
    }
    if containment is not None:
        document["containment"] = containment
    return keep_document(trail, encode_canonical(document))


def _record(trail: Trail, alert: StandingAlert, now: datetime, **said: object) -> None:
    bare = replace(
        alert.newest,
        event_id=new_uuid7(now),
        timestamp_utc=format_time(now),
        received_at=None,
        nonce=None,
        evidence=(),
    )
    trail.recorder.record(replace(bare, **said), now)
