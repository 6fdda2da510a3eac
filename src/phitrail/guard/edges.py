"""What belongs to a name or a place although it stands at its edge.

A title before a name, an initial before or after one, Jr. or III after it; a state
after a town (`Harlan, KY`). Each is taken in only where it touches what was found, so that
a letter or a state that stands alone stays.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import Found

LOOK_BACK = 16
LONGEST_WORD = 64
_WORD = re.compile(rf"\w{{1,{LONGEST_WORD}}}")
_WORD_BEFORE = re.compile(rf"\w{{1,{LONGEST_WORD}}}\Z")
_BEFORE = re.compile(
    r"(?:\b(?:[Dd]r|DR|Doctor|Prof|Professor|Mr|Mrs|Ms|Miss|MR|MRS|MS)\.?\s|"
    r"(?<![\w'])[A-Z]\.?\s?)+\Z"
)
_AFTER_NAME = re.compile(
    r"(?:,?\s(?:Jr|Sr|JR|SR|II|III|IV)\b\.?|\s[A-Z](?:\.|(?=[,;:)\s]|\Z)))"
)
_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|"
    "NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC|PR"
)
_AFTER_PLACE = re.compile(rf",\s(?:{_STATES})\b")


def with_edges(text: str, found: Sequence[Found]) -> list[Found]:
    """Return the findings with what belongs to them taken in; in order, as they came."""
    out: list[Found] = []
    for place, one in enumerate(found):
        start, end = one.start, one.end
        if one.identifier_class == IdentifierClass.NAME:
            start = _start(text, start, out[-1].end if out else 0)
            end = _end(_AFTER_NAME, text, end, found, place)
        elif one.identifier_class == IdentifierClass.GEOGRAPHIC:
            end = _end(_AFTER_PLACE, text, end, found, place)
        is_same = start == one.start and end == one.end
        out.append(one if is_same else replace(one, start=start, end=end))
    return out


def with_whole_words(text: str, found: Sequence[Found]) -> list[Found]:
    """Take in the rest of a word if most of it was found; let go a lesser part of one.

    A part of a word protects nobody: `SPR1NT` is not an identifier because of its digit.
    """
    out: list[Found] = []
    for one in found:
        start, end = one.start, one.end
        if start and _is_word(text[start - 1]) and _is_word(text[start]):
            before = _WORD_BEFORE.search(text, max(start - LONGEST_WORD, 0), start)
            start = start if before is None else before.start()
        if end < len(text) and _is_word(text[end]) and _is_word(text[end - 1]):
            after = _WORD.match(text, end)
            end = end if after is None else after.end()
        if start == one.start and end == one.end:
            out.append(one)
        elif end - start < 2 * (one.end - one.start):
            out.append(replace(one, start=start, end=end))
    return out


def _is_word(sign: str) -> bool:
    return sign.isalnum() or sign == "_"


def _start(text: str, start: int, at_least: int) -> int:
    low = max(start - LOOK_BACK, at_least)
    match = _BEFORE.search(text, low, start)
    return start if match is None else match.start()


def _end(
    pattern: re.Pattern[str], text: str, end: int, found: Sequence[Found], place: int
) -> int:
    at_most = found[place + 1].start if place + 1 < len(found) else len(text)
    match = pattern.match(text, end)
    return match.end() if match is not None and match.end() <= at_most else end
