"""What a record explains stays as it is; what else was found there keeps the rest.

A rule may find more than a record explains: a cue before a number, a state after a town, a
given name before the patient's surname. What the record explains is cut out, so that it
stays expected, and each piece that is left counts only if it could identify somebody: it
holds a digit, or, of a name or place, a word of two letters that is no title. An address
in a network is never cut: with a patient's name or number in it, it may be a stranger's.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import Found

WHOLE = frozenset(
    {IdentifierClass.EMAIL, IdentifierClass.URL, IdentifierClass.IP_ADDRESS}
)
"""Classes of which a part says nothing."""

_DIGIT = re.compile(r"\d")
_WORD = re.compile(
    r"(?!(?:dr|mr|mrs|ms|miss|prof|md|do|rn|np|pa|jr|sr|and|or|of|the|in|at)\b)"
    r"[^\W\d_]{2}",
    re.IGNORECASE,
)
_START = re.compile(r"\b")


def carved(text: str, found: Sequence[Found], known: Sequence[Found]) -> list[Found]:
    """Return what was found without the places that records explain.

    Args:
        text: that it was found in.
        found: in order of their starts.
        known: what records explain: in order, disjoint.
    """
    if not known:
        return list(found)
    out: list[Found] = []
    first = 0
    for one in found:
        while first < len(known) and known[first].end <= one.start:
            first += 1
        if one.identifier_class in WHOLE and not _has_whole(text, one, known[first:]):
            out.append(one)
            continue
        at = one.start
        for other in known[first:]:
            if other.start >= one.end:
                break
            out += _piece(text, one, at, other.start)
            at = other.end
        if at == one.start:
            out.append(one)
        else:
            out += _piece(text, one, at, one.end)
    return out


def _has_whole(text: str, one: Found, known: Sequence[Found]) -> bool:
    """Say whether a record explains an address in a finding up to its last sign."""
    for other in known:
        if other.start >= one.end:
            break
        if (
            other.identifier_class in WHOLE
            and not text[other.end : other.end + 1].strip()
        ):
            return True
    return False


def _piece(text: str, one: Found, start: int, end: int) -> list[Found]:
    """Return a piece of a finding, its edges trimmed, if it could identify somebody."""
    while start < end and not text[start].isalnum():
        start += 1
    while end > start and not text[end - 1].isalnum():
        end -= 1
    if start >= end:
        return []
    if _DIGIT.search(text, start, end) or _has_name(text, one, start, end):
        return [replace(one, start=start, end=end)]
    return []


def _has_name(text: str, one: Found, start: int, end: int) -> bool:
    if one.identifier_class not in (IdentifierClass.NAME, IdentifierClass.GEOGRAPHIC):
        return False
    return any(
        _WORD.match(text, match.start(), end)
        for match in _START.finditer(text, start, end)
    )
