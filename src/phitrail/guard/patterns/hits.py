"""What the rules of this package hand to `finder`, and how overlapping claims end.

A rule appends `Hit`s; places may overlap. `settled` makes one place of claims that
overlap, so that nothing a rule saw stays readable, and gives it the class of the
surest claim (then the longer, then the earlier): the answer does not depend on the
order in which the rules ran.
"""

from typing import NamedTuple

from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import Found


class Hit(NamedTuple):
    """One claim: a place, what it is, how sure the rule is (0 to 1), and its rule."""

    start: int
    end: int
    identifier_class: IdentifierClass
    score: float
    rule: str


def settled(hits: list[Hit]) -> list[Found]:
    """Order claims by place and make one of those that overlap."""
    kept: list[Hit] = []
    for hit in sorted(hits):
        if kept and kept[-1].end > hit.start:
            kept[-1] = _joined(kept[-1], hit)
        else:
            kept.append(hit)
    return [Found(*hit) for hit in kept]


def _joined(one: Hit, other: Hit) -> Hit:
    surer = max(one, other, key=lambda hit: (hit.score, hit.end - hit.start))
    return surer._replace(
        start=min(one.start, other.start), end=max(one.end, other.end)
    )
