"""The streaming guard, driven for one access: what goes out, what was found, its hashes.

`guard.stream` says what may go out when; here it is given what it asks for: the guard's
findings in a part of the answer, the judgement of each under policy and access, what stands
in its place, and the names to look for in what follows. Values are hashed as they are judged,
so none is kept. It lives for one stream and goes with it.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence

from phitrail.capture.guarding import SEED_BYTES, Asked, Scans
from phitrail.capture.verdict import MOST_HASHES, hash_value
from phitrail.events.codes import IdentifierClass
from phitrail.guard.decide import Judged, decide, most_severe
from phitrail.guard.found import Found, Relation
from phitrail.guard.policy import GuardPolicy
from phitrail.guard.propagation import name_words
from phitrail.guard.redact import Redactor
from phitrail.guard.result import GuardResult
from phitrail.guard.risk import assess
from phitrail.guard.stream import GuardStream


class HeldStream:
    """One answer that is scanned as it goes."""

    def __init__(
        self,
        guard: Scans,
        policy: GuardPolicy,
        asked: Asked,
        written: Callable[[bytes], str],
    ) -> None:
        self._guard = guard
        self._policy = policy
        self._asked = asked
        self._written = written
        self._hashes: set[str] = set()
        redactor = Redactor(policy.redaction, secrets.token_bytes(SEED_BYTES))
        self._stream = GuardStream(
            self._find, self._learn, self._judge, redactor.replacement
        )

    @property
    def is_stopped(self) -> bool:
        """Whether something was blocked: nothing goes out any more."""
        return self._stream.is_stopped

    def feed(self, piece: str) -> str:
        """Take a piece; give what may go out."""
        return self._stream.feed(piece)

    def finish(self) -> str:
        """Give the rest."""
        return self._stream.finish()

    def result(self) -> GuardResult:
        """Say what was found so far; the safe text went out in pieces."""
        spans = self._stream.spans
        risk = assess(spans)
        phi = [
            span
            for span in spans
            if span.identifier_class is not IdentifierClass.CLINICAL_CODE
        ]
        decision = most_severe(*(span.action for span in spans))
        return GuardResult(
            spans=spans,
            decision=decision,
            safe_text="",
            risk_score=risk.score,
            reasons=tuple(reason.value for reason in risk.reasons),
            original_length=self._stream.original_length,
            response_phi_detected=bool(phi),
            is_phi_output=any(s.relation is not Relation.EXPECTED for s in phi),
            policy_digest=self._policy.digest(),
        )

    def value_hashes(self) -> tuple[str, ...]:
        """Return the keyed hashes of what was found so far."""
        return tuple(sorted(self._hashes)[:MOST_HASHES])

    def _find(self, text: str, known: Sequence[str]) -> Sequence[Found]:
        return self._guard.find(text, self._asked.context, known)

    def _learn(self, text: str, found: Sequence[Found]) -> Iterable[str]:
        return sorted(name_words(text, found))

    def _judge(self, value: str, found: Found) -> Judged | None:
        ask = self._asked.is_other_patient

        def is_other(_: int) -> bool:
            return ask is not None and ask(found.identifier_class, value)

        judgement = decide(
            (found,),
            self._policy,
            use_case=self._asked.use_case,
            role=self._asked.role,
            has_context=self._asked.context is not None,
            is_other_patient=is_other,
        )
        if not judgement.spans:
            return None
        (span,) = judgement.spans
        if span.identifier_class is not IdentifierClass.CLINICAL_CODE:
            self._hashes.add(hash_value(span.identifier_class, value, self._written))
        return span
