"""What the stages of a scan hand to each other: where something stands, and what it is.

A `Found` holds places and codes, never the text that it found: what reads it has the text.
Offsets are Python code points of the text that was given to the stage.
"""

from dataclasses import dataclass
from enum import StrEnum

from phitrail.events.codes import IdentifierClass


class Relation(StrEnum):
    """What a span is to the access that it belongs to."""

    EXPECTED = "expected"
    UNEXPECTED = "unexpected"
    WRONG_PATIENT = "wrong_patient"


class PersonRole(StrEnum):
    """Whose name it is, where words around it tell."""

    PATIENT = "patient"
    RELATIVE = "relative"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """One place in a text, found by one rule.

    `score` is between 0 and 1; `rule` names the rule or stage; `is_in_record` says that a
    record of this access explains it; `role` is set for names where it is known.
    """

    start: int
    end: int
    identifier_class: IdentifierClass
    score: float
    rule: str
    is_in_record: bool = False
    role: PersonRole | None = None
