"""What the output guard said of one answer, as far as the log may hold it, and the events.

A `Verdict` is made of a `GuardResult`: decision, classes, counts, scores and keyed hashes. Its
one text is what may go out; it is in no representation.

1. `decision` is what the policy says, `done` what came of it. They differ where the guard only
   watches (mode `observe`, or an answer that was shown before): what was not released under the
   policy is an `alert` then, since it went out.
2. A scan that failed says why by a code, and nothing of the text. `response_phi_detected` stays
   absent then: nobody looked. What a guard that enforces could not scan is `withheld`.
3. Every scan leaves one security event, in the same transaction as the closing of its access.
   An answer with PHI that was unexpected, or another patient's, also leaves an audit event,
   `ai_phi_output_detected`, since the audit log is the one that is kept as evidence.
4. Value hashes are keyed, of the one spelling of an identifier, distinct and sorted: they say
   which values were shown and nothing of where. At most `MOST_HASHES` of them.
"""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from phitrail.errors import RefusedError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import (
    Assurance,
    EventType,
    GuardDecision,
    IdentifierClass,
    Outcome,
    Severity,
)
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.security import SecurityEvent
from phitrail.guard.found import Relation
from phitrail.guard.result import GuardResult
from phitrail.identity.spelling import spell

MOST_HASHES: Final = 100
DETECTOR: Final = "guard"
GUARD_ERROR: Final = "guard_error"
GUARD_TIMEOUT: Final = "guard_timeout"
WRONG_PATIENT: Final = "wrong_patient"
UNEXPECTED_PHI: Final = "unexpected_phi"
PATIENTS_UNKNOWN: Final = "patients_not_looked_up"

_REFUSED: Final = frozenset({GuardDecision.BLOCK, GuardDecision.WITHHELD})
_SHARED: Final = (
    "source_ip",
    "use_case",
    "facility_id",
    "service_component",
    "request_id",
    "session_id",
)
"""Fields of an access that its security events have too."""


@dataclass(frozen=True, slots=True)
class Detector:
    """Who looked: a version, and the SHA-256 of the model."""

    version: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one scan.

    Attributes:
        decision: what the policy says.
        done: what was done; absent where an answer went out that nobody could scan.
        safe_text: what may go out; empty where nothing may.
        reason: why, as a code: what was wrong with the answer, or with the scan.
        cause: the class of the exception that a scan failed with.
        result: what the guard gave; absent where the scan failed.
    """

    decision: GuardDecision
    done: GuardDecision | None
    safe_text: str = field(repr=False)
    detector: Detector
    policy_digest: str
    latency_us: int
    reason: str | None = None
    cause: str | None = None
    result: GuardResult | None = None
    value_hashes: tuple[str, ...] = ()
    is_degraded: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether nothing of the answer may go out."""
        return self.done in _REFUSED

    @property
    def has_failed(self) -> bool:
        """Whether nobody could look."""
        return self.result is None

    @property
    def is_phi_output(self) -> bool:
        """Whether PHI was found that was unexpected, or another patient's."""
        return self.result is not None and self.result.is_phi_output

    @property
    def outcome(self) -> Outcome:
        """How the access ends with it, where no part of the answer went out before."""
        if self.done is GuardDecision.WITHHELD:
            return Outcome.FAILED
        return Outcome.BLOCKED if self.is_refused else Outcome.RELEASED

    def watched(self, text: str) -> "Verdict":
        """Return the verdict on a text that goes out, or went out, whatever it says."""
        done = None
        if not self.has_failed:
            is_clean = self.decision is GuardDecision.RELEASE
            done = GuardDecision.RELEASE if is_clean else GuardDecision.ALERT
        return replace(self, done=done, safe_text=text)

    def refusal(self, access_id: str) -> RefusedError:
        """Make the error for the caller: codes and ids, nothing of the text."""
        if self.has_failed:
            return RefusedError(
                f"the output guard could not scan the answer ({self.reason}), so nothing "
                f"of it is released; access {access_id} is recorded as failed: see "
                "guard_failed in the security log, and ask again"
            )
        return RefusedError(
            f"the output guard blocked the answer ({self.reason or 'by policy'}); access "
            f"{access_id} is recorded: see guard_decided in the security log"
        )

    def closing_fields(self) -> dict[str, Any]:
        """Return what the closing of the access says of the scan."""
        found = None if self.result is None else self.result.response_phi_detected
        return {"guard_decision": self.done, "response_phi_detected": found}


def hash_values(
    text: str, result: GuardResult, written: Callable[[bytes], str]
) -> tuple[str, ...]:
    """Return the keyed hashes of the identifiers that were found.

    Args:
        text: what was scanned.
        result: what was found in it.
        written: the written keyed hash of bytes.
    """
    hashes = {
        hash_value(span.identifier_class, text[span.start : span.end], written)
        for span in result.spans
        if span.identifier_class is not IdentifierClass.CLINICAL_CODE
    }
    return tuple(sorted(hashes)[:MOST_HASHES])


def hash_value(
    kind: IdentifierClass, value: str, written: Callable[[bytes], str]
) -> str:
    """Return the keyed hash of one value, in its one spelling."""
    spelled = _spelled(kind, value)
    return written(f"guard-value|{kind}|{spelled}".encode(errors="surrogatepass"))


def reason_of(result: GuardResult) -> str | None:
    """Say by a code what was wrong with an answer."""
    relations = {span.relation for span in result.spans}
    if Relation.WRONG_PATIENT in relations:
        return WRONG_PATIENT
    return UNEXPECTED_PHI if result.is_phi_output else None


def guard_events(
    verdict: Verdict,
    now: datetime,
    *,
    who: Mapping[str, Any],
    access_id: str | None = None,
    outcome: Outcome | None = None,
    assurance: Assurance | None = None,
    model: Mapping[str, Any] | None = None,
) -> tuple[CallerRecord, ...]:
    """Make the events of one scan: the guard's own, and the audit log's where one is due."""
    events: list[CallerRecord] = [_decided(verdict, now, who, access_id, outcome)]
    if verdict.is_phi_output:
        detected: CallerEvent = AuditEvent(
            event_type=EventType.AI_PHI_OUTPUT_DETECTED,
            event_id=new_uuid7(now),
            timestamp_utc=format_time(now),
            access_id=access_id,
            outcome=outcome,
            assurance=assurance,
            **{
                **who,
                **(model or {}),
                **verdict.closing_fields(),
                "reason_code": verdict.reason,
            },
        )
        events.append(detected)
    return tuple(events)


def _decided(
    verdict: Verdict,
    now: datetime,
    who: Mapping[str, Any],
    access_id: str | None,
    outcome: Outcome | None,
) -> SecurityEvent:
    result = verdict.result
    counts = {} if result is None else result.counts_by_class
    reason = PATIENTS_UNKNOWN if verdict.is_degraded else verdict.reason
    return SecurityEvent(
        event_type=EventType.GUARD_FAILED
        if verdict.has_failed
        else EventType.GUARD_DECIDED,
        event_id=new_uuid7(now),
        timestamp_utc=format_time(now),
        access_id=access_id,
        decision=verdict.decision,
        outcome=outcome,
        severity=_severity(verdict),
        detector=DETECTOR,
        reason_code=verdict.reason if verdict.has_failed else reason,
        identifier_classes=tuple(counts),
        identifier_counts=tuple(counts.values()),
        value_hashes=verdict.value_hashes,
        score_e6=None if result is None else round(result.risk_score * 1_000_000),
        policy_digest=verdict.policy_digest,
        latency_us=verdict.latency_us,
        object_id=verdict.detector.version + _named(verdict.cause),
        object_digest=verdict.detector.digest,
        **{name: who[name] for name in _SHARED if name in who},
    )


def _named(cause: str | None) -> str:
    """Add the class of an exception to the version, where its name is a plain one."""
    return f":{cause}" if cause and cause.isascii() and cause.isidentifier() else ""


def _severity(verdict: Verdict) -> Severity:
    if verdict.has_failed or verdict.reason == WRONG_PATIENT:
        return Severity.HIGH
    return Severity.MEDIUM if verdict.is_phi_output else Severity.INFORMATIONAL


def _spelled(kind: IdentifierClass, value: str) -> str:
    form = spell(kind, value)
    if form is not None:
        return form
    folded = unicodedata.normalize("NFKC", value).casefold()
    return " ".join(folded.split())
