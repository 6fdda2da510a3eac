"""One change of the keys, in an order that a crash leaves before or after, nothing else.

1. The lock of the keys is held; the register is as it stands.
2. What explains the change (why, by whom, what was counted) is a sealed document; its
   SHA-256 goes into every event.
3. `keys/change` is durable: the files as they will be, and which go.
4. The events are recorded, one for each transition, in one transaction: from here on it has
   happened. A crash before leaves the old keys in force and the file without effect.
5. Key files take their places, the register last; what ended is removed; `keys/change` goes.
   Whoever opens the trail after a crash does this step, as often as it takes.

Other processes that have the trail open look at the register once a second (`keys.ring`) and
go on with the keys that they know until then: a change never holds up who records.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from phitrail.app.documents import keep_document
from phitrail.app.key_endings import destroy_ended
from phitrail.app.key_handover import begin_change, holding_keys, put_in_place
from phitrail.app.key_register import REGISTER, print_register
from phitrail.app.key_wiring import KEYS, current_register
from phitrail.app.wiring import Trail
from phitrail.durable.files import DurableFiles
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import (
    ActorType,
    Assurance,
    AttributionBasis,
    EventType,
    Log,
    Outcome,
)
from phitrail.events.ids import format_time, new_uuid7
from phitrail.keys.key_file import KeyFile, name_of_file
from phitrail.keys.names import KeyId
from phitrail.keys.register import KeyRegister, Transition
from phitrail.keys.states import KeyState

_EVENTS = {
    KeyState.PRE_ACTIVATION: EventType.KEY_CREATED,
    KeyState.ACTIVE: EventType.KEY_ACTIVATED,
    KeyState.SUSPENDED: EventType.KEY_SUSPENDED,
    KeyState.DEACTIVATED: EventType.KEY_DEACTIVATED,
    KeyState.COMPROMISED: EventType.KEY_COMPROMISED,
    KeyState.DESTROYED: EventType.KEY_DESTROYED,
    KeyState.DESTROYED_COMPROMISED: EventType.KEY_DESTROYED,
}


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What is to be done to the keys.

    Attributes:
        register: as it will be; number, time and signature are set when it is written.
        transitions: what each version does; an event for each, in order.
        made: key files that are new, or wrapped anew.
        removed: versions whose files go.
        summary: what was done as a whole, with the key (or rule) that it was done to, if
            that is an event of its own.
        summaries: likewise, where it was done to several.
        facts: what the document says beside the transitions: counts, places, windows.
    """

    register: KeyRegister
    transitions: tuple[Transition, ...]
    made: tuple[KeyFile, ...] = ()
    removed: tuple[KeyId, ...] = ()
    summary: tuple[EventType, KeyId | str] | None = None
    summaries: tuple[tuple[EventType, KeyId | str], ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """A change that was made: its register, and the document that explains it."""

    register: KeyRegister
    document: bytes
    digest: str
    event_ids: tuple[str, ...]


@contextmanager
def changing_keys(trail: Trail) -> Iterator[KeyRegister]:
    """Hold the keys of a trail for a change; give the register as it stands.

    Raises:
        ConfigError: the register is missing or damaged.
        IntegrityError: it is not signed by this trail's keys.
    """
    with holding_keys(trail.directory):
        yield current_register(trail.directory)


def make_change(
    trail: Trail,
    change: KeyChange,
    *,
    by: str,
    reason: str,
    now: datetime,
    files: DurableFiles | None = None,
) -> Done:
    """Make a change; the lock of the keys is held (`changing_keys`).

    Args:
        trail: open for writing.
        change: what is to be done.
        by: who asks, as the audit log will name them.
        reason: why, in words; kept sealed.
        now: the time.
        files: the trail's files; the fault tests pass their own.

    Raises:
        InputError: a field of an event is refused; nothing was changed.
        StorageError: nothing was recorded; or it was, and whoever opens the trail next
            finishes it.
    """
    files, at = files or DurableFiles(trail.directory), format_time(now)
    register = msgspec.structs.replace(
        change.register, number=change.register.number + 1, written_at=at
    )
    document = _document(change, register, by, reason, at)
    digest = keep_document(trail, document)
    events = _events(change, by, at, digest, now)
    event_ids = tuple(str(one.event_id) for one in events)
    signer = trail.log_keys[Log.AUDIT.value].checkpoint
    placed = {f"{KEYS}/{one.file_name}": one.encode() for one in change.made}
    placed[REGISTER] = print_register(register, signer)  # the last one to be put
    removed = tuple(f"{KEYS}/{name_of_file(one)}" for one in change.removed)
    begun = begin_change(files, event_ids[0], placed, removed)
    trail.recorder.record_many(events, now)
    put_in_place(files, begun)
    destroy_ended(trail.directory, trail.keys.vault)
    trail.keys.refresh()
    return Done(register, document, digest, event_ids)


def _document(
    change: KeyChange, register: KeyRegister, by: str, reason: str, at: str
) -> bytes:
    return encode_canonical(
        {
            "schema": "phitrail/key-change/v1",
            "at": at,
            "by": by,
            "reason": reason,
            "register": register.number,
            "transitions": [
                {
                    "key": str(one.key_id),
                    "from": "" if one.before is None else one.before.value,
                    "to": one.after.value,
                }
                for one in change.transitions
            ],
            "facts": dict(change.facts),
        }
    )


def _events(
    change: KeyChange, by: str, at: str, digest: str, now: datetime
) -> Sequence[CallerEvent]:
    told: list[tuple[EventType, KeyId | str]] = [
        (_EVENTS[one.after], one.key_id) for one in change.transitions
    ]
    if change.summary is not None:
        told.append(change.summary)
    told += change.summaries
    return [
        AuditEvent(
            event_type=kind,
            event_id=new_uuid7(now),
            timestamp_utc=at,
            user_id=by,
            actor_type=ActorType.HUMAN,
            attribution_basis=AttributionBasis.STATIC,
            outcome=Outcome.SUCCESS,
            object_id=str(key_id),
            object_digest=digest,
            assurance=Assurance.ENFORCED,
        )
        for kind, key_id in told
    ]


def digest_of(document: bytes) -> str:
    """Return the SHA-256 of a document in hex, as events carry it."""
    return hashlib.sha256(document).hexdigest()
