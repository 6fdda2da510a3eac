"""The one door into the logs: what comes in is checked, made anonymous, and durable.

One record, in this order:
1. Give it an id and a time where the caller gave none.
2. Take the keyed hash of the caller's own canonical bytes, identifiers included, before
   anything is added: a retry of the same id with the same bytes is one event.
3. Check its terms against the tenant's vocabulary.
4. Exchange identifiers of patients and records, and e-mail addresses of users, for
   surrogates. A new identity is durable before any leaf that names it is built.
5. Add the nonce and the time of receipt, encode, and check the bytes (field policy).
6. Append. The receipt says index, leaf hash and promise; it exists only once the commit
   was synced.

The same id with other content is refused, and the refusal is itself recorded. A record
with many patient records goes in parts that share the event id, in one transaction.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from phitrail.errors import ConflictError, InputError
from phitrail.events.audit import AuditEvent, AuditLeaf, CallerEvent
from phitrail.events.canonical import (
    CallerRecord,
    LeafRecord,
    encode_canonical,
    encode_leaf,
    log_of,
)
from phitrail.events.codes import EventType
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.protected import Protected
from phitrail.events.security import SecurityEvent
from phitrail.events.unprotect import unprotect
from phitrail.events.vocabulary import Vocabulary
from phitrail.identity.map import IdentityMap, Subject
from phitrail.identity.surrogate import written_surrogate
from phitrail.tlog.appender import Appender, Entry, Item, Sequenced
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.receipt import Receipt

RECORDS_IN_A_PART = 200
NONCE_BYTES = 16
_NOBODY = Protected("")

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Systems:
    """Which identifier system names patients, records and users (tenant.yaml)."""

    patient: str = "mrn"
    record: str = "ehr"
    user: str = "workforce"


@dataclass(frozen=True, slots=True)
class _Draft:
    """A record on its way: who it is about, and its idempotency hash."""

    record: CallerRecord
    event_id: str
    mac: bytes
    subjects: tuple[Subject, ...]


class Recorder:
    """Records events; safe to use from many threads and from event loops."""

    def __init__(
        self,
        *,
        appender: Appender,
        identity: IdentityMap,
        vocabulary: Vocabulary,
        systems: Systems,
        idempotency: Callable[[bytes], tuple[int, bytes]],
    ) -> None:
        self._appender = appender
        self._identity = identity
        self._vocabulary = vocabulary
        self._systems = systems
        self._idempotency = idempotency

    def record(self, record: CallerRecord, now: datetime) -> Receipt:
        """Record one event; return once it is durable.

        Raises:
            InputError: names the field and the rule.
            ConflictError: the event id stands in the log with other content.
            StorageError: nothing was recorded.
            OutcomeUnknownError: open the trail again, retry with the same event id.
        """
        return self.record_many((record,), now)[0]

    def record_many(
        self, records: Sequence[CallerRecord], now: datetime
    ) -> tuple[Receipt, ...]:
        """Record events of any logs as one transaction: all of them or none.

        Raises:
            InputError: names the field and the rule.
            ConflictError: an event id stands in the log with other content.
            StorageError: nothing was recorded.
            OutcomeUnknownError: open the trail again, retry with the same event ids.
        """
        drafts = self._drafts(records, now)
        unmet = self._unmet(drafts)
        if unmet:
            self._identity.resolve(unmet, field="records")
        items = [self._item(draft, now) for draft in drafts]
        whole = tuple(entry for item in items for entry in item)
        try:
            return _receipts(drafts, items, self._appender.append(whole))
        except ConflictError as error:
            self._appender.append(self._conflict_item(error, now))
            raise

    async def record_async(self, record: CallerRecord, now: datetime) -> Receipt:
        """Do as `record`, on the running event loop.

        Raises:
            InputError: names the field and the rule.
            ConflictError: the event id stands in the log with other content.
            StorageError: nothing was recorded.
            OutcomeUnknownError: open the trail again, retry with the same event id.
        """
        return (await self.record_many_async((record,), now))[0]

    async def record_many_async(
        self, records: Sequence[CallerRecord], now: datetime
    ) -> tuple[Receipt, ...]:
        """Do as `record_many`, on the running event loop.

        Raises:
            InputError: names the field and the rule.
            ConflictError: an event id stands in the log with other content.
            StorageError: nothing was recorded.
            OutcomeUnknownError: open the trail again, retry with the same event ids.
        """
        drafts = self._drafts(records, now)
        unmet = self._unmet(drafts)
        if unmet:
            await self._identity.resolve_async(unmet, field="records")
        items = [self._item(draft, now) for draft in drafts]
        whole = tuple(entry for item in items for entry in item)
        try:
            return _receipts(drafts, items, await self._appender.append_async(whole))
        except ConflictError as error:
            await self._appender.append_async(self._conflict_item(error, now))
            raise

    # --- steps 1 to 3 ---

    def _drafts(
        self, records: Sequence[CallerRecord], now: datetime
    ) -> tuple[_Draft, ...]:
        if not records:
            raise InputError.for_field("(records)", "at least one is needed")
        drafts = tuple(self._draft(record, now) for record in records)
        if len({draft.event_id for draft in drafts}) < len(drafts):
            raise InputError.for_field("event_id", "must differ within one call")
        return drafts

    def _draft(self, record: CallerRecord, now: datetime) -> _Draft:
        if record.received_at is not None or record.nonce is not None:
            raise InputError.for_field(
                "received_at" if record.received_at is not None else "nonce",
                "is set by the log; leave it out",
            )
        version, digest = self._idempotency(
            encode_canonical(record, open_value=unprotect)
        )
        self._vocabulary.check(record)
        return _Draft(
            record,
            new_uuid7(now) if record.event_id is None else record.event_id,
            version.to_bytes(2, "big") + digest,
            self._subjects(record) if isinstance(record, AuditEvent) else (),
        )

    def _subjects(self, event: CallerEvent) -> tuple[Subject, ...]:
        """List who and what an event is about: what needs a surrogate."""
        systems = self._systems
        subjects: list[Subject] = []
        try:
            for patient, item, _ in event.records:
                if patient != _NOBODY:
                    subjects.append((systems.patient, _held(patient)))
                subjects.append((systems.record, _held(item)))
        except (TypeError, ValueError):
            raise InputError.for_field(
                "records",
                "each: (patient, record, resource type), identifiers protected",
            ) from None
        if event.resource_id is not None:
            subjects.append((systems.record, _held(event.resource_id, "resource_id")))
        for field in ("user_id", "on_behalf_of"):
            user = getattr(event, field)
            if isinstance(user, str) and "@" in user:
                subjects.append((systems.user, Protected(user)))
        return tuple(subjects)

    # --- step 4 ---

    def _unmet(self, drafts: Sequence[_Draft]) -> list[Subject]:
        cached = self._identity.cached
        return [
            subject
            for draft in drafts
            for subject in draft.subjects
            if cached(*subject) is None
        ]

    def _surrogate(self, system: str, held: Protected[str]) -> str:
        known = self._identity.cached(system, held)
        if known is None:  # pushed out of the cache meanwhile
            known = self._identity.resolve([(system, held)], field="records")[0]
        return known

    # --- step 5 ---

    def _item(self, draft: _Draft, now: datetime) -> Item:
        """Build the entries of one record."""
        event_key = _key(draft.event_id)
        return tuple(
            self._entry(leaf, event_key, part, draft.mac)
            for part, leaf in enumerate(self._leaves(draft, now))
        )

    def _entry(self, leaf: LeafRecord, key: bytes, part: int, mac: bytes) -> Entry:
        data = encode_leaf(leaf)
        return Entry(
            log_of(leaf).value,
            key + part.to_bytes(2, "big"),
            mac,
            data,
            hash_leaf(data),
        )

    def _leaves(self, draft: _Draft, now: datetime) -> Sequence[LeafRecord]:
        record = draft.record
        received_at = format_time(now)
        added: dict[str, Any] = {
            "event_id": draft.event_id,
            "timestamp_utc": record.timestamp_utc or received_at,
            "received_at": received_at,
            "nonce": _nonce(),
        }
        if not isinstance(record, AuditEvent):
            return (msgspec.structs.replace(record, **added),)
        if draft.subjects:
            added |= self._exchanged(record)
        records = added.get("records", ())
        if len(records) <= RECORDS_IN_A_PART:
            return (_exchange(record, added),)
        return self._parts(record, added, records)

    def _parts(
        self,
        record: CallerEvent,
        added: Mapping[str, Any],
        records: tuple[tuple[str, str, str], ...],
    ) -> Sequence[LeafRecord]:
        chunks = [
            records[at : at + RECORDS_IN_A_PART]
            for at in range(0, len(records), RECORDS_IN_A_PART)
        ]
        return [
            _exchange(
                record,
                {
                    **added,
                    "records": chunk,
                    "part": part,
                    "parts": len(chunks),
                    "nonce": _nonce(),
                },
            )
            for part, chunk in enumerate(chunks)
        ]

    def _exchanged(self, event: CallerEvent) -> dict[str, Any]:
        """Return the fields of an event that name somebody, as surrogates."""
        systems, surrogate = self._systems, self._surrogate
        fields: dict[str, Any] = {
            "records": tuple(
                (
                    "" if patient == _NOBODY else surrogate(systems.patient, patient),
                    surrogate(systems.record, item),
                    resource_type,
                )
                for patient, item, resource_type in event.records
            )
        }
        if any(patient == _NOBODY for patient, _, _ in event.records):
            fields["patient_unknown"] = True
        if event.resource_id is not None:
            fields["resource_id"] = surrogate(systems.record, event.resource_id)
        for field in ("user_id", "on_behalf_of"):
            user = getattr(event, field)
            if isinstance(user, str) and "@" in user:
                fields[field] = "usr-" + surrogate(systems.user, Protected(user))
        return fields

    # --- conflicts ---

    def _conflict_item(self, error: ConflictError, now: datetime) -> Item:
        """Build the record of a refused reuse: one security event for that id."""
        event = SecurityEvent(
            event_type=EventType.EVENT_ID_CONFLICT,
            object_id=error.event_id,
            reason_code="event_id_reused",
            detector="recorder",
        )
        return self._item(self._draft(event, now), now)


def _exchange(event: CallerEvent, fields: Mapping[str, Any]) -> AuditLeaf:
    """Put surrogates where identifiers were; the other fields stay."""
    return msgspec.structs.replace(event, **fields)  # type: ignore[arg-type]  # the types of the exchanged fields change


def _held(value: object, field: str = "records") -> Protected[str]:
    if not isinstance(value, Protected):
        raise InputError.for_field(field, "identifiers must be Protected")
    return value


def _nonce() -> str:
    return written_surrogate(os.urandom(NONCE_BYTES))


def _key(event_id: str) -> bytes:
    try:
        key = bytes.fromhex(event_id.replace("-", ""))
    except (ValueError, AttributeError):
        key = b""
    if len(key) != 16:  # noqa: PLR2004 - the bytes of a UUID
        raise InputError.for_field("event_id", "must be a UUIDv7")
    return key


def _receipts(
    drafts: Sequence[_Draft], items: Sequence[Item], sequenced: Sequenced
) -> tuple[Receipt, ...]:
    receipts: list[Receipt] = []
    at = 0
    for draft, item in zip(drafts, items, strict=True):
        positions = sequenced.positions[at : at + len(item)]
        at += len(item)
        receipts.append(Receipt(draft.event_id, positions, sequenced.promises))
    return tuple(receipts)
