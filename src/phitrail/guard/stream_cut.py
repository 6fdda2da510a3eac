"""Where the text of a stream may be cut, given what was found in it.

Rules, best first:
1. behind a line or sentence, and then between words, in the last two thirds of what may be
   cut, so that steps are not endlessly small;
2. between words further to the left;
3. between words that may be parts of one value (two single characters, two words with
   digits, two number words), which are no place for the rules above;
4. before something found that goes too far, or behind it where it begins the text;
5. inside a word that fills the text: after a multiple of four characters, so that what is
   encoded in it can be decoded in parts.
A cut never lies inside something found, unless that fills the text from end to end; then it
is the end of the text.
"""

import re
from collections.abc import Sequence

from phitrail.guard.found import Found
from phitrail.guard.spelled import is_number_word

_BETWEEN = re.compile(r"(\S*)(\s+)(?=(\S*))")
_SENTENCE_END = re.compile(r"[.!?:;][\"')\]*]*\Z")
_QUANTUM = 4
_EARLY = 3


def choose_cut(text: str, found: Sequence[Found], after: int) -> int:
    """Give the place at which a text is cut: more than none of it, at most all.

    Args:
        text: what is not decided yet.
        found: in it, in order, disjoint; what is cut off may go on behind the text.
        after: how many characters are kept at the end, where that can be.
    """
    limit = len(text) - after
    if found and found[-1].end >= len(text):
        limit = min(limit, found[-1].start)
    ranked = [
        (_rank(match, limit), match.end())
        for match in _BETWEEN.finditer(text)
        if 0 < match.end() <= limit and not _is_inside(match.end(), found)
    ]
    if ranked:
        return max(ranked)[1]
    return _forced(found, max(limit, 1))


def _rank(match: "re.Match[str]", limit: int) -> int:
    left, gap, right = match.groups()
    if _may_be_one(left, right) and gap.count("\n") <= 1:
        return 0
    if match.end() * _EARLY < limit:
        return 1
    return 3 if "\n" in gap or _SENTENCE_END.search(left) is not None else 2


def _may_be_one(left: str, right: str) -> bool:
    if len(left) == 1 == len(right):
        return True
    if _has_digit(left) and _has_digit(right):
        return True
    return is_number_word(left) and is_number_word(right)


def _has_digit(word: str) -> bool:
    return any(one.isdecimal() for one in word)


def _is_inside(place: int, found: Sequence[Found]) -> bool:
    return any(one.start < place < one.end for one in found)


def _forced(found: Sequence[Found], limit: int) -> int:
    for place in (limit - limit % _QUANTUM or limit, limit):
        if not _is_inside(place, found):
            return place
    crossing = next(one for one in found if one.start < limit < one.end)
    return crossing.start or crossing.end
