"""The output guard in the way of an answer: scan it within a time, or withhold it.

1. A scan runs under a time limit. Whatever it raises, however long it takes, and whatever it
   gives that is no result of ours, the verdict is `withheld`, with a code for the cause; where
   the guard only watches, the answer goes on and the cause is recorded all the same.
2. Who is another patient is asked of a look-up that the caller hands in. Where there is none,
   as while the log is down, the verdict says that nobody was looked up.
3. `AccessRecords` holds what a caller said of the records of one access; it is thrown away
   with it. No text, no span and no identifier is kept here.

It decides nothing itself: `phitrail.guard` does. It records nothing: whoever drives an access
(the SDK, a gateway) records the events of a verdict with the closing.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol, TypeAlias

from phitrail.capture.patient_identifiers import check_identifiers, find_aliases
from phitrail.capture.time_limit import Failed, TimeLimit
from phitrail.capture.verdict import (
    GUARD_ERROR,
    GUARD_TIMEOUT,
    Detector,
    Verdict,
    hash_values,
    reason_of,
)
from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.found import Found, Relation
from phitrail.guard.policy import GuardPolicy
from phitrail.guard.result import GuardResult
from phitrail.identity.aliases import Alias

IsOtherPatient: TypeAlias = Callable[[IdentifierClass, str], bool]
Context: TypeAlias = Any
"""A `RecordContext` of the guard, opaque here: it loads with a guard alone."""
Findings: TypeAlias = tuple[GuardResult, tuple[str, ...]]
"""What a guard gave, and the keyed hashes of the values."""
SEED_BYTES: Final = 16
GUARD_UNKNOWN: Final = "guard_unknown_class"


class Scans(Protocol):
    """What is asked of a guard (`phitrail.guard.scan`), or of what stands in its place."""

    def scan(
        self,
        text: str,
        context: Context | None,
        policy: GuardPolicy,
        *,
        use_case: str | None = None,
        role: str | None = None,
        is_other_patient: IsOtherPatient | None = None,
        seed: bytes = b"",
    ) -> GuardResult:
        """Scan one text."""

    def find(
        self, text: str, context: Context | None, known: Sequence[str]
    ) -> list[Found]:
        """Find what identifies people in a part of an answer; `known` names are found too."""


class Held(Protocol):
    """A stream that is scanned as it goes (`capture.held_stream`)."""

    @property
    def is_stopped(self) -> bool:
        """Whether something was blocked: nothing goes out any more."""

    def feed(self, piece: str) -> str:
        """Take a piece; give what may go out."""

    def finish(self) -> str:
        """Give the rest."""

    def result(self) -> GuardResult:
        """Say what was found so far."""

    def value_hashes(self) -> tuple[str, ...]:
        """Return the keyed hashes of what was found so far."""


@dataclass(frozen=True, slots=True)
class AccessRecords:
    """What is known of the records of one access, for the guard alone."""

    patients: frozenset[str] = field(default=frozenset(), repr=False)
    has_unknown_patient: bool = False
    items: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    context: Context | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """For which access a text is scanned."""

    context: Context | None = field(default=None, repr=False)
    use_case: str | None = None
    role: str | None = None
    is_other_patient: IsOtherPatient | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Guarding:
    """The guard of one trail, under its policy; for use by many threads and event loops.

    Attributes:
        guard: what scans.
        policy: the tenant's.
        is_watching: the guard records what it finds, and releases everything.
        detector: which guard that is.
        limit: runs the scans.
        written: the keyed hash of bytes.
        read_records: makes the context of an access from its records.
        hold: begins a stream of one access.
        monotonic_us: a clock that never goes back.
        patient_system: the identifier system of patients.
        is_by_mrn: that system names patients by their MRN.
    """

    guard: Scans
    policy: GuardPolicy
    is_watching: bool
    detector: Detector
    limit: TimeLimit
    written: Callable[[bytes], str] = field(repr=False)
    read_records: Callable[[Sequence[Mapping[str, Any]], datetime], Context]
    hold: Callable[["Guarding", Asked], Held]
    monotonic_us: Callable[[], int]
    patient_system: str
    is_by_mrn: bool
    policy_digest: str

    def scan(self, text: str, asked: Asked) -> Verdict:
        """Scan an answer before it goes out; never raises, never hangs."""
        began_us = self.monotonic_us()
        return self._verdict(
            text, self.limit.run(lambda: self._scan(text, asked)), asked, began_us
        )

    async def scan_async(self, text: str, asked: Asked) -> Verdict:
        """Do as `scan`, on the running event loop."""
        began_us = self.monotonic_us()
        came = await self.limit.run_async(lambda: self._scan(text, asked))
        return self._verdict(text, came, asked, began_us)

    def known(
        self,
        before: AccessRecords,
        records: Sequence[tuple[str, str, str]],
        identifiers: object,
        now: datetime,
    ) -> tuple[AccessRecords, list[Alias]]:
        """Add records to what an access knows; say which aliases to keep first.

        Raises:
            InputError: `identifiers` is no list of dicts, or names the key that is wrong.
        """
        given = check_identifiers(identifiers)
        named = [patient for patient, _, _ in records if patient]
        items = (*before.items, *given, *self._from_triples(records))
        after = AccessRecords(
            patients=before.patients | frozenset(named),
            has_unknown_patient=before.has_unknown_patient or len(named) < len(records),
            items=items,
            context=self.read_records(items, now) if items else None,
        )
        aliases = find_aliases(
            given, dict.fromkeys(named), self.patient_system, is_by_mrn=self.is_by_mrn
        )
        return after, aliases

    def _from_triples(
        self, records: Sequence[tuple[str, str, str]]
    ) -> list[Mapping[str, Any]]:
        """Say of the records themselves what may stand in an answer about them."""
        patients = list(dict.fromkeys(patient for patient, _, _ in records if patient))
        ids = [record for _, record, _ in records if record]
        key = "mrn" if self.is_by_mrn else "patient_id"
        return [{key: patients, "ids": ids}] if records else []

    def _scan(self, text: str, asked: Asked) -> Findings:
        result = self.guard.scan(
            text,
            asked.context,
            self.policy,
            use_case=asked.use_case,
            role=asked.role,
            is_other_patient=asked.is_other_patient,
            seed=secrets.token_bytes(SEED_BYTES),
        )
        is_ours = _problem(result) is None
        return result, hash_values(text, result, self.written) if is_ours else ()

    def verdict_of(
        self, found: Findings | Failed, asked: Asked, latency_us: int
    ) -> Verdict:
        """Make the verdict of what a guard gave, or of its failure."""
        if isinstance(found, Failed):
            reason = GUARD_TIMEOUT if found.is_late else GUARD_ERROR
            return self._failed(reason, found.cause or None, latency_us)
        result, value_hashes = found
        problem = _problem(result)
        if problem is not None:
            return self._failed(problem, None, latency_us)
        return Verdict(
            decision=result.decision,
            done=result.decision,
            safe_text=result.safe_text,
            detector=self.detector,
            policy_digest=self.policy_digest,
            latency_us=latency_us,
            reason=reason_of(result),
            result=result,
            value_hashes=value_hashes,
            is_degraded=asked.context is not None and asked.is_other_patient is None,
        )

    def _verdict(
        self, text: str, found: Findings | Failed, asked: Asked, began_us: int
    ) -> Verdict:
        latency_us = self.monotonic_us() - began_us
        verdict = self.verdict_of(found, asked, latency_us)
        return verdict.watched(text) if self.is_watching else verdict

    def _failed(self, reason: str, cause: str | None, latency_us: int) -> Verdict:
        """Make the verdict on a text that nobody could scan."""
        return Verdict(
            decision=GuardDecision.WITHHELD,
            done=GuardDecision.WITHHELD,
            safe_text="",
            detector=self.detector,
            policy_digest=self.policy_digest,
            latency_us=latency_us,
            reason=reason,
            cause=cause,
        )


def _problem(result: Any) -> str | None:  # noqa: ANN401 - whatever it gave
    """Say what is wrong with what a guard gave: nothing that is not known goes on."""
    if (
        not isinstance(result, GuardResult)
        or result.decision not in tuple(GuardDecision)
        or result.decision is GuardDecision.WITHHELD
        or not isinstance(result.safe_text, str)
    ):
        return GUARD_ERROR
    return None if all(map(_is_known, result.spans)) else GUARD_UNKNOWN


def _is_known(span: Any) -> bool:  # noqa: ANN401 - whatever it gave
    return (
        isinstance(span.identifier_class, IdentifierClass)
        and isinstance(span.relation, Relation)
        and isinstance(span.action, GuardDecision)
    )
