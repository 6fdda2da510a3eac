"""What was found once is found wherever it stands again in the same text.

Each word of a name (three letters and more, no word of plain language) and each number or
address of a person (four signs and more) is looked for as a whole word; of places, the
whole. It goes by one look at each token, so that it is linear in the text.
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
        if one.identifier_class == IdentifierClass.NAME:
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
        if one.identifier_class in REPEATED and one.end - one.start >= SHORTEST_NUMBER
    }
    if not words and not numbers:
        return list(found)
    more = _again(text, found, TOKEN, dict.fromkeys(words, IdentifierClass.NAME))
    more += _again(text, found, _NUMBER, numbers)
    return sorted([*found, *more])


def _again(
    text: str,
    found: Sequence[Found],
    pattern: re.Pattern[str],
    wanted: Mapping[str, IdentifierClass],
) -> list[Found]:
    if not wanted:
        return []
    covered = _Covered(found)
    return [
        Found(match.start(), match.end(), wanted[match[0]], SCORE, "again")
        for match in pattern.finditer(text)
        if match[0] in wanted and not covered.has(match.start())
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
