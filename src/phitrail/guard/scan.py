"""`Guard`: find what identifies people in a text, and judge it against an access.

1. The text is read in its views (`guard.normal`): disguises taken off, each with a way back.
2. What a record of the access explains is found first (`guard.record_match`), then what has
   a shape (`guard.patterns`), then what the words around it give away (`guard.tagger`).
3. Overlapping findings become one that covers them all; what a record explains stays whole.
4. Terms of medicine that look like names or places are let go (`guard.allow_list`).
5. A name or number that was found once is found wherever it stands again
   (`guard.propagation`).
6. The findings are judged (`guard.decide`), the risk assessed, the text made safe; what
   shows only in the redacted text is redacted too (`guard.left_over`).

A long text is read in pieces (`guard.pieces`): memory is bounded, time linear.

Nothing that was scanned is kept: a `Guard` holds the model and the lists, no text. It is safe
to share among threads.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.allow_list import is_allowed, is_neutral_place
from phitrail.guard.clinical_codes import find_clinical_codes
from phitrail.guard.dates import find_dates
from phitrail.guard.decide import Judged, decide
from phitrail.guard.edges import with_edges, with_whole_words
from phitrail.guard.found import Found
from phitrail.guard.left_over import Redacted, apart_from
from phitrail.guard.merging import merged
from phitrail.guard.normal import views
from phitrail.guard.patterns.finder import find_patterns
from phitrail.guard.pieces import PIECE, pieces_of
from phitrail.guard.placeholders import outside_placeholders
from phitrail.guard.policy import GuardPolicy
from phitrail.guard.propagation import AGAIN, name_words, propagated
from phitrail.guard.record_context import RecordContext
from phitrail.guard.record_match import match_record
from phitrail.guard.redact import Redactor
from phitrail.guard.result import GuardResult
from phitrail.guard.risk import assess
from phitrail.guard.roles import role_of
from phitrail.guard.tagged import find_tagged
from phitrail.guard.tagger import Tagger

NAMES_AND_PLACES = frozenset({IdentifierClass.NAME, IdentifierClass.GEOGRAPHIC})
ROUNDS = 4
"""Times that a redacted text is looked at again, at the most."""

MOST_NAMES = 10_000
"""Names of a long text that are looked for in all of it, at the most."""

Opinion = Callable[[str], Sequence[Found]]
IsOtherPatient = Callable[[IdentifierClass, str], bool]


class Guard:
    """The guard, loaded once a process."""

    def __init__(
        self, tagger: Tagger | None = None, second_opinion: Opinion | None = None
    ) -> None:
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
        if len(text) <= PIECE:
            found = self._read(text, context, known)
        else:
            found = self._read_long(text, context, known)
        if self._second_opinion is not None:
            found += self._second_opinion(text)
        return outside_placeholders(text, merged(found))

    def _read_long(
        self, text: str, context: RecordContext | None, known: Iterable[str]
    ) -> list[Found]:
        names = set(known)
        found: list[Found] = []
        for piece in pieces_of(text):
            part = self._read(text[piece.low : piece.high], context, names)
            own = [
                _moved(one, one.start + piece.low, one.end + piece.low)
                for one in part
                if piece.owns(one.start + piece.low)
            ]
            if len(names) < MOST_NAMES:
                names |= name_words(text, own)
            found += own
        return _again(text, merged(found), names)

    def _read(
        self, text: str, context: RecordContext | None, known: Iterable[str]
    ) -> list[Found]:
        """Find in a text of bounded length, in all of its views."""
        seen = views(text)
        main = seen.main
        found = _again(main.text, self._find_in(main.text, context), known)
        if main.is_mapped:
            found = [_moved(one, *main.source(one.start, one.end)) for one in found]
        for fragment in seen.fragments:
            found += [
                _moved(one, *fragment.source(one.start, one.end))
                for one in self._find_in(fragment.text, context)
                if fragment.is_rebuilt(one.start, one.end)
            ]
        return found

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
        found = self.find(text, context)
        for _ in range(ROUNDS):
            judgement = decide(
                found,
                policy,
                use_case=use_case,
                role=role,
                has_context=context is not None,
                is_other_patient=partial(_is_other, text, found, is_other_patient),
            )
            redactor = Redactor(policy.redaction, seed)
            redacted = Redacted.of(text, judgement.spans, redactor)
            if judgement.decision != GuardDecision.REDACT:
                break
            more = self._left_over(redacted, judgement.spans)
            if not more:
                break
            found = merged([*found, *more])
        risk = assess(judgement.spans)
        is_blocked = judgement.decision == GuardDecision.BLOCK
        return GuardResult(
            spans=judgement.spans,
            decision=judgement.decision,
            safe_text="" if is_blocked else redacted.text,
            risk_score=risk.score,
            reasons=tuple(reason.value for reason in risk.reasons),
            original_length=len(text),
            response_phi_detected=judgement.response_phi_detected,
            is_phi_output=judgement.is_phi_output,
            policy_digest=policy.digest(),
            latency_us=(time.perf_counter_ns() - began) // 1000,
        )

    def _left_over(self, redacted: Redacted, spans: Sequence[Judged]) -> list[Found]:
        """Find what shows once the rest was redacted."""
        text = redacted.text
        tagged = outside_placeholders(text, self._tagged(text, ()))
        return apart_from(redacted.in_source(tagged), spans)

    def _tagged(self, text: str, codes: Sequence[Found]) -> list[Found]:
        """Find what the words around it give away, codes and terms of medicine apart."""
        return [
            one
            for one in with_whole_words(text, find_tagged(self._tagger, text))
            if not _is_within(one, codes) and not _is_term(text, one)
        ]

    def _find_in(self, text: str, context: RecordContext | None) -> list[Found]:
        dates = find_dates(text)
        found = [] if context is None else match_record(context, text, dates)
        found += find_patterns(text, dates)
        found = [one for one in found if one.is_in_record or not _is_term(text, one)]
        codes = find_clinical_codes(text)
        found += codes + self._tagged(text, codes)
        whole = with_edges(text, merged(found))
        return [_with_role(text, one) for one in whole]


def _again(text: str, found: Sequence[Found], known: Iterable[str]) -> list[Found]:
    """Find again what was found, save where it is a term of medicine."""
    return [
        one
        for one in propagated(text, found, known)
        if one.rule != AGAIN or not _is_term(text, one)
    ]


def _is_term(text: str, one: Found) -> bool:
    """Say whether what looks like a name or place is a term, or a whole state or country."""
    if one.identifier_class not in NAMES_AND_PLACES:
        return False
    return is_allowed(text, one.start, one.end) or (
        one.identifier_class == IdentifierClass.GEOGRAPHIC
        and is_neutral_place(text, one.start, one.end)
    )


def _moved(one: Found, start: int, end: int) -> Found:
    return Found(
        start,
        end,
        one.identifier_class,
        one.score,
        one.rule,
        one.is_in_record,
        one.role,
    )


def _with_role(text: str, one: Found) -> Found:
    if one.identifier_class != IdentifierClass.NAME or one.role is not None:
        return one
    role = role_of(text, one.start, one.end)
    if role is None:
        return one
    return Found(
        one.start,
        one.end,
        one.identifier_class,
        one.score,
        one.rule,
        one.is_in_record,
        role,
    )


def _is_within(one: Found, others: Sequence[Found]) -> bool:
    return any(o.start <= one.start and one.end <= o.end for o in others)


def _is_other(
    text: str, found: Sequence[Found], ask: IsOtherPatient | None, place: int
) -> bool:
    if ask is None:
        return False
    one = found[place]
    return ask(one.identifier_class, text[one.start : one.end])
