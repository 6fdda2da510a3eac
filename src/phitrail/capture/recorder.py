"""The one door into the logs: what comes in is checked, made anonymous, and durable.

One record, in this order:
1. Give it an id and a time where the caller gave none.
2. Take the keyed hash of the caller's own canonical bytes, identifiers included, before
   anything is added: a retry of the same id with the same bytes is one event.
3. Exchange the tenant's own name of an action for ours; check terms against the tenant's
   vocabulary.
4. Exchange identifiers of patients and records, and e-mail addresses of users, for
   surrogates. A new identity is durable before any leaf that names it is built.
5. Add the nonce, the time of receipt, the number within the source's epoch and what the
   house's lists say (`capture.enrichment`), encode, and check the bytes (field policy).
6. Append. The receipt says index, leaf hash and promise; it exists only once the commit
   was synced.

The same id with other content is refused, and the refusal is itself recorded; over rotations
of the key `capture.idempotency` tells them apart. A record
with many patient records goes in parts that share the event id, in one transaction.
"""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, Protocol

import msgspec

from phitrail.capture.enrichment import Enriches, NoFacts
from phitrail.capture.exchange import Exchange, KnowsSubjects, Systems
from phitrail.capture.idempotency import (
    NOT_COMPARABLE,
    REUSED,
    HashesContent,
    NotComparableError,
    content_mac,
    is_same_content,
    same_macs,
)
from phitrail.capture.nonces import Nonces
from phitrail.capture.source import Source, check_numbers
from phitrail.errors import (
    ConflictError,
    InputError,
    OutcomeUnknownError,
    PhitrailError,
)
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import (
    CALLER_KINDS,
    CallerRecord,
    LeafRecord,
    encode_leaf,
    encode_opened,
    log_of,
)
from phitrail.events.codes import Action, EventType
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.security import SecurityEvent
from phitrail.events.unprotect import unprotect
from phitrail.events.vocabulary import Vocabulary
from phitrail.identity.map import SubjectKey
from phitrail.tlog.entry import Entry, Item, Sequenced
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.receipt import Receipt

RECORDS_IN_A_PART = 200
SET_BY_THE_LOG = ("received_at", "nonce", "part", "parts")
"""Fields that a caller may not give: they would contradict what the journal indexes."""
_NO_SURROGATES: Mapping[str, Any] = {}
_NO_TIMES: Mapping[str, str] = {}


class _Draft(NamedTuple):
    """A record on its way: as given, with its id, its hash, and surrogates."""

    given: CallerRecord
    record: CallerRecord
    event_id: str
    mac: bytes
    surrogates: Mapping[str, Any]


class Appends(Protocol):
    """What the door needs of a log: `tlog.appender`, or the stand-in of a rehearsal."""

    def append(self, item: Item) -> Sequenced:
        """Append entries as one; return once they are durable."""

    def append_async(self, item: Item) -> Awaitable[Sequenced]:
        """Do as `append`, on the running event loop."""


class Resolves(KnowsSubjects, Protocol):
    """What the door needs of an identity map, or of the stand-in of a rehearsal."""

    def resolve(self, subjects: Sequence[SubjectKey]) -> tuple[str, ...]:
        """Return the surrogates of subjects; durable on return."""

    def resolve_async(
        self, subjects: Sequence[SubjectKey]
    ) -> Awaitable[tuple[str, ...]]:
        """Do as `resolve`, on the running event loop."""


class Recorder:
    """Records events; safe to use from many threads and from event loops."""

    def __init__(
        self,
        *,
        appender: Appends,
        identity: Resolves,
        vocabulary: Vocabulary,
        systems: Systems,
        actions: Mapping[str, Action],
        idempotency: HashesContent,
        source: Source | None = None,
        registered: Collection[str] = (),
        facts: Enriches | None = None,
    ) -> None:
        self._appender = appender
        self._identity = identity
        self._vocabulary = vocabulary
        self._actions = actions
        self._exchange = Exchange(identity, systems)
        self._idempotency = idempotency
        self._nonces = Nonces()
        self._source = source
        self._registered = frozenset(registered)
        self._facts = facts or NoFacts()

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
        self,
        records: Sequence[CallerRecord],
        now: datetime,
        times: Mapping[str, str] = _NO_TIMES,
    ) -> tuple[Receipt, ...]:
        """Record events of any logs as one transaction: all of them or none.

        Args:
            records: what happened.
            now: the time of receipt.
            times: by event id, when something happened that waited elsewhere and says no
                time itself; by default now.

        Raises:
            InputError: names the field and the rule.
            ConflictError: an event id stands in the log with other content.
            StorageError: nothing was recorded.
            OutcomeUnknownError: open the trail again, retry with the same event ids.
        """
        drafts, unmet = self._drafts(records, now)
        while unmet:
            self._identity.resolve(unmet)
            drafts, unmet = self._drafts_again(drafts)
        numbers = self._numbers(drafts)
        try:
            items = self._items(drafts, numbers, now, times)
            sequenced = None
            while sequenced is None:
                try:
                    sequenced = self._appender.append(_whole(items))
                except ConflictError as error:
                    items = self._compared(drafts, items, error)
        except PhitrailError as error:
            self._give_back(numbers, error)
            if isinstance(error, ConflictError):
                self._appender.append(self._conflict_item(error, now))
            raise
        return self._receipts(drafts, items, numbers, sequenced)

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
        drafts, unmet = self._drafts(records, now)
        while unmet:
            await self._identity.resolve_async(unmet)
            drafts, unmet = self._drafts_again(drafts)
        numbers = self._numbers(drafts)
        try:
            items = self._items(drafts, numbers, now)
            sequenced = None
            while sequenced is None:
                try:
                    sequenced = await self._appender.append_async(_whole(items))
                except ConflictError as error:
                    items = self._compared(drafts, items, error)
        except PhitrailError as error:
            self._give_back(numbers, error)
            if isinstance(error, ConflictError):
                await self._appender.append_async(self._conflict_item(error, now))
            raise
        return self._receipts(drafts, items, numbers, sequenced)

    # --- steps 1 to 3 ---

    def _drafts(
        self, records: Sequence[CallerRecord], now: datetime
    ) -> tuple[list[_Draft], list[SubjectKey]]:
        """Draft records; list the subjects that have no surrogate here yet."""
        if not records:
            raise InputError.for_field("(records)", "at least one is needed")
        unmet: list[SubjectKey] = []
        drafts = [self._draft(record, now, unmet) for record in records]
        if len(drafts) > 1 and len({draft.event_id for draft in drafts}) < len(drafts):
            raise InputError.for_field("event_id", "must differ within one call")
        return drafts, unmet

    def _draft(
        self, record: CallerRecord, now: datetime, unmet: list[SubjectKey]
    ) -> _Draft:
        if type(record) not in CALLER_KINDS:
            raise InputError.for_field(
                "(record)", "must be a record of phitrail.events"
            )
        for field in SET_BY_THE_LOG:
            if getattr(record, field, None) is not None:
                raise InputError.for_field(field, "is set by the log; leave it out")
        check_numbers(record, self._source_id, self._registered)
        given = record
        mac = content_mac(self._idempotency, _content(given))
        if isinstance(record, AuditEvent) and isinstance(record.action, str):
            action = self._actions.get(record.action)
            if action is not None:
                record = msgspec.structs.replace(record, action=action)
        self._vocabulary.check(record)
        return _Draft(
            given,
            record,
            new_uuid7(now) if record.event_id is None else record.event_id,
            mac,
            self._surrogates(record, unmet),
        )

    # --- step 4 ---

    def _surrogates(
        self, record: CallerRecord, unmet: list[SubjectKey]
    ) -> Mapping[str, Any]:
        if isinstance(record, AuditEvent):
            return self._exchange.fields(record, unmet)
        return _NO_SURROGATES

    def _drafts_again(
        self, drafts: Sequence[_Draft]
    ) -> tuple[list[_Draft], list[SubjectKey]]:
        """Exchange again, now that the subjects were met."""
        unmet: list[SubjectKey] = []
        return [
            draft._replace(surrogates=self._surrogates(draft.record, unmet))
            for draft in drafts
        ], unmet

    # --- step 5 ---

    def _items(
        self,
        drafts: Sequence[_Draft],
        numbers: Sequence[int | None],
        now: datetime,
        times: Mapping[str, str] = _NO_TIMES,
    ) -> list[Item]:
        return [
            self._item(draft, number, now, times.get(draft.event_id))
            for draft, number in zip(drafts, numbers, strict=True)
        ]

    def _item(
        self, draft: _Draft, number: int | None, now: datetime, time: str | None = None
    ) -> Item:
        """Build the entries of one record."""
        event_key = _key(draft.event_id)
        return tuple(
            [
                self._entry(leaf, event_key, part, draft.mac)
                for part, leaf in enumerate(self._leaves(draft, number, now, time))
            ]
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

    def _leaves(
        self, draft: _Draft, number: int | None, now: datetime, time: str | None = None
    ) -> Sequence[LeafRecord]:
        record = draft.record
        received_at = format_time(now)
        added = {
            "event_id": draft.event_id,
            "timestamp_utc": record.timestamp_utc or time or received_at,
            "received_at": received_at,
            "nonce": self._nonces.draw(),
            **draft.surrogates,
        }
        if number is not None and self._source is not None:
            added["source_id"] = self._source.source_id
            added["source_epoch"] = self._source.epoch
            added["source_seq"] = number
        added.update(self._facts.fields(record, added))
        records = added.get("records", ())
        if len(records) > RECORDS_IN_A_PART:
            return self._parts(record, added, records)
        return (_add(record, added),)

    def _parts(
        self,
        record: CallerRecord,
        added: Mapping[str, Any],
        records: tuple[tuple[str, str, str], ...],
    ) -> Sequence[LeafRecord]:
        chunks = [
            records[at : at + RECORDS_IN_A_PART]
            for at in range(0, len(records), RECORDS_IN_A_PART)
        ]
        return [
            _add(
                record,
                {
                    **added,
                    "records": chunk,
                    "part": part,
                    "parts": len(chunks),
                    "nonce": self._nonces.draw(),
                },
            )
            for part, chunk in enumerate(chunks)
        ]

    # --- numbers ---

    @property
    def _source_id(self) -> str | None:
        return None if self._source is None else self._source.source_id

    def _numbers(self, drafts: Sequence[_Draft]) -> Sequence[int | None]:
        """Give each record its number, where this process is a source."""
        source = self._source
        if source is None:
            return (None,) * len(drafts)
        return [
            source.take() if source.may_number(draft.record) else None
            for draft in drafts
        ]

    def _give_back(
        self, numbers: Sequence[int | None], error: PhitrailError | None = None
    ) -> None:
        """Take numbers back that certainly stand in no log."""
        if self._source is None or isinstance(error, OutcomeUnknownError):
            return
        for number in numbers:
            if number is not None:
                self._source.give_back(number)

    def _receipts(
        self,
        drafts: Sequence[_Draft],
        items: Sequence[Item],
        numbers: Sequence[int | None],
        sequenced: Sequenced,
    ) -> tuple[Receipt, ...]:
        """Make the receipts; a retry stands under its first number, so its new one is free."""
        receipts: list[Receipt] = []
        at = 0
        for draft, item, number in zip(drafts, items, numbers, strict=True):
            positions = sequenced.positions[at : at + len(item)]
            at += len(item)
            if number is not None and positions[0].leaf_hash != item[0].leaf_hash:
                self._give_back((number,))
            receipts.append(Receipt(draft.event_id, positions, sequenced.promises))
        return tuple(receipts)

    # --- conflicts ---

    def is_same(self, record: CallerRecord, stored: bytes) -> bool:
        """Say whether what the journal keeps of an event is this record.

        Raises:
            ConfigError: the version of the key that it was hashed under is not here.
            VaultError: the vault does not answer, or refuses.
        """
        return is_same_content(self._idempotency, _content(record), stored)

    def _compared(
        self, drafts: Sequence[_Draft], items: Sequence[Item], error: ConflictError
    ) -> list[Item]:
        """Take over the stored hashes of retries that another version was in use for.

        Raises:
            ConflictError: one of them is no retry.
        """
        contents = {d.event_id: partial(_content, d.given) for d in drafts}
        stored = same_macs(self._idempotency, contents, error)
        return [
            tuple(entry._replace(mac=stored.get(d.event_id, d.mac)) for entry in item)
            for d, item in zip(drafts, items, strict=True)
        ]

    def _conflict_item(self, error: ConflictError, now: datetime) -> Item:
        """Build the record of a refused reuse: one security event for that id."""
        event = SecurityEvent(
            event_type=EventType.EVENT_ID_CONFLICT,
            object_id=error.event_id,
            reason_code=(
                NOT_COMPARABLE if isinstance(error, NotComparableError) else REUSED
            ),
            detector="recorder",
        )
        draft = self._draft(event, now, [])
        return self._item(draft, self._numbers((draft,))[0], now)


def _add(record: CallerRecord, fields: Mapping[str, Any]) -> LeafRecord:
    """Put surrogates where identifiers were, and what the log adds."""
    return msgspec.structs.replace(record, **fields)  # type: ignore[return-value]  # identifiers were exchanged


def _content(record: CallerRecord) -> bytes:
    """Return the caller's own canonical bytes, identifiers included."""
    return encode_opened(record, unprotect)


def _key(event_id: str) -> bytes:
    try:
        key = bytes.fromhex(event_id.replace("-", ""))
    except (ValueError, AttributeError):
        key = b""
    if len(key) != 16:  # noqa: PLR2004 - the bytes of a UUID
        raise InputError.for_field("event_id", "must be a UUIDv7")
    return key


def _whole(items: Sequence[Item]) -> Item:
    return items[0] if len(items) == 1 else tuple(e for item in items for e in item)
