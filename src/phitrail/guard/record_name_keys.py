"""Keys of the names of the people of a record: parts, short forms, initials, near words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from phitrail.guard.common_words import COMMON_WORDS
from phitrail.guard.found import PersonRole
from phitrail.guard.nicknames import also_called
from phitrail.guard.record_facts import Person
from phitrail.guard.record_titles import PARTICLES, SUFFIXES
from phitrail.guard.record_words import foldings, pieces

_TYPO_LENGTH = 5
_ROLE_ORDER = (PersonRole.PATIENT, PersonRole.RELATIVE, PersonRole.PROVIDER)


@dataclass(frozen=True, slots=True)
class NameKeys:
    """Parts of names, each with a bit for every person who bears it."""

    parts: dict[str, int] = field(repr=False)
    initials: dict[str, int] = field(repr=False)
    short_marks: dict[str, int] = field(repr=False)
    heads: dict[str, tuple[str, ...]] = field(repr=False)
    tails: dict[str, tuple[str, ...]] = field(repr=False)
    roles: tuple[PersonRole, ...]

    @classmethod
    def of(cls, people: Sequence[Person]) -> Self:
        """Make the keys of people."""
        ordered = sorted(people, key=lambda one: _ROLE_ORDER.index(one.role))
        parts: dict[str, int] = {}
        initials: dict[str, int] = {}
        short_marks: dict[str, int] = {}
        for number, person in enumerate(ordered):
            bit = 1 << number
            for part in _parts_of(person):
                parts[part] = parts.get(part, 0) | bit
            letters = _initials_of(person)
            for letter in letters:
                initials[letter] = initials.get(letter, 0) | bit
            for mark in _short_marks(person):
                short_marks[mark] = short_marks.get(mark, 0) | bit
        heads: dict[str, tuple[str, ...]] = {}
        tails: dict[str, tuple[str, ...]] = {}
        for part in parts:
            if len(part) >= _TYPO_LENGTH and part not in PARTICLES:
                heads[part[:2]] = (*heads.get(part[:2], ()), part)
                tails[part[-3:]] = (*tails.get(part[-3:], ()), part)
        return cls(
            parts,
            initials,
            short_marks,
            heads,
            tails,
            tuple(person.role for person in ordered),
        )

    @property
    def first_pieces(self) -> frozenset[str]:
        """The pieces that a name may begin with."""
        return frozenset(self.parts).union(self.short_marks, self.initials)

    def is_typo(self, word: str) -> bool:
        """Whether a word may be a part of a name with one typing error."""
        if len(word) < _TYPO_LENGTH or word in self.parts or word in COMMON_WORDS:
            return False
        return self.near(word) is not None

    def near(self, word: str) -> str | None:
        """Return the part that differs from a word by one letter or one swap, if any."""
        for part in (*self.heads.get(word[:2], ()), *self.tails.get(word[-3:], ())):
            if abs(len(part) - len(word)) <= 1 and is_one_edit(part, word):
                return part
        return None


def _parts_of(person: Person) -> set[str]:
    found: set[str] = set()
    for name in (*person.given, *person.family, *person.called):
        for folded in foldings(name):
            words = pieces(folded)
            found.update(words)
            if len(words) > 1 and len(name.split()) == 1:
                found.add("".join(words))
    for given in person.given:
        for word in pieces(given):
            for other in also_called(word):
                found.update(foldings(other))
    return {
        word
        for word in found
        if len(word) > 1 and word not in SUFFIXES and not word.isdecimal()
    }


def _initials_of(person: Person) -> list[str]:
    names = [*person.given, *person.family]
    return [
        word[0] for name in names for word in pieces(name) if word not in PARTICLES
    ] + [word[0] for name in person.called for word in pieces(name)]


def _short_marks(person: Person) -> set[str]:
    """Return the initials that a person may be written as: first and last, or all."""
    given = [word[0] for name in person.given for word in pieces(name)]
    family = [
        word[0]
        for name in (*person.family, *person.called)
        for word in pieces(name)
        if word not in PARTICLES
    ]
    marks = {given[0] + last for last in family} if given else set()
    return marks | {given[0] + given[1] + last for last in family if len(given) > 1}


def is_one_edit(one: str, other: str) -> bool:
    """Whether two different words differ by one letter, or two neighbours swapped."""
    if len(one) > len(other):
        one, other = other, one
    at = 0
    while at < len(one) and one[at] == other[at]:
        at += 1
    if len(one) < len(other):
        return one[at:] == other[at + 1 :]
    return one[at + 1 :] == other[at + 1 :] or (
        one[at : at + 2] == other[at : at + 2][::-1]
        and one[at + 2 :] == other[at + 2 :]
    )
