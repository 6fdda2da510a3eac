"""Several findings at one place become one.

Findings that overlap become one that covers them all, with the class and rule of the
strongest: what a record explains before what has a shape, that before what the tagger says,
and among equals the higher score, then the longer one. A clinical code is let go where
anything else was found at its place.
"""

from collections.abc import Iterable
from dataclasses import replace

from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import Found

TAGGER = "tagger."


def merged(found: Iterable[Found]) -> list[Found]:
    """Return findings in order, disjoint."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if one.end <= one.start:
            continue
        if not kept or kept[-1].end <= one.start:
            kept.append(one)
            continue
        kept[-1] = _joined(kept[-1], one)
    return kept


def _strength(one: Found) -> tuple[bool, bool, bool, float, int]:
    return (
        one.identifier_class != IdentifierClass.CLINICAL_CODE,
        one.is_in_record,
        not one.rule.startswith(TAGGER),
        one.score,
        one.end - one.start,
    )


def _joined(one: Found, other: Found) -> Found:
    strong, weak = sorted((one, other), key=_strength, reverse=True)
    if weak.identifier_class == IdentifierClass.CLINICAL_CODE:
        return strong
    return replace(
        strong,
        start=min(one.start, other.start),
        end=max(one.end, other.end),
        score=max(one.score, other.score),
        is_in_record=strong.is_in_record
        and (weak.is_in_record or _covers(strong, weak)),
    )


def _covers(strong: Found, weak: Found) -> bool:
    return strong.start <= weak.start and weak.end <= strong.end
