"""What a record says, whatever form it came in: people, numbers, phrases and dates.

`phitrail.guard.record_reading` gathers it, `phitrail.guard.record_context` makes the keys of
it. It holds the plain values, so `repr` shows none.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import PersonRole

PartialDate = tuple[int | None, int | None, int | None]
"""Year, month, day, as far as they are known."""

DatedYear = tuple[int, int | None, int | None]
"""A date whose year is known."""


class PhraseKind(StrEnum):
    """What a phrase names; it decides how much of it must stand in a text."""

    ORGANISATION = "organisation"
    STREET = "street"
    CITY = "city"
    COUNTY = "county"


@dataclass(slots=True)
class Person:
    """One person of a record and every name that the record gives."""

    role: PersonRole
    given: list[str] = field(default_factory=list, repr=False)
    family: list[str] = field(default_factory=list, repr=False)
    called: list[str] = field(default_factory=list, repr=False)


@dataclass(frozen=True, slots=True)
class Number:
    """An id of digits and letters."""

    value: str = field(repr=False)
    identifier_class: IdentifierClass


@dataclass(frozen=True, slots=True)
class Phrase:
    """An institution, an employer, a street, a town."""

    value: str = field(repr=False)
    kind: PhraseKind
    identifier_class: IdentifierClass = IdentifierClass.GEOGRAPHIC


@dataclass(slots=True)
class Facts:
    """Everything that was read."""

    people: list[Person] = field(default_factory=list, repr=False)
    numbers: list[Number] = field(default_factory=list, repr=False)
    phones: list[Number] = field(default_factory=list, repr=False)
    zips: list[str] = field(default_factory=list, repr=False)
    emails: list[str] = field(default_factory=list, repr=False)
    urls: list[str] = field(default_factory=list, repr=False)
    phrases: list[Phrase] = field(default_factory=list, repr=False)
    dates: list[PartialDate] = field(default_factory=list, repr=False)
    stays: list[tuple[PartialDate, PartialDate]] = field(
        default_factory=list, repr=False
    )
    births: list[DatedYear] = field(default_factory=list, repr=False)
