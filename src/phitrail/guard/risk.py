"""How much an answer would give away: a score from 0 to 1, with the reasons as codes.

The score orders answers by how bad their release would be. It is not a probability, and
nothing is decided by it.

Every span has a weight: that of its class, times its score, times 0.25 if it is expected
(whoever asked was to see it), 1 if unexpected, 1.5 if another patient's; at most 0.95. Parts
are put together as 1 - (1 - p)(1 - q)...:

1. One part for each span; all but the strongest span of a class count a quarter.
2. Quasi identifiers point to a person together: a date beside a place, and either of them
   beside any other identifier, add a part of their own.
3. Clinical codes weigh nothing alone: 45 CFR 160.103 protects health information about
   somebody. Beside an identifier they add a part of their own.

More findings, higher scores, or a worse relation never lower the score.

Source: 45 CFR 164.514(b)(2)(i) for the classes, and (b)(2)(ii) for what they are together;
the weights are our judgement, fixed here.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from phitrail.events.codes import IdentifierClass
from phitrail.guard.decide import Judged
from phitrail.guard.found import Relation

WEIGHT_OF_CLASS: Mapping[IdentifierClass, float] = {
    IdentifierClass.SSN: 0.8,
    IdentifierClass.BIOMETRIC: 0.7,
    IdentifierClass.MRN: 0.6,
    IdentifierClass.HEALTH_PLAN: 0.6,
    IdentifierClass.EMAIL: 0.6,
    IdentifierClass.PHONE: 0.55,
    IdentifierClass.NAME: 0.5,
    IdentifierClass.PHOTO: 0.5,
    IdentifierClass.ACCOUNT: 0.5,
    IdentifierClass.LICENSE: 0.45,
    IdentifierClass.FAX: 0.4,
    IdentifierClass.VEHICLE: 0.4,
    IdentifierClass.DEVICE: 0.4,
    IdentifierClass.URL: 0.35,
    IdentifierClass.OTHER: 0.35,
    IdentifierClass.IP_ADDRESS: 0.3,
    IdentifierClass.GEOGRAPHIC: 0.2,
    IdentifierClass.DATE: 0.15,
    IdentifierClass.CLINICAL_CODE: 0.0,
}
WEIGHT_OF_RELATION: Mapping[Relation, float] = {
    Relation.EXPECTED: 0.25,
    Relation.UNEXPECTED: 1.0,
    Relation.WRONG_PATIENT: 1.5,
}
WEIGHT_AT_MOST = 0.95
REPEATED = 0.25
"""How much of its weight the second and further span of a class has."""
QUASI = (IdentifierClass.DATE, IdentifierClass.GEOGRAPHIC)
TOGETHER = 0.2
"""What quasi identifiers beside each other, or beside another one, add at most."""
CODE_BESIDE = 0.5
"""What a clinical code adds, of the strongest weight beside it."""


class Reason(StrEnum):
    """Where a score comes from."""

    WRONG_PATIENT = "wrong_patient"
    UNEXPECTED_IDENTIFIER = "unexpected_identifier"
    EXPECTED_IDENTIFIER = "expected_identifier"
    REPEATED_IDENTIFIER = "repeated_identifier"
    QUASI_IDENTIFIERS_TOGETHER = "quasi_identifiers_together"
    CODE_BESIDE_IDENTIFIER = "code_beside_identifier"


_REASON_OF_RELATION: Mapping[Relation, Reason] = {
    Relation.WRONG_PATIENT: Reason.WRONG_PATIENT,
    Relation.UNEXPECTED: Reason.UNEXPECTED_IDENTIFIER,
    Relation.EXPECTED: Reason.EXPECTED_IDENTIFIER,
}


@dataclass(frozen=True, slots=True)
class Risk:
    """A score from 0 to 1, to six places, and why."""

    score: float
    reasons: tuple[Reason, ...]


def assess(spans: Sequence[Judged]) -> Risk:
    """Score what was found in one answer."""
    codes = [s for s in spans if s.identifier_class == IdentifierClass.CLINICAL_CODE]
    phi = [s for s in spans if s.identifier_class != IdentifierClass.CLINICAL_CODE]
    weights: dict[IdentifierClass, list[float]] = defaultdict(list)
    strength: dict[IdentifierClass, float] = defaultdict(float)
    for span in phi:
        kind = span.identifier_class
        certain = span.score * WEIGHT_OF_RELATION[span.relation]
        strength[kind] = max(strength[kind], min(certain, 1.0))
        weights[kind].append(min(certain * WEIGHT_OF_CLASS[kind], WEIGHT_AT_MOST))
    together = TOGETHER * _together(strength)
    strongest = max((max(each) for each in weights.values()), default=0.0)
    beside = CODE_BESIDE * strongest * max((s.score for s in codes), default=0.0)
    parts = [*_parts(weights), together, beside]
    reasons = {_REASON_OF_RELATION[span.relation] for span in phi}
    if any(len(each) > 1 for each in weights.values()):
        reasons.add(Reason.REPEATED_IDENTIFIER)
    if together:
        reasons.add(Reason.QUASI_IDENTIFIERS_TOGETHER)
    if beside:
        reasons.add(Reason.CODE_BESIDE_IDENTIFIER)
    return Risk(
        score=round(1 - math.prod(1 - part for part in parts), 6),
        reasons=tuple(reason for reason in Reason if reason in reasons),
    )


def _parts(weights: Mapping[IdentifierClass, Sequence[float]]) -> Iterator[float]:
    """Give the part of each span: the strongest of its class whole, others a quarter."""
    for each in weights.values():
        strongest, *others = sorted(each, reverse=True)
        yield strongest
        yield from (REPEATED * weight for weight in others)


def _together(strength: Mapping[IdentifierClass, float]) -> float:
    """Say how strongly quasi identifiers stand beside each other, or beside another."""
    strongest = {
        "date": strength.get(IdentifierClass.DATE, 0.0),
        "place": strength.get(IdentifierClass.GEOGRAPHIC, 0.0),
        "other": max((s for k, s in strength.items() if k not in QUASI), default=0.0),
    }
    return sorted(strongest.values())[1]
