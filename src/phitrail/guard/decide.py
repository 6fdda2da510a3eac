"""Judge what was found against the access that it belongs to. Pure.

For each finding, in order:
1. Another patient's MRN, SSN, e-mail, phone or member id, which no record of this access
   explains, is `wrong_patient`: the look-up knows it, so no threshold applies. Names never
   are. Without record context nothing can be said of "another".
2. A finding under the threshold of its class is passed over, unless a record explains it.
3. A clinical code is reported as `expected`, whoever it is about, and takes the action that
   the policy has for codes; alone it is not PHI, and sets neither flag below.
4. What a record of this access explains is `expected`, if the policy allows its class in
   this use case to this role. The name of a provider is expected where the policy releases
   provider names. Everything else is `unexpected`.
5. The action follows from class and relation; without record context from class alone. A
   provider's name that the policy releases is released there too.

The decision is the most severe action. `response_phi_detected` says that anything but a code
was found; `is_phi_output` that some of it was unexpected or another patient's.

What this leaves to others: findings come merged, in order, disjoint; ages under 90 are not
findings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.found import Found, PersonRole, Relation
from phitrail.guard.policy import AccessTerms, GuardPolicy

PATIENT_KEYS = frozenset(
    {
        IdentifierClass.MRN,
        IdentifierClass.SSN,
        IdentifierClass.EMAIL,
        IdentifierClass.PHONE,
        IdentifierClass.HEALTH_PLAN,
    }
)
"""Classes by which another patient of the tenant is recognised; never names alone."""

SEVERITY = (
    GuardDecision.RELEASE,
    GuardDecision.ALERT,
    GuardDecision.REDACT,
    GuardDecision.BLOCK,
    GuardDecision.WITHHELD,
)
"""Decisions, mildest first."""

_RANK = {decision: rank for rank, decision in enumerate(SEVERITY)}


@dataclass(frozen=True, slots=True, order=True)
class Judged:
    """One span of an answer: what it is, to whom it belongs, what is done to it."""

    start: int
    end: int
    identifier_class: IdentifierClass
    score: float
    rule: str
    relation: Relation
    action: GuardDecision
    role: PersonRole | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the guard makes of one answer."""

    spans: tuple[Judged, ...]
    decision: GuardDecision
    response_phi_detected: bool
    is_phi_output: bool


def most_severe(*decisions: GuardDecision) -> GuardDecision:
    """Return the most severe of some decisions; release where there is none."""
    return max(decisions, key=_RANK.__getitem__, default=GuardDecision.RELEASE)


def nobody(_place: int) -> bool:
    """Know no other patient: what stands in where there is no look-up."""
    return False


def decide(
    found: Sequence[Found],
    policy: GuardPolicy,
    *,
    use_case: str | None = None,
    role: str | None = None,
    has_context: bool,
    is_other_patient: Callable[[int], bool] = nobody,
) -> Judgement:
    """Judge findings.

    Args:
        found: merged, in order, disjoint.
        policy: of the tenant.
        use_case: of the access, as the tenant calls it.
        role: of whoever reads the answer.
        has_context: whether records of this access were passed in.
        is_other_patient: says of the finding at a place in `found` whether its value is
            the key of another patient; asked for `PATIENT_KEYS` alone.
    """
    terms = policy.terms(use_case, role)
    spans = []
    for place, each in enumerate(found):
        is_other = (
            has_context
            and not each.is_in_record
            and each.identifier_class in PATIENT_KEYS
            and is_other_patient(place)
        )
        relation = _relation(
            each, policy, terms, has_context=has_context, is_other=is_other
        )
        if relation is not None:
            action = _action(each, relation, policy, terms, has_context=has_context)
            spans.append(_judged(each, relation, action))
    phi = [s for s in spans if s.identifier_class != IdentifierClass.CLINICAL_CODE]
    return Judgement(
        spans=tuple(spans),
        decision=most_severe(*(span.action for span in spans)),
        response_phi_detected=bool(phi),
        is_phi_output=any(span.relation != Relation.EXPECTED for span in phi),
    )


def _relation(
    each: Found,
    policy: GuardPolicy,
    terms: AccessTerms,
    *,
    has_context: bool,
    is_other: bool,
) -> Relation | None:
    """Say what a finding is to the access; None if it is passed over."""
    kind = each.identifier_class
    if is_other:
        return Relation.WRONG_PATIENT
    if not each.is_in_record and each.score < terms.threshold(kind):
        return None
    if kind == IdentifierClass.CLINICAL_CODE or _is_released_provider(each, policy):
        return Relation.EXPECTED
    if has_context and each.is_in_record and terms.is_allowed(kind):
        return Relation.EXPECTED
    return Relation.UNEXPECTED


def _action(
    each: Found,
    relation: Relation,
    policy: GuardPolicy,
    terms: AccessTerms,
    *,
    has_context: bool,
) -> GuardDecision:
    if each.identifier_class == IdentifierClass.CLINICAL_CODE:
        return GuardDecision(policy.clinical_codes)
    is_judged = has_context or _is_released_provider(each, policy)
    return terms.action(each.identifier_class, relation if is_judged else None)


def _is_released_provider(each: Found, policy: GuardPolicy) -> bool:
    return (
        each.identifier_class == IdentifierClass.NAME
        and each.role == PersonRole.PROVIDER
        and policy.provider_names == "release"
    )


def _judged(each: Found, relation: Relation, action: GuardDecision) -> Judged:
    return Judged(
        start=each.start,
        end=each.end,
        identifier_class=each.identifier_class,
        score=each.score,
        rule=each.rule,
        relation=relation,
        action=action,
        role=each.role,
    )
