r"""Dates in figures: `03/14/1958`, `2025-04-08T09:40Z`, `20250214`, `11/2022`, `2/3`.

1. A date of three parts that stands in the calendar is a date; with dots it is one
   only where no version, section or code word stands before it.
2. Month and year (`11/2022`, `2023-07`) is one where the month is a month.
3. Behind words for a birth date, six figures in a row or three small numbers with spaces
   are one too; behind "julian", year and day of the year.
4. Month and day (`2/3`) could be a score, a fraction, a dose or a strength of muscle.
   `date_partials` weighs it.
"""

import re
from typing import Final

from phitrail.guard import validators
from phitrail.guard.date_partials import has_date_word, is_range_gap, weigh_partial
from phitrail.guard.date_values import DateFound, DateValue, full_year, read_parts
from phitrail.guard.digit_runs import Run

_FIGURES: Final = re.compile(
    r"\d(?<!\w\d)(?<!\d\.\d)\d{0,3}(?P<mark>[/.-])(?P<second>\d{1,2}|[ivx]{1,4}(?=[/.-]\d))"
    r"(?:(?P=mark)(?P<third>\d{4}|\d{1,2}))?(?!\d)",
    re.ASCII,
)
_STAMP: Final = re.compile(
    r"(?:t\d\d:?\d\d(?::?\d\d(?:\.\d{1,9})?)?| \d\d:\d\d:\d\d(?:\.\d{1,9})?)(?: ?(?:z|"
    r"utc)\b|[+-]\d\d:?\d\d)?"
)
_COMPACT: Final = re.compile(
    r"(?:19|20)(?<![\w./-]\d\d)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    r"(?:[01]\d|2[0-3])?(?:[0-5]\d){0,2}(?:[+-]\d{4})?(?![\w.-]\w|\w)"
)
_COMPACT_US: Final = re.compile(
    r"(?:0[1-9]|1[0-2])(?<![\w./-]\d\d)(?:0[1-9]|[12]\d|3[01])(?:19|20)\d\d(?![\w-])"
)
_WEEK: Final = re.compile(r"(?:19|20)\d\d-w[0-5]\d(?:-[1-7])?(?!\w)")
_ROMAN: Final = (
    "",
    "i",
    "ii",
    "iii",
    "iv",
    "v",
    "vi",
    "vii",
    "viii",
    "ix",
    "x",
    "xi",
    "xii",
)
_VERSION_BEFORE: Final = re.compile(
    r"(?:\b(?:v|ver|version|section|sec|chapter|figure|fig|table|step|appendix|release|"
    r"build|item|policy|oid|rev|part|§)\.? ?|§ ?|[\w.]/|#|\$)$"
)
_BIRTH_BEFORE: Final = re.compile(
    r"(?:dob|birth|born|bday|geboren|nacimiento)[^\n]{0,30}$"
)
_RIGHT_BEHIND_BIRTH: Final = re.compile(
    r"(?:\bdob|\bd\.o\.b\.?|\bbirth ?date|\bdate of birth|\bbirthday|\bborn(?: on)?)"
    r"(?: is| was)?[\s:=#*|-]{0,4}$"
)
_CUES: Final = ("dob", "d.o.b", "birth", "born", "julian")
_BEHIND_BIRTH: Final = frozenset(" :=#*|-\tb")
_BIRTH_PARTS: Final = re.compile(r"(\d\d)(\d\d)(\d\d)(?!\w)", re.ASCII)
_BIRTH_SPACED: Final = re.compile(
    r"(\d{1,2}) (\d{1,2}) ((?:19|20)?\d\d)(?![\w/%]|[.:-]\d)", re.ASCII
)
_JULIAN_BEFORE: Final = re.compile(r"\bjulian (?:date|day)?[\s:=#]{0,3}$")
_SIX: Final = 6
_JULIAN_SIZES: Final = frozenset({5, 7})
_CUED_SIZES: Final = _JULIAN_SIZES | {1, 2, _SIX}
_MONTHS: Final = 12
_RECORD_YEARS: Final = range(1900, 2101)
_MARKS: Final = frozenset("/.-")
_DOTTED_LEADS: Final = frozenset(
    ("on ", "om ", "ce ", "il ", "am ", "is ", "or ", "ed ", "ob ", "of ")
)
_EXPIRY_BEFORE: Final = re.compile(
    r"\bexp(?:iry|iration)?\.?(?:[_ ]?date)?[\s:\"']{0,5}$"
)


def find_figures(low: str, runs: list[Run]) -> list[DateFound]:
    """Find dates in figures in a lowered text."""
    found: list[DateFound] = []
    last_end = -1
    is_cued = any(cue in low for cue in _CUES)
    for start, size, follower in runs:
        if start < last_end:
            continue
        date = None
        if size <= 4 and follower in _MARKS:  # noqa: PLR2004 - a year has four figures
            if match := _FIGURES.match(low, start):
                date = _read(low, match, last_end)
            elif match := _MONTH_YEAR.match(low, start):
                date = _read_month_year(low, match)
            elif match := _WEEK.match(low, start):
                value = DateValue(int(low[start : start + 4]), None, None)
                date = DateFound(*match.span(), value, 0.85, "date.week")
        elif size >= 8:  # noqa: PLR2004 - year, month and day have eight figures
            date = _read_compact(low, start)
        elif is_cued and size in _CUED_SIZES and not follower.isalnum():
            date = _read_cued(low, start, size)
        if date is not None:
            found.append(date)
            last_end = date.end
    return found


def _read(low: str, match: re.Match[str], last_end: int) -> DateFound | None:
    start, end, mark = match.start(), match.end(), match["mark"]
    before, after = low[max(0, start - 1) : start], low[end : end + 2]
    is_joined = last_end >= start - 1 >= 0 and before in {"-", "\u2013"}
    if (
        before in {"/", "-", "$", "#", ":"}
        and not is_joined
        and not (before == ":" and low[start - 2 : start - 1].isalpha())
    ):
        return None
    if after[:1] in {"/", "_"} or (_is_held(after) and len(match["third"] or "") < 4):  # noqa: PLR2004 - a year in full
        return None
    if (mark != "/" and after[:1] == "-" and after[1:].isdecimal()) or (
        after[:1] == "." and after[1:].isdecimal()
    ):
        return None
    first = low[start : match.start("mark")]
    if match["third"] is not None:
        return None if before == mark == "." else _read_three(low, match, first)
    if before == ".":
        return None
    if len(first) in {1, 2} and len(match["second"]) <= 2:  # noqa: PLR2004 - a month or day has two figures
        year = _YEAR_TAIL.match(low, match.start("second"))
        if year:
            return None
        return _read_partial(low, match, first, last_end)
    return _read_year_month(match, first)


def _is_held(after: str) -> bool:
    """Whether a letter right behind makes the figures a part of something else."""
    return after[:1].isascii() and after[:1].isalpha() and after[0] != "t"


_YEAR_TAIL: Final = re.compile(r"(?:19|20)\d\d(?!\d)")
_MONTH_YEAR: Final = re.compile(r"\d(?<![\w./-]\d)\d?[/-](?:19|20)\d\d(?![\w/]|[-.]\d)")


def _read_three(low: str, match: re.Match[str], first: str) -> DateFound | None:
    start, end, mark, third = match.start(), match.end(), match["mark"], match["third"]
    second = match["second"]
    if not second.isdecimal():
        if second not in _ROMAN or len(third) != 4:  # noqa: PLR2004 - a year in full
            return None
        value = DateValue(int(third), _ROMAN.index(second), int(first))
        return DateFound(start, end, value, 0.95, "date.roman")
    if len(first) == 4:  # noqa: PLR2004 - a year in full
        return _read_year_first(low, match, first)
    if len(third) == 1 or len(first) > 2:  # noqa: PLR2004 - a month or day has two figures
        return _read_apostrophe(low, match, first)
    before = low[max(0, start - 12) : start]
    if mark == "." and len(third) == 2 and _VERSION_BEFORE.search(before):  # noqa: PLR2004 - a year in two figures
        return None
    if before.endswith(("'", "\u2019")) and int(first) > 31:  # noqa: PLR2004 - no day is above 31
        return _read_apostrophe(low, match, first)
    read = read_parts(int(first), int(second), full_year(int(third)))
    if read is None:
        if _BIRTH_BEFORE.search(low[max(0, start - 60) : start]):
            return DateFound(
                start, end, DateValue(None, None, None), 0.8, "date.impossible"
            )
        return None
    value, other = read
    if mark == "." and other is not None and len(third) == 4:  # noqa: PLR2004 - a year in full
        value, other = other, value
    score = 0.97 if len(third) == 4 or mark == "/" else 0.85  # noqa: PLR2004 - a year in full
    is_neutral = _EXPIRY_BEFORE.search(before) is not None
    return DateFound(start, end, value, score, "date.numeric", other, is_neutral)


def _read_apostrophe(low: str, match: re.Match[str], first: str) -> DateFound | None:
    start = match.start()
    if low[start - 1 : start] not in {"'", "\u2019"} or len(first) != 2:  # noqa: PLR2004 - a year in two figures
        return None
    month, day = int(match["second"]), int(match["third"])
    if not validators.is_calendar_day(full_year(int(first)), month, day):
        return None
    value = DateValue(full_year(int(first)), month, day)
    return DateFound(start - 1, match.end(), value, 0.9, "date.numeric")


def _read_year_first(low: str, match: re.Match[str], first: str) -> DateFound | None:
    year, month, day = int(first), int(match["second"]), int(match["third"])
    start, end = match.start(), match.end()
    is_solar = 1300 <= year <= 1500 and match["mark"] == "/"  # noqa: PLR2004 - solar and lunar Hijri years
    if is_solar and month <= _MONTHS and day <= 31:  # noqa: PLR2004 - no day is above 31
        return DateFound(start, end, DateValue(None, None, None), 0.8, "date.hijri")
    if match["mark"] == "." and _VERSION_BEFORE.search(low[max(0, start - 12) : start]):
        return None
    if validators.is_calendar_day(year, month, day):
        value = DateValue(year, month, day)
    elif validators.is_calendar_day(year, day, month):
        value = DateValue(year, day, month)
    else:
        return None
    stamp = _STAMP.match(low, end)
    is_neutral = _EXPIRY_BEFORE.search(low[max(0, start - 24) : start]) is not None
    return DateFound(
        start, stamp.end() if stamp else end, value, 0.98, "date.iso", None, is_neutral
    )


def _read_year_month(match: re.Match[str], first: str) -> DateFound | None:
    if len(first) != 4 or match["mark"] == ".":  # noqa: PLR2004 - a year in full
        return None
    year, month = int(first), int(match["second"])
    is_month = len(match["second"]) == 2 and 1 <= month <= _MONTHS  # noqa: PLR2004 - a month in full
    if not is_month or year not in _RECORD_YEARS:
        return None
    return DateFound(
        *match.span(), DateValue(year, month, None), 0.8, "date.month_year"
    )


def _read_partial(
    low: str, match: re.Match[str], first: str, last_end: int
) -> DateFound | None:
    start, end = match.span()
    if match["mark"] == "." and low[start - 3 : start] not in _DOTTED_LEADS:
        return None
    read = read_parts(int(first), int(match["second"]), None)
    if read is None:
        return None
    is_padded = first[0] == "0" or match["second"][0] == "0"
    if match["mark"] != "/":
        if match["mark"] == "." or not (first[0] == "0" and len(match["second"]) == 2):  # noqa: PLR2004 - two figures
            return _read_dotted(low, match, read, first)
        if not has_date_word(low, start) or low[end : end + 1].isalpha():
            return None
        return DateFound(start, end, read[0], 0.75, "date.partial", read[1])
    is_next = last_end >= 0 and is_range_gap(low, last_end, start)
    score = weigh_partial(
        low,
        (start, end),
        (int(first), int(match["second"])),
        is_padded=is_padded,
        is_next=is_next,
    )
    if score == 0:
        return None
    return DateFound(start, end, read[0], score, "date.partial", read[1])


def _read_dotted(
    low: str, match: re.Match[str], read: tuple[DateValue, DateValue | None], first: str
) -> DateFound | None:
    """Read `24.3.` and `6.6`, which are dates only where words say so."""
    start, end = match.span()
    if match["mark"] != "." or len(first) > 2:  # noqa: PLR2004 - a day has two figures
        return None
    has_dot = low[end : end + 1] == "."
    is_led = _DOTTED_BEFORE.search(low[max(0, start - 24) : start]) is not None
    goes_on = low[end : end + 2] == ". " and low[end + 2 : end + 5] in {
        "to ",
        "by ",
        "bis",
        "and",
        "at ",
    }
    if (
        not (
            is_led
            and (goes_on or not has_dot)
            and low[end : end + 1] in {".", ":", " ", ","}
        )
        or low[end : end + 2] == " m"
    ):
        return None
    if not goes_on and not _ENTRY_BEFORE.search(low[max(0, start - 24) : start]):
        return None
    return DateFound(start, end, read[1] or read[0], 0.7, "date.dotted", read[0])


_DOTTED_BEFORE: Final = re.compile(
    r"\b(?:on|from|since|until|am|vom|bis|entry for|dated|dob)\s$"
)
_ENTRY_BEFORE: Final = re.compile(r"\b(?:entry for|dated|note of|am|vom)\s$")


def _read_month_year(low: str, match: re.Match[str]) -> DateFound | None:
    month, year = re.split(r"[/-]", match.group())
    if not 1 <= int(month) <= _MONTHS:
        return None
    before = low[max(0, match.start() - 16) : match.start()]
    value = DateValue(int(year), int(month), None)
    is_neutral = _EXPIRY_BEFORE.search(before) is not None
    return DateFound(*match.span(), value, 0.88, "date.month_year", None, is_neutral)


def _read_cued(low: str, start: int, size: int) -> DateFound | None:
    """Read figures that only the words before them make a date."""
    before = low[max(0, start - 24) : start]
    if size in _JULIAN_SIZES:
        if _JULIAN_BEFORE.search(before) is None:
            return None
        value = DateValue(None, None, None)
        return DateFound(start, start + size, value, 0.8, "date.julian")
    if before[-1:] not in _BEHIND_BIRTH or _RIGHT_BEHIND_BIRTH.search(before) is None:
        return None
    parts = _BIRTH_PARTS if size == _SIX else _BIRTH_SPACED
    match = parts.match(low, start)
    if match is None:
        return None
    first, second, year = (int(part) for part in match.group(1, 2, 3))
    read = read_parts(first, second, full_year(year))
    if read is None:
        return None
    return DateFound(*match.span(), read[0], 0.85, "date.birth", read[1])


def _read_compact(low: str, start: int) -> DateFound | None:
    if match := _COMPACT.match(low, start):
        digits = match.group()
        value = DateValue(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    elif match := _COMPACT_US.match(low, start):
        digits = match.group()
        value = DateValue(int(digits[4:]), int(digits[:2]), int(digits[2:4]))
    else:
        return None
    if not validators.is_calendar_day(value.year, value.month or 0, value.day or 0):
        return None
    return DateFound(*match.span(), value, 0.8, "date.compact")
