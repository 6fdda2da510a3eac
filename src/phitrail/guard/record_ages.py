"""Ages over 89 of the people of a record, in a text (45 CFR 164.514(b)(2)(i)(C)).

A bare number is an age only with a cue: `year-old`, `aged`, `he is`, or right behind a name
or a birth date that was found. Ages up to 89 are nobody's business.
"""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import Found
from phitrail.guard.record_text import PlacedText

_YEAR_LENGTH = 4
_AGE_AFTER = re.compile(r"[\s-]{0,2}(?:years?\b|year-old|y/?o\b|y\.o|yr|F\b|M\b|-?yo)")
_AGE_BEFORE = re.compile(
    r"(?:\bage[ds]?\b|\bturn(?:ed|s|ing)\b|\b(?:died|dead|passed(?: away)?|deceased) at\b|"
    r"\blived to(?: be)?\b|\b(?:s?he|they|patient|pt) (?:is|was)\b)"
    r"[\s:=]{0,3}$",
    re.IGNORECASE,
)
_AGE_AFTER_FINDING = re.compile(r"[\s,;)(/]{0,4}(?:(?:is|was|now|age)\s)?[(\s/]{0,3}$")
_AGE_WORDS = {"nonagenarian": (90, 99), "centenarian": (100, 120)}
_SPELLED_AGES = dict(
    zip(
        "one two three four five six seven eight nine".split(),
        range(91, 100),
        strict=True,
    )
)
_LOOK_BACK = 24


def match_ages(
    known: AbstractSet[int],
    birth_years: AbstractSet[int],
    placed: PlacedText,
    found: Sequence[Found],
) -> list[Found]:
    """Find ages over 89, and birth years that would give one away.

    Args:
        known: the ages that somebody in the record may have.
        birth_years: of who is over 89.
        placed: the text.
        found: what else was found: an age may stand behind a name or a birth date.
    """
    ends = {
        each.end
        for each in found
        if each.identifier_class in (IdentifierClass.NAME, IdentifierClass.DATE)
    }
    ages = []
    for at, word in enumerate(placed.words):
        if len(word) == _YEAR_LENGTH and word.isdecimal() and int(word) in birth_years:
            each = (*placed.places[at], IdentifierClass.DATE, 1.0, "record.birth_year")
            ages.append(Found(*each, is_in_record=True))
            continue
        last, age = _age_at(placed, at, word)
        if age is None or known.isdisjoint(age):
            continue
        start, end = placed.places[at][0], placed.places[last][1]
        if len(age) > 1 or _is_an_age(placed.text, start, end, ends):
            each = (start, end, IdentifierClass.DATE, 1.0, "record.age")
            ages.append(Found(*each, is_in_record=True))
    return ages


def _age_at(placed: PlacedText, at: int, word: str) -> tuple[int, Sequence[int] | None]:
    if word in _AGE_WORDS:
        low, high = _AGE_WORDS[word]
        return at, range(low, high + 1)
    if word == "ninety":
        following = placed.words[at + 1] if at + 1 < len(placed.words) else ""
        age = _SPELLED_AGES.get(following)
        return (at + 1, (age,)) if age else (at, (90,))
    if len(word) in (2, 3) and word[0] in "91" and word.isdecimal():
        return at, (int(word),)
    return at, None


def _is_an_age(text: str, start: int, end: int, ends: set[int]) -> bool:
    if _AGE_AFTER.match(text, end):
        return True
    before = text[max(0, start - _LOOK_BACK) : start]
    if _AGE_BEFORE.search(before):
        return True
    if text[end : end + 1] in ("%", "/") or text[end : end + 2] in (" m", " b"):
        return False
    between = _AGE_AFTER_FINDING.search(before)
    return between is not None and start - len(before) + between.start() in ends
