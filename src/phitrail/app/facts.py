"""What is put into an event at the door of what the house's lists say (`capture.enrichment`).

1. `local_offset_s`: how far the facility's clock was ahead of UTC (`facility_zones`).
2. Of an audit event, of the person in it: `user_state`, `on_shift`. The person is `user_id`;
   where a program acts for somebody (`actor_type` is not `human`) it is `on_behalf_of`.
3. Of the person and the patients in it: `care_relationship` (`all`, `some` or `none` of the
   patients that are known), `relations` (to any of them), and `unexplained_relations`: those to
   patients without a known care relationship. Where care is not known none is explained.
4. What the caller gave stays, and is believed: where it says `care_relationship: all`, nothing
   is unexplained; where it gives relations and we know no better, all of them are.
5. Lists that cannot be read fill nothing: recording goes on, `failure` says why, and whoever
   publishes records it once (`unreadable`, a `detection_degraded` event).
6. What the caller gave is checked after this, with the whole leaf. What is no text where one
   must be, or no time, fills nothing here and is refused there.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from phitrail.detect.enrich import Zones
from phitrail.detect.row import instant_us
from phitrail.errors import PhitrailError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import (
    ActorType,
    Assurance,
    AttributionBasis,
    CareRelationship,
    EventType,
    Outcome,
    Severity,
)
from phitrail.events.ids import new_uuid7
from phitrail.events.security import SecurityEvent
from phitrail.identity.fact_store import FactFile, FactStore
from phitrail.identity.facts import FactBook, bits_of, relations_of


class HouseFacts:
    """Fills the fields of events; safe among threads."""

    def __init__(self, zones: Zones, store: FactStore) -> None:
        self._zones = zones
        self.store = store
        self.failure: PhitrailError | None = None
        """Why the lists cannot be read; None while they can."""

    def fields(
        self, record: CallerRecord, added: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the fields of a leaf that the lists fill."""
        if not isinstance(record, AuditEvent | SecurityEvent):
            return {}
        at_us = _instant(added["timestamp_utc"])
        filled: dict[str, Any] = {}
        if at_us is None:
            return filled
        if type(record.facility_id) is str and record.local_offset_s is None:
            offset_s = self._zones.offset_s(record.facility_id, at_us)
            if offset_s is not None:
                filled["local_offset_s"] = offset_s
        if isinstance(record, AuditEvent):
            book = self._book()
            if not book.is_empty:
                _fill(filled, book, record, added, at_us)
        return filled

    def unreadable(self) -> tuple[CallerRecord, ...]:
        """Say for the log that the lists cannot be read; nothing while they can.

        The event is the same, by its id, until the lists are other ones.
        """
        if self._book() is not _EMPTY:
            return ()
        at_ns, entropy = self.store.fingerprint()
        moment = datetime.fromtimestamp(at_ns // 1_000_000 / 1_000, UTC)
        event = SecurityEvent(
            event_type=EventType.DETECTION_DEGRADED,
            event_id=new_uuid7(moment, entropy),
            severity=Severity.HIGH,
            reason_code=UNREADABLE,
            detector="recorder",
            service_component="phitrail",
        )
        return (event,)

    def _book(self) -> FactBook:
        try:
            book = self.store.book()
        except PhitrailError as error:
            self.failure = error
            return _EMPTY
        self.failure = None
        return book


UNREADABLE = "facts_unreadable"
_EMPTY = FactBook()


def load_event(file: FactFile) -> CallerEvent:
    """Make the event that says that a table is in force: the same one however often."""
    return AuditEvent(
        event_type=EventType.FACTS_LOADED,
        event_id=file.event_id,
        timestamp_utc=file.loaded_at,
        user_id=file.loaded_by,
        actor_type=ActorType.HUMAN,
        attribution_basis=AttributionBasis.STATIC,
        outcome=Outcome.SUCCESS,
        object_id=file.kind.value,
        object_digest=file.sources[-1],
        result_count=file.rows,
        service_component="phitrail-cli",
        assurance=Assurance.ENFORCED,
    )


def _instant(written: object) -> int | None:
    """Read a time that nobody has checked yet."""
    try:
        return instant_us(written)  # type: ignore[arg-type]  # whatever the caller gave
    except (TypeError, ValueError):
        return None


def _fill(
    filled: dict[str, Any],
    book: FactBook,
    record: AuditEvent[Any, Any, Any],
    added: Mapping[str, Any],
    at_us: int,
) -> None:
    user = _person(record, added)
    if type(user) is not str:
        return
    if record.user_state is None:
        state = book.state_of(user, at_us)
        if state is not None:
            filled["user_state"] = state
    if record.on_shift is None:
        is_on_shift = book.is_on_shift(user, at_us)
        if is_on_shift is not None:
            filled["on_shift"] = is_on_shift
    records = added.get("records")
    if records:
        patients = dict.fromkeys(patient for patient, _, _ in records if patient)
        _fill_of_patients(filled, book, record, user, tuple(patients), at_us)


def _person(record: AuditEvent[Any, Any, Any], added: Mapping[str, Any]) -> object:
    field = "user_id"
    if record.actor_type not in (None, ActorType.HUMAN) and record.on_behalf_of:
        field = "on_behalf_of"
    return added.get(field) or getattr(record, field)


def _fill_of_patients(
    filled: dict[str, Any],
    book: FactBook,
    record: AuditEvent[Any, Any, Any],
    user: str,
    patients: tuple[str, ...],
    at_us: int,
) -> None:
    department = record.department
    view = book.view(user, department if type(department) is str else None, at_us)
    care, unexplained, relations = record.care_relationship, 0, 0
    has_relations = book.has_relations and not record.relations
    cared = strangers = 0
    for patient in patients:
        is_cared = view.cares(patient)
        cared += is_cared is True
        strangers += is_cared is False
        if has_relations:
            found = view.relations(patient)
            relations |= found
            if not is_cared or care == CareRelationship.NONE:
                unexplained |= found
    if relations:
        filled["relations"] = relations_of(relations)
    elif record.relations:
        unexplained = bits_of(record.relations)
    if care is None and cared + strangers:
        care = _care_of(cared, strangers)
        filled["care_relationship"] = care
    if (
        unexplained
        and care != CareRelationship.ALL
        and not record.unexplained_relations
    ):
        filled["unexplained_relations"] = relations_of(unexplained)


def _care_of(cared: int, strangers: int) -> CareRelationship:
    if not strangers:
        return CareRelationship.ALL
    return CareRelationship.SOME if cared else CareRelationship.NONE
