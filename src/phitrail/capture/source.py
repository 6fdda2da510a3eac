"""Sources and their numbers: so that what is missing shows.

1. A source begins an epoch each time its process starts. The opening of an epoch is an
   event that the source signs with its credential: nobody without it can begin one.
2. Every event that the process records, in any log, carries the source, the epoch and the
   next number; the opening has number 0, heartbeats and the closing are numbered too. So a
   number that is not in the log is an event that is missing, and a heartbeat says how far
   the numbers have come.
3. A number is given once. Where the log refused the event, or had it already, the number
   goes to the next event; where nobody knows whether it was kept, it is not given again.
4. Until its opening is in the log an epoch gives no number but that of the opening: two
   processes may find that they began at once, and then one of them takes another epoch.
5. A caller cannot number for a source: the door refuses an event that names a registered
   source other than the one that this process holds the credential of, or that brings
   numbers of its own, unless it is imported.

Parts of one event share its number. What is missing is found by `projection.completeness`.
"""

import heapq
import secrets
import threading
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from phitrail.errors import InputError, IntegrityError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import ActorType, Assurance, AttributionBasis, EventType
from phitrail.events.ids import format_time, new_uuid7
from phitrail.tlog.note import Signer, VerifierKey, parse_note, sign_note, verify_note

COMPONENT: Final = "phitrail"
_FIRST_LINE: Final = "phitrail/source-epoch/v1"
_NUMBER: Final = "source_seq"
NUMBER_FIELDS: Final = ("source_epoch", _NUMBER)


def source_name(tenant: str, source_id: str) -> str:
    """Name the key of a source."""
    return f"{tenant}/source/{source_id}"


def epoch_text(trail_id: str, source_id: str, epoch: int) -> str:
    """Write what a source signs when it begins an epoch."""
    return f"{_FIRST_LINE}\n{trail_id}\n{source_id}\n{epoch}\n"


def check_opening(
    event: AuditEvent[Any, Any, Any], trail_id: str, key: VerifierKey
) -> None:
    """Check that the credential of a source stands behind the opening of an epoch.

    Raises:
        IntegrityError: the event has no proof, or it does not verify.
    """
    if event.source_id is None or event.source_epoch is None or not event.source_proof:
        raise IntegrityError("an epoch was opened without a proof of its source")
    text = epoch_text(trail_id, event.source_id, event.source_epoch)
    note = f"{text}\n\u2014 {key.name} {event.source_proof}\n".encode()
    verify_note(parse_note(note), [key])


class Source:
    """One epoch of one source, in this process; safe among threads."""

    def __init__(
        self, source_id: str, signer: Signer, trail_id: str, epoch: int
    ) -> None:
        self.source_id = source_id
        self.epoch = epoch
        self._signer = signer
        self._trail_id = trail_id
        self._lock = threading.Lock()
        self._next = 0
        self.is_begun = False
        self._returned: list[int] = []

    def may_number(self, record: CallerRecord) -> bool:
        """Say whether a record gets a number of this epoch."""
        is_opening = (
            isinstance(record, AuditEvent)
            and record.event_type == EventType.SOURCE_EPOCH_OPENED
        )
        return (self.is_begun or is_opening) and _NUMBER in record.__struct_fields__

    @property
    def given(self) -> int:
        """How many numbers are given, returned ones left out."""
        with self._lock:
            return self._next - len(self._returned)

    def take(self) -> int:
        """Give the next number."""
        with self._lock:
            if self._returned:
                return heapq.heappop(self._returned)
            self._next += 1
            return self._next - 1

    def give_back(self, number: int) -> None:
        """Take a number back that certainly stands in no log."""
        with self._lock:
            heapq.heappush(self._returned, number)

    def opening(self, now: datetime) -> CallerEvent:
        """Make the event that begins the epoch."""
        text = epoch_text(self._trail_id, self.source_id, self.epoch)
        note = sign_note(text, [self._signer]).decode()
        proof = note.rstrip("\n").rsplit(" ", 1)[1]
        return self._event(
            EventType.SOURCE_EPOCH_OPENED,
            now,
            source_proof=proof,
            run_id=secrets.token_hex(8),  # two processes never say the same
        )

    def heartbeat(self, now: datetime) -> CallerEvent:
        """Make the event that says that the source lives, and how far its numbers are."""
        return self._event(EventType.SOURCE_HEARTBEAT, now)

    def closing(self, now: datetime) -> CallerEvent:
        """Make the event that ends the epoch; it has the last number."""
        return self._event(EventType.SOURCE_EPOCH_CLOSED, now)

    def _event(self, kind: EventType, now: datetime, **more: Any) -> CallerEvent:  # noqa: ANN401 - fields of AuditEvent
        return AuditEvent(
            event_type=kind,
            event_id=new_uuid7(now),
            timestamp_utc=format_time(now),
            actor_type=ActorType.SERVICE,
            attribution_basis=AttributionBasis.STATIC,
            service_component=COMPONENT,
            assurance=Assurance.ENFORCED,
            **more,
        )


def check_numbers(
    record: CallerRecord, source_id: str | None, registered: Collection[str]
) -> None:
    """Refuse an event that numbers for a source, or names one that is not this process.

    Args:
        record: what came to the door.
        source_id: the source whose credential this process holds, if any.
        registered: all sources of the trail.

    Raises:
        InputError: names the field and the rule.
    """
    is_imported = getattr(record, "assurance", None) == Assurance.IMPORTED
    named = getattr(record, "source_id", None)
    if named is not None and named != source_id and named in registered:
        raise InputError.for_field(
            "source_id",
            "a registered source; only a process that holds its credential may name it",
        )
    if not is_imported and any(
        getattr(record, field, None) is not None for field in NUMBER_FIELDS
    ):
        raise InputError.for_field(
            "source_seq",
            "source_epoch and source_seq are given by the source's own process; leave "
            "them out",
        )
