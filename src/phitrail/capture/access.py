"""Opening and closing an access: which events it leaves, and in which order.

1. An access has one or more openings (records retrieved, a prompt about to go). Each is
   durable before what it covers goes on.
2. It has exactly one closing, durable before a whole answer, or the end of a stream, is
   released. After it, nothing more may be opened.
3. An access left without a release closes as `not_released`, by an exception as `failed`.
   A stream that its reader left early closes as `partly_released` with the number of
   characters that went out.

This module makes the events and keeps the order; whoever drives it (the SDK, a gateway)
records them before going on. It reads no clock and writes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from phitrail.capture.model_call import ModelCall, entry_fields, measured
from phitrail.capture.text_hash import TextHasher
from phitrail.capture.verdict import Verdict, guard_events
from phitrail.errors import InputError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import (
    Action,
    Assurance,
    EventType,
    FinishReason,
    Outcome,
)
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.protected import Protected
from phitrail.events.quality import QualityEntry

Triple = tuple[str, str, str]
"""(patient, record, FHIR resource type); an unknown patient is empty."""
ProtectedRecords = tuple[tuple[Protected[str], Protected[str], str], ...]

_MORE_FIELDS = frozenset(AuditEvent.__struct_fields__) - {
    "event_id",
    "event_type",
    "access_id",
    "timestamp_utc",
    "received_at",
    "nonce",
    "records",
    "part",
    "parts",
    "assurance",
}
"""What a caller may add to an opening; the rest is set here or by the log."""
_WHO_FIELDS = _MORE_FIELDS - {
    "outcome",
    "patient_unknown",
    "query_hash",
    "query_hash_norm",
    "query_chars",
    "response_hash",
    "response_hash_norm",
    "released_chars",
    "input_tokens",
    "output_tokens",
    "latency_us",
}
"""What holds for every event of an access: who, where and why."""


@dataclass(slots=True)
class AccessLife:
    """One access from its first opening to its closing."""

    access_id: str
    who: dict[str, Any]
    hasher: TextHasher
    assurance: Assurance = Assurance.ENFORCED
    is_closed: bool = False
    _call: ModelCall = field(default_factory=ModelCall)
    _retrieved: list[ProtectedRecords] = field(default_factory=list)
    _models: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def begin(
        cls,
        who: dict[str, Any],
        hasher: TextHasher,
        now: datetime,
        *,
        assurance: Assurance = Assurance.ENFORCED,
    ) -> "AccessLife":
        """Begin an access for `who`: fields of `AuditEvent`, `None` meaning unknown.

        Raises:
            InputError: a field is not one that names who, where and why.
        """
        _check_names(who, _WHO_FIELDS, "not a field of an access")
        known = {name: value for name, value in who.items() if value is not None}
        return cls(new_uuid7(now), known, hasher, assurance)

    def retrieve(
        self,
        records: Sequence[Triple],
        now: datetime,
        *,
        query: str | None = None,
        **more: Any,  # noqa: ANN401 - fields of AuditEvent, checked by it
    ) -> CallerEvent:
        """Open: these records are about to be used."""
        action = self.who.get("action", Action.RETRIEVE)
        opening = self._opening(
            EventType.PHI_READ,
            now,
            {"action": action, **more, **self._hashes("query", query)},
            records=protect_records(records),
        )
        self._retrieved.append(opening.records)
        return opening

    def infer(
        self,
        now: datetime,
        *,
        model_id: str,
        model_version: str,
        query: str | None = None,
        **more: Any,  # noqa: ANN401 - fields of AuditEvent, checked by it
    ) -> CallerEvent:
        """Open: a prompt is about to go to a model."""
        model = {"ai_model_id": model_id, "ai_model_version": model_version}
        kind = (
            EventType.AI_INFERENCE_WITH_PHI
            if any(self._retrieved)
            else EventType.AI_INFERENCE
        )
        fields = {"action": Action.INFER, "resource_type": "ai_prompt", **more}
        hashes = self._hashes("query", query)
        opening = self._opening(kind, now, {**fields, **model, **hashes})
        self._models.append(model)
        return opening

    def withdraw(self, opening: CallerEvent) -> None:
        """Take back an opening that could not be recorded: nothing came of it."""
        if opening.event_type is EventType.PHI_READ:
            self._retrieved.pop()
        else:
            self._models.pop()

    def measure(self, call: ModelCall | None = None, **measures: Any) -> None:  # noqa: ANN401 - fields of ModelCall, checked
        """Add what is known of the model's work; it stands in the quality entry.

        Raises:
            InputError: names the field and the rule; nothing was added.
        """
        self.refuse_if_closed()
        self._call = measured(self._call, call, measures)

    def reopen(self) -> None:
        """Take back a closing that could not be recorded."""
        self.is_closed = False

    def close(
        self,
        outcome: Outcome,
        now: datetime,
        *,
        released: str | None = None,
        latency_us: int | None = None,
        first_token_us: int | None = None,
        call: ModelCall | None = None,
        verdict: Verdict | None = None,
    ) -> tuple[CallerRecord, ...]:
        """Close: the audit event, after an inference its quality entry, events of a scan.

        Raises:
            InputError: the access is closed already.
        """
        self.refuse_if_closed()
        call = self._call = measured(self._call, call, {})
        hashes = self._hashes("response", released)
        self.is_closed = True  # a text that is refused closes nothing
        released_chars = hashes.pop("response_chars", None)
        closing: CallerEvent = AuditEvent(
            event_type=EventType.ACCESS_CLOSED,
            access_id=self.access_id,
            event_id=new_uuid7(now),
            timestamp_utc=format_time(now),
            outcome=outcome,
            assurance=self.assurance,
            released_chars=0 if released_chars is None else released_chars,
            input_tokens=call.input_tokens,
            output_tokens=call.output_tokens,
            latency_us=latency_us,
            **{**self.who, **self._model, **hashes, **_found(verdict)},
        )
        records: list[CallerRecord] = [closing]
        if self._models:
            timed = {"latency_us": latency_us, "time_to_first_token_us": first_token_us}
            records.append(self._quality(outcome, now, timed, verdict))
        if verdict is not None:
            records += guard_events(
                verdict,
                now,
                who=self.who,
                access_id=self.access_id,
                outcome=outcome,
                assurance=self.assurance,
                model=self._model,
            )
        return tuple(records)

    @property
    def _model(self) -> dict[str, Any]:
        """The model that was asked last."""
        return self._models[-1] if self._models else {}

    def _quality(
        self,
        outcome: Outcome,
        now: datetime,
        timed: Mapping[str, int | None],
        verdict: Verdict | None,
    ) -> QualityEntry:
        records = [record for opened in self._retrieved for record in opened]
        found = [record for _, record, _ in records] if self._retrieved else None
        said = entry_fields(self._call, found, self.hasher)
        fields = {**timed, **{n: v for n, v in said.items() if v is not None}}
        if outcome is Outcome.FAILED:
            fields["finish_reason"] = FinishReason.ERROR
        if verdict is not None:
            fields["guard_decision"] = verdict.done
            if verdict.has_failed:
                fields.setdefault("error_code", verdict.reason)
        return QualityEntry(
            event_id=new_uuid7(now),
            request_id=self.who.get("request_id", self.access_id),
            timestamp_utc=format_time(now),
            model_id=self._model["ai_model_id"],
            model_version=self._model["ai_model_version"],
            use_case=self.who.get("use_case"),
            facility_id=self.who.get("facility_id"),
            **fields,
        )

    def _opening(
        self,
        event_type: EventType,
        now: datetime,
        fields: dict[str, Any],
        *,
        records: ProtectedRecords = (),
    ) -> CallerEvent:
        self.refuse_if_closed()
        _check_names(fields, _MORE_FIELDS, "not a field that an opening takes")
        return AuditEvent(
            event_type=event_type,
            access_id=self.access_id,
            event_id=new_uuid7(now),
            timestamp_utc=format_time(now),
            assurance=self.assurance,
            records=records,
            **{**self.who, **fields},
        )

    def _hashes(self, what: str, text: str | None) -> dict[str, Any]:
        if text is None:
            return {}
        hashes = self.hasher.hash(text, what)
        return {
            f"{what}_hash": hashes.exact,
            f"{what}_hash_norm": hashes.normalised,
            f"{what}_chars": hashes.chars,
        }

    def refuse_if_closed(self) -> None:
        """Refuse whatever an access that is closed must not do.

        Raises:
            InputError: it is closed.
        """
        if self.is_closed:
            raise InputError.for_field(
                "access", "is closed; begin a new access for further use"
            )


def _found(verdict: Verdict | None) -> dict[str, Any]:
    return {} if verdict is None else verdict.closing_fields()


def _check_names(given: Iterable[str], known: frozenset[str], rule: str) -> None:
    """Refuse a field by its place: a name that is none of ours may be content."""
    for place, name in enumerate(given, start=1):
        if name not in known:
            is_ours = name in AuditEvent.__struct_fields__
            raise InputError.for_field(name if is_ours else f"(field {place})", rule)


def protect_records(records: Sequence[Triple]) -> ProtectedRecords:
    """Put the identifiers of records where nothing prints them.

    Raises:
        InputError: an item is not (patient, record, resource type).
    """
    try:
        return tuple(
            (Protected(patient), Protected(record), resource_type)
            for patient, record, resource_type in records
        )
    except (TypeError, ValueError):
        raise InputError.for_field(
            "records", "each must be (patient, record, resource type)"
        ) from None
