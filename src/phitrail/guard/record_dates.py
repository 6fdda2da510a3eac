"""Dates of a record, in a text: values that agree.

`phitrail.guard.dates` finds what may be a date and says its value; here it is compared with
the record's. A weekday right before a date that agrees belongs to it. Month and day around
a slash (`5/27-5/28`) are read here once more, where the day is no month and the record has
that day: what is too doubtful for a text alone is plain beside the record.
"""

import re
from collections.abc import Callable, Sequence

from phitrail.events.codes import IdentifierClass
from phitrail.guard.date_values import DateFound, DateValue
from phitrail.guard.found import Found
from phitrail.guard.record_facts import PartialDate

_FIRST = re.compile(r"(?<![\w./])[0-9]{1,2}$")
_SECOND = re.compile(r"[0-9]{1,2}(?![\w/]|\.\d)")
_WEEKDAY = re.compile(
    r"\b(?:mon|tue(?:s)?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?"
    r"[.,]{0,2}\s{1,2}$",
    re.IGNORECASE,
)
_LOOK_BACK = 14
_MONTHS = 12
_CENTURY = 100


def match_dates(
    has_date: Callable[[PartialDate], bool], text: str, dates: Sequence[DateFound]
) -> list[Found]:
    """Find the dates that agree with the record; `dates` are in order."""
    found: list[Found] = []
    for each in dates:
        if _agrees(has_date, each):
            low = max(0, each.start - _LOOK_BACK)
            weekday = _WEEKDAY.search(text, low, each.start)
            start = weekday.start() if weekday else each.start
            found.append(_found(start, each.end))
    at = text.find("/")
    while at >= 0:
        first = _FIRST.search(text, max(0, at - 3), at)
        second = first and _SECOND.match(text, at + 1)
        if (
            first
            and second
            and _slashed_agrees(has_date, int(first[0]), int(second[0]))
        ):
            found.append(_found(first.start(), second.end()))
        at = text.find("/", at + 1)
    return found


def _agrees(has_date: Callable[[PartialDate], bool], each: DateFound) -> bool:
    if each.is_neutral and each.value.day is None:
        return False
    return any(
        has_date(value) or _century_before(has_date, value)
        for value in (each.value, each.alternative)
        if value is not None
    )


def _century_before(has_date: Callable[[PartialDate], bool], value: DateValue) -> bool:
    """Compare a whole date a hundred years back: `4/2/31` may be of 1931."""
    year, month, day = value
    return bool(year and month and day and has_date((year - _CENTURY, month, day)))


def _slashed_agrees(
    has_date: Callable[[PartialDate], bool], first: int, second: int
) -> bool:
    if first <= _MONTHS < second:
        return has_date((None, first, second))
    return second <= _MONTHS < first and has_date((None, second, first))


def _found(start: int, end: int) -> Found:
    of = IdentifierClass.DATE
    return Found(start, end, of, 1.0, "record.date", is_in_record=True)
