"""`[NAME-1]`: what stands in the place of something that was redacted.

Rules:
1. A placeholder says the class, and a number within the class that is the same for the
   same person or value in one text, up to 999; beyond that it has none, so that nothing
   can be told in digits.
2. A placeholder is not PHI: a scan passes over it, and over nothing that stands beside it.
   A finding that reaches into one is cut at its edges.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import Found

LABEL_OF_CLASS: Mapping[IdentifierClass, str] = {
    IdentifierClass.NAME: "NAME",
    IdentifierClass.GEOGRAPHIC: "LOCATION",
    IdentifierClass.DATE: "DATE",
    IdentifierClass.PHONE: "PHONE",
    IdentifierClass.FAX: "FAX",
    IdentifierClass.EMAIL: "EMAIL",
    IdentifierClass.SSN: "SSN",
    IdentifierClass.MRN: "MRN",
    IdentifierClass.HEALTH_PLAN: "PLAN",
    IdentifierClass.ACCOUNT: "ACCOUNT",
    IdentifierClass.LICENSE: "LICENSE",
    IdentifierClass.VEHICLE: "VEHICLE",
    IdentifierClass.DEVICE: "DEVICE",
    IdentifierClass.URL: "URL",
    IdentifierClass.IP_ADDRESS: "IP",
    IdentifierClass.BIOMETRIC: "BIOMETRIC",
    IdentifierClass.PHOTO: "PHOTO",
    IdentifierClass.OTHER: "ID",
    IdentifierClass.CLINICAL_CODE: "CODE",
}
AGE_LABEL = "AGE"
"""Ages over 89, which 45 CFR 164.514(b)(2)(i)(C) puts among the dates."""
HIGHEST_NUMBER = 999

_PLACEHOLDER = re.compile(
    rf"\[(?:{'|'.join([*LABEL_OF_CLASS.values(), AGE_LABEL])})(?:-[1-9][0-9]{{0,2}})?\]"
)


def placeholder(label: str, number: int) -> str:
    """Return the placeholder for the n-th person or value of a label."""
    return f"[{label}-{number}]" if number <= HIGHEST_NUMBER else f"[{label}]"


def placeholders_in(text: str) -> Sequence[tuple[int, int]]:
    """Return where placeholders stand, in order."""
    if "[" not in text:
        return ()
    return [found.span() for found in _PLACEHOLDER.finditer(text)]


def outside_placeholders(text: str, found: Iterable[Found]) -> list[Found]:
    """Cut findings, in order, at placeholders; what holds no letter or digit goes."""
    places = placeholders_in(text)
    if not places:
        return list(found)
    kept: list[Found] = []
    first = 0
    for each in found:
        while first < len(places) and places[first][1] <= each.start:
            first += 1
        if first == len(places) or places[first][0] >= each.end:
            kept.append(each)
            continue
        pieces = _pieces(text, each, places, first)
        kept += [replace(each, start=start, end=end) for start, end in pieces]
    return kept


def _pieces(
    text: str, each: Found, places: Sequence[tuple[int, int]], first: int
) -> Iterator[tuple[int, int]]:
    """Give what is left of a finding between the placeholders that it reaches into."""
    start = each.start
    for place in range(first, len(places)):
        left, right = places[place]
        if left >= each.end:
            break
        yield from _trimmed(text, start, left)
        start = right
    yield from _trimmed(text, start, each.end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and not text[start].isalnum():
        start += 1
    while end > start and not text[end - 1].isalnum():
        end -= 1
    if start < end:
        yield start, end
