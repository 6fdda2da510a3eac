"""What was found once is found wherever it stands again in the same text.

Each word of a name (three letters and more, no word of plain language) and each number or
address of a person (four signs and more) is looked for as a whole word; of places, the
whole. However many there are, it is linear in
the text.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from phitrail.events.codes import IdentifierClass
from phitrail.guard.common_words import COMMON_WORDS
from phitrail.guard.found import Found
from phitrail.guard.tokens import TOKEN

SHORTEST_NAME = 3
SHORTEST_NUMBER = 4
MOST_WORDS = 4
SCORE = 0.9
SURE = 0.5
AGAIN = "again"
FEW = 100
REPEATED = frozenset(
    {
        IdentifierClass.MRN,
        IdentifierClass.SSN,
        IdentifierClass.HEALTH_PLAN,
        IdentifierClass.ACCOUNT,
        IdentifierClass.LICENSE,
        IdentifierClass.VEHICLE,
        IdentifierClass.DEVICE,
        IdentifierClass.OTHER,
        IdentifierClass.PHONE,
    }
)
_NUMBER = re.compile(r"[^\W_]+(?:[-/.][^\W_]+)*")


def name_words(text: str, found: Iterable[Found]) -> set[str]:
    """Return the words of the names that were found, those that tell a person."""
    words: set[str] = set()
    for one in found:
        if one.identifier_class == IdentifierClass.NAME and one.score >= SURE:
            for match in TOKEN.finditer(text, one.start, one.end):
                word = match[0]
                if len(word) >= SHORTEST_NAME and word.lower() not in COMMON_WORDS:
                    words.add(word)
    return words


def propagated(
    text: str, found: Sequence[Found], known: Iterable[str] = ()
) -> list[Found]:
    """Return what was found, and where it stands again, in order of place."""
    words = name_words(text, found)
    words.update(known)
    words |= {word.upper() for word in words} | {
        word.title() for word in words if word.isupper()
    }
    numbers = {
        text[one.start : one.end]: one.identifier_class
        for one in found
        if one.identifier_class in REPEATED
        and one.score >= SURE
        and one.end - one.start >= SHORTEST_NUMBER
    }
    wanted = dict.fromkeys(words, IdentifierClass.NAME) | numbers
    if not wanted:
        return list(found)
    places = _few(text, wanted) if len(wanted) <= FEW else _many(text, wanted)
    covered = _Covered(found)
    more = [
        Found(start, start + len(word), wanted[word], SCORE, AGAIN)
        for start, word in sorted(places)
        if not covered.has(start)
    ]
    return sorted([*found, *more]) if more else list(found)


def _few(text: str, wanted: Iterable[str]) -> list[tuple[int, str]]:
    """Look for each in turn: quick where there are few."""
    places: list[tuple[int, str]] = []
    for word in wanted:
        at = text.find(word)
        while at >= 0:
            end = at + len(word)
            if not (text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()):
                places.append((at, word))
            at = text.find(word, end)
    return places


def _many(text: str, wanted: Mapping[str, IdentifierClass]) -> list[tuple[int, str]]:
    """Look at each word and number of the text once."""
    return [
        (match.start(), match[0])
        for pattern in (TOKEN, _NUMBER)
        for match in pattern.finditer(text)
        if match[0] in wanted
    ]


class _Covered:
    """Says, from left to right, whether a place lies in a finding."""

    def __init__(self, found: Sequence[Found]) -> None:
        self._found = found
        self._at = 0

    def has(self, place: int) -> bool:
        """Say so of a place, not before the last one asked."""
        found = self._found
        while self._at < len(found) and found[self._at].end <= place:
            self._at += 1
        return self._at < len(found) and found[self._at].start <= place
