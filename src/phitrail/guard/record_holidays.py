"""Which holiday a date of a record fell on, as texts name it.

A text that says `Memorial Day` names a date as well as one that says 05/26. United States
federal holidays (5 U.S.C. 6103) and days that charts mention; Easter by the Gregorian
computus.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from phitrail.guard.record_facts import PartialDate

_FIXED = {
    (1, 1): ("new year's day", "new years"),
    (1, 6): ("epiphany", "three kings day"),
    (2, 2): ("groundhog day",),
    (2, 14): ("valentine's day", "valentines"),
    (3, 17): ("st patrick's day",),
    (5, 5): ("cinco de mayo",),
    (6, 14): ("flag day",),
    (6, 19): ("juneteenth",),
    (7, 4): ("independence day", "fourth of july", "july fourth"),
    (10, 31): ("halloween",),
    (11, 1): ("all saints day",),
    (11, 2): ("all souls day", "day of the dead"),
    (11, 11): ("veterans day",),
    (12, 24): ("christmas eve",),
    (12, 25): ("christmas day", "christmas"),
    (12, 26): ("boxing day", "day after christmas"),
    (12, 31): ("new year's eve",),
}
_MONDAY, _THURSDAY, _SUNDAY = 0, 3, 6
_NTH = {
    (1, _MONDAY, 3): ("mlk day", "martin luther king day"),
    (2, _MONDAY, 3): ("presidents day",),
    (5, _SUNDAY, 2): ("mother's day",),
    (6, _SUNDAY, 3): ("father's day",),
    (9, _MONDAY, 1): ("labor day",),
    (10, _MONDAY, 2): ("columbus day", "indigenous peoples day"),
    (11, _THURSDAY, 4): ("thanksgiving day", "thanksgiving"),
}
_AROUND_EASTER = {
    -47: ("mardi gras", "shrove tuesday"),
    -46: ("ash wednesday",),
    -7: ("palm sunday",),
    -2: ("good friday",),
    0: ("easter sunday", "easter"),
    1: ("easter monday",),
}
_WEEK = 7
_EARLIEST_LAST_MONDAY = 25


def holidays_of(dates: Iterable[PartialDate]) -> tuple[str, ...]:
    """Return the names of the holidays among dates, in lower case."""
    names: list[str] = []
    for year, month, day in dates:
        if month is None or day is None:
            continue
        names += _FIXED.get((month, day), ())
        if year is None:
            continue
        try:
            when = date(year, month, day)
        except ValueError:
            continue
        names += _NTH.get((month, when.weekday(), (day - 1) // _WEEK + 1), ())
        if (month, when.weekday()) == (5, _MONDAY) and day >= _EARLIEST_LAST_MONDAY:
            names.append("memorial day")
        names += _AROUND_EASTER.get((when - _easter(year)).days, ())
        if _NTH.get((11, (when - timedelta(1)).weekday(), (day - 2) // _WEEK + 1)) and (
            month == 11  # noqa: PLR2004 - November
        ):
            names.append("day after thanksgiving")
    return tuple(dict.fromkeys(names))


def _easter(year: int) -> date:
    """Return Easter Sunday (anonymous Gregorian computus)."""
    golden = year % 19
    century, rest = divmod(year, 100)
    leap, left = divmod(century, 4)
    moon = (
        19 * golden + century - leap - (century - (century + 8) // 25 + 1) // 3 + 15
    ) % 30
    week = (32 + 2 * left + 2 * (rest // 4) - moon - rest % 4) % 7
    shift = (golden + 11 * moon + 22 * week) // 451
    month, day = divmod(moon + week - 7 * shift + 114, 31)
    return date(year, month, day + 1)
