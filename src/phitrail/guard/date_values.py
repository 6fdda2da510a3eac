"""What a date says, whatever its writing: year, month and day, each where it is known.

Two numbers that could both be a month are read the American way, and `alternative`
keeps the other reading, so that a comparison by value can try both. A year in two
digits belongs to the hundred years that end in `_NEWEST_SHORT_YEAR`: a fixed year,
because nothing here reads a clock.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from phitrail.guard import validators

_NEWEST_SHORT_YEAR: Final = 2035
_CENTURY: Final = 100
_MONTHS: Final = 12


class DateValue(NamedTuple):
    """A date as far as it is written."""

    year: int | None
    month: int | None
    day: int | None


@dataclass(frozen=True, slots=True, order=True)
class DateFound:
    """One date in a text.

    `is_neutral` says that the words around it make it nobody's (a guideline's date, a
    schedule, an expiry); it is reported all the same, for comparison with a record.
    """

    start: int
    end: int
    value: DateValue
    score: float
    rule: str
    alternative: DateValue | None = None
    is_neutral: bool = False


def full_year(year: int) -> int:
    """Give a year in two digits its century."""
    if year >= _CENTURY:
        return year
    near = _NEWEST_SHORT_YEAR - _NEWEST_SHORT_YEAR % _CENTURY + year
    return near if near <= _NEWEST_SHORT_YEAR else near - _CENTURY


def read_parts(
    first: int, second: int, year: int | None
) -> tuple[DateValue, DateValue | None] | None:
    """Read two numbers as month and day, in either order, in the calendar.

    Returns:
        the American reading, or the only one, and the other one if there are two.
    """
    readings = [
        DateValue(year, month, day)
        for month, day in ((first, second), (second, first))
        if month <= _MONTHS and validators.is_calendar_day(year, month, day)
    ]
    if not readings:
        return None
    is_double = len(readings) > 1 and readings[1] != readings[0]
    return readings[0], readings[1] if is_double else None
