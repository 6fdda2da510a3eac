"""Dates without a month's name that are spoken, and bare days: `six slash eleven`, `the 20th`.

Dictated answers write figures as words. "Slash" between two of them makes a date; a
row of numbers is one only behind "date of birth". "The twelfth" is a day of the month
where a word of time stands before it and nothing after it makes it a rank ("the 8th
rib", "the 5th floor", "the 90th percentile").
"""

import re
from typing import Final

from phitrail.guard import validators
from phitrail.guard.date_values import DateFound, DateValue, full_year, read_parts
from phitrail.guard.date_words import (
    NUMBERS,
    ORDINAL_DAY,
    SPOKEN_DAY,
    SPOKEN_SHORT_YEAR,
    SPOKEN_YEAR,
    spoken_number,
)

_SPOKEN_NUMBER: Final = rf"(?:{SPOKEN_DAY})"
_SLASHED: Final = re.compile(
    rf"\b(?P<first>{_SPOKEN_NUMBER}) slash (?P<second>{_SPOKEN_NUMBER})"
    rf"(?: slash (?P<year>{SPOKEN_YEAR}|{SPOKEN_SHORT_YEAR}))?\b"
)
_ROW: Final = re.compile(
    rf"(?:date of birth|birth date|dob|born)(?: is| was| on|:)? "
    rf"(?P<date>(?P<first>{_SPOKEN_NUMBER}) (?P<second>{_SPOKEN_NUMBER}) "
    rf"(?P<year>{SPOKEN_YEAR}|{SPOKEN_SHORT_YEAR}))\b"
)
_BARE: Final = re.compile(
    rf"the (?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)|(?P<spoken>{ORDINAL_DAY}))(?P<inst> "
    rf"inst\b\.?| instant\b)?(?!\w)"
)
_BARE_BEFORE: Final = re.compile(
    r"\b(?:on|by|until|till|since|before|after|for|through|thru|from|around|of|due|"
    r"between|and|to|tonight|home) $|[,(|\u00b7:] $"
)
_BARE_AFTER: Final = re.compile(
    r"[.,;:)?!\n]|$| (?:at|with|by|and|to|for|in the (?:morning|afternoon|evening)|is|"
    r"was|because|so|when|then|if|after|before|due|or|through|of (?:this|next|last|"
    r"the) month|she|he|we|they|asks)\b"
)
_SCORE_BEFORE: Final = re.compile(
    r"(?:strength|scale|murmur|pain|grade|vision)[^.]{0,20}$"
)


def find_spoken(low: str) -> list[DateFound]:
    """Find spoken dates and bare days in a lowered text."""
    found: list[DateFound] = []
    if " slash " in low:
        for match in _SLASHED.finditer(low):
            if not _SCORE_BEFORE.search(
                low[max(0, match.start() - 40) : match.start()]
            ):
                _append(match, match.span(), found)
    if "birth" in low or "dob" in low or "born" in low:
        for match in _ROW.finditer(low):
            _append(match, match.span("date"), found)
    if "the " in low:
        for match in _BARE.finditer(low):
            found += _read_bare(low, match)
    return found


def _append(
    match: re.Match[str], span: tuple[int, int], found: list[DateFound]
) -> None:
    first, second = spoken_number(match["first"]), spoken_number(match["second"])
    year = spoken_number(match["year"]) if match["year"] else None
    if first is None or second is None:
        return
    read = read_parts(first, second, full_year(year) if year is not None else None)
    if read is not None:
        found.append(DateFound(*span, read[0], 0.85, "date.spoken", read[1]))


def _read_bare(low: str, match: re.Match[str]) -> list[DateFound]:
    day = int(match["day"]) if match["day"] else spoken_number(match["spoken"]) or 0
    if not validators.is_calendar_day(None, 1, day):
        return []
    is_tied = _BARE_BEFORE.search(low[max(0, match.start() - 12) : match.start()])
    if match["inst"] or (
        is_tied and _BARE_AFTER.match(low, match.end()) and not _is_rank(match)
    ):
        return [
            DateFound(*match.span(), DateValue(None, None, day), 0.65, "date.bare_day")
        ]
    return []


def _is_rank(match: re.Match[str]) -> bool:
    """Whether it is a word for first to fifth, which mostly counts things."""
    return match["spoken"] is not None and NUMBERS.get(match["spoken"], 99) <= 5  # noqa: PLR2004 - first to fifth
