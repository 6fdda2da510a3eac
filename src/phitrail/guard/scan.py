"""`Guard`: find what identifies people in an answer, judge it against an access.

What is found (`guard.finding`) is judged (`guard.decide`), its risk assessed (`guard.risk`),
the text made safe (`guard.redact`); what shows only in the redacted text is redacted too
(`guard.left_over`), so that a redacted text is clean when it is scanned again.

Nothing that was scanned is kept: a `Guard` holds the model and the lists, no text. It is safe
to share among threads.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.decide import Judgement, decide
from phitrail.guard.finding import Finding
from phitrail.guard.found import Found
from phitrail.guard.left_over import Redacted, apart_from
from phitrail.guard.merging import merged
from phitrail.guard.placeholders import outside_placeholders
from phitrail.guard.policy import GuardPolicy
from phitrail.guard.record_context import RecordContext
from phitrail.guard.redact import Redactor
from phitrail.guard.result import GuardResult
from phitrail.guard.risk import assess
from phitrail.guard.tagger import Tagger

ROUNDS = 4
"""Times that a redacted text is looked at again, at the most."""

Opinion = Callable[[str], Sequence[Found]]
IsOtherPatient = Callable[[IdentifierClass, str], bool]
Judge = Callable[[Sequence[Found]], Judgement]


class Guard:
    """The guard, loaded once a process."""

    def __init__(
        self, tagger: Tagger | None = None, second_opinion: Opinion | None = None
    ) -> None:
        """Load the guard.

        Args:
            tagger: another one than ships.
            second_opinion: what else finds, such as `guard.second_opinion` (Presidio).

        Raises:
            OSError: the model cannot be read.
            ValueError, KeyError: it is damaged.
        """
        self._tagger = tagger or Tagger()
        self._second_opinion = second_opinion

    def find(
        self,
        text: str,
        context: RecordContext | None = None,
        known: Iterable[str] = (),
    ) -> list[Found]:
        """Return everything found, in order, disjoint; offsets are code points of `text`.

        Args:
            text: the answer, or a part of it.
            context: the records of the access.
            known: names that were found before in the same answer.
        """
        return self._find(Finding(self._tagger, context), text, known)

    def scan(
        self,
        text: str,
        context: RecordContext | None = None,
        policy: GuardPolicy | None = None,
        *,
        use_case: str | None = None,
        role: str | None = None,
        is_other_patient: IsOtherPatient | None = None,
        seed: bytes = b"",
    ) -> GuardResult:
        """Scan an answer, judge what was found, and make the text safe.

        Args:
            text: the answer.
            context: the records of the access; without them nothing is expected.
            policy: of the tenant; the defaults where there is none.
            use_case: of the access.
            role: of whoever reads the answer.
            is_other_patient: says whether a value of a class is another patient's.
            seed: what made-up values are drawn from, where the policy wants such.
        """
        began = time.perf_counter_ns()
        policy = policy or GuardPolicy()

        def judge(found: Sequence[Found]) -> Judgement:
            return decide(
                found,
                policy,
                use_case=use_case,
                role=role,
                has_context=context is not None,
                is_other_patient=partial(_is_other, text, found, is_other_patient),
            )

        finding = Finding(self._tagger, context)
        found = self._find(finding, text, ())
        judgement, safe = _redacted(finding, text, found, judge, policy, seed)
        risk = assess(judgement.spans)
        return GuardResult(
            spans=judgement.spans,
            decision=judgement.decision,
            safe_text="" if judgement.decision == GuardDecision.BLOCK else safe,
            risk_score=risk.score,
            reasons=tuple(reason.value for reason in risk.reasons),
            original_length=len(text),
            response_phi_detected=judgement.response_phi_detected,
            is_phi_output=judgement.is_phi_output,
            policy_digest=policy.digest(),
            latency_us=(time.perf_counter_ns() - began) // 1000,
        )

    def _find(self, finding: Finding, text: str, known: Iterable[str]) -> list[Found]:
        found = finding.find(text, known)
        if self._second_opinion is not None:
            found = merged([*found, *self._second_opinion(text)])
        return outside_placeholders(text, found)


def _redacted(
    finding: Finding,
    text: str,
    found: Sequence[Found],
    judge: Judge,
    policy: GuardPolicy,
    seed: bytes,
) -> tuple[Judgement, str]:
    """Judge and redact until nothing more shows in what is left."""
    judgement = judge(found)
    redacted = Redacted.of(text, judgement.spans, Redactor(policy.redaction, seed))
    for _ in range(ROUNDS):
        if judgement.decision != GuardDecision.REDACT:
            break
        left = finding.find_left_over(redacted.text, is_glued=redacted.is_glued)
        shown = redacted.in_source(outside_placeholders(redacted.text, left))
        more = apart_from(shown, judgement.spans)
        if not more:
            break
        found = merged([*found, *more])
        before, judgement = judgement, judge(found)
        if judgement.spans == before.spans:
            break
        redacted = Redacted.of(text, judgement.spans, Redactor(policy.redaction, seed))
    return judgement, redacted.text


def _is_other(
    text: str, found: Sequence[Found], ask: IsOtherPatient | None, place: int
) -> bool:
    if ask is None:
        return False
    one = found[place]
    return ask(one.identifier_class, text[one.start : one.end])
