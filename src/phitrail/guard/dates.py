"""Dates in a text, in every writing, with their value: the door of the date rules.

45 CFR 164.514(b)(2)(i)(C) takes every element of a date that is finer than a year and
tied to a person. Figures are `date_numbers`', words are `date_phrases`'; here their
findings are put in order, and a weekday that stands before a date joins it. A year
alone is no finding. Dates of guidelines, schedules and expiries are reported as
neutral, so that a comparison with a record still sees them.
"""

import re
from typing import Final

from phitrail.guard.date_numbers import find_figures
from phitrail.guard.date_phrases import find_phrases
from phitrail.guard.date_spoken import find_spoken
from phitrail.guard.date_values import DateFound, DateValue
from phitrail.guard.digit_runs import Run, digit_runs
from phitrail.guard.lowered import lowered

__all__ = ["DateFound", "DateValue", "dates_of", "find_dates"]

_JOIN: Final = re.compile(r"[.,]? ?(?:the )?")


def find_dates(text: str) -> list[DateFound]:
    """Find the dates of a text, in order, without overlaps."""
    return dates_of(text, lowered(text), digit_runs(text))


def dates_of(text: str, low: str, runs: list[Run]) -> list[DateFound]:
    """Find the dates of a text whose lowered form and runs of figures are known."""
    found = find_phrases(low, text) + find_spoken(low)
    found += find_figures(low, runs)
    found.sort(key=lambda date: (date.start, -date.end))
    kept: list[DateFound] = []
    for date in found:
        if kept and date.start < kept[-1].end:
            kept[-1] = _merged(kept[-1], date)
        elif kept and _is_weekday_of(low, kept[-1], date):
            kept[-1] = _joined(kept[-1], date)
        else:
            kept.append(date)
    return kept


def _merged(one: DateFound, other: DateFound) -> DateFound:
    """Join two readings of one place: the value of the longer, the room of both."""
    longer = max(
        one, other, key=lambda date: (not date.is_neutral, date.end - date.start)
    )
    end = max(one.end, other.end)
    return DateFound(
        one.start,
        end,
        longer.value,
        longer.score,
        longer.rule,
        longer.alternative,
        longer.is_neutral,
    )


def _is_weekday_of(low: str, day: DateFound, date: DateFound) -> bool:
    return (
        day.rule == "date.weekday"
        and day.value.day is None
        and _JOIN.fullmatch(low, day.end, date.start) is not None
    )


def _joined(day: DateFound, date: DateFound) -> DateFound:
    return DateFound(
        day.start, date.end, date.value, max(day.score, date.score), date.rule,
        date.alternative, date.is_neutral,
    )  # fmt: skip
