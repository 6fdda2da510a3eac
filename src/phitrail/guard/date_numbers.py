r"""Dates in figures: `03/14/1958`, `2025-04-08T09:40Z`, `20250214`, `11/2022`, `2/3`.

1. A date of three parts that stands in the calendar is a date; with dots it is one
   only where no version, section or code word stands before it.
2. Month and year (`11/2022`, `2023-07`) is one where the month is a month.
3. Month and day (`2/3`) could be a score, a fraction, a dose or a strength of muscle.
   `_is_partial` weighs it: words for scores and units refuse it, words for dates and
   times admit it, and without either only a day above 12 or a leading zero does.
"""

# ruff: noqa: E501, RUF001, ISC004, PERF401, PLR2004, RUF100, RUF021, SIM102, ARG001, FURB171, RUF200

import re
from typing import Final

from phitrail.guard import validators
from phitrail.guard.date_values import DateFound, DateValue, full_year, read_parts
from phitrail.guard.digit_runs import Run

_FIGURES: Final = re.compile(
    r"\d(?<![\w.]\d)\d{0,3}(?P<mark>[/.-])(?P<second>\d{1,2}|[ivx]{1,4}(?=[/.-]\d))"
    r"(?:(?P=mark)(?P<third>\d{4}|\d{1,2}))?(?!\d)"
)
_STAMP: Final = re.compile(
    r"(?:t\d\d:?\d\d(?::?\d\d(?:\.\d{1,9})?)?| \d\d:\d\d:\d\d(?:\.\d{1,9})?)(?: ?(?:z|utc)\b|[+-]\d\d:?\d\d)?"
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
    r"(?:\b(?:v|ver|version|section|sec|chapter|figure|fig|table|step|appendix|release|item|oid|rev|part|§)\.? ?|§ ?|[\w.]/|#|\$)$"
)
_BIRTH_BEFORE: Final = re.compile(
    r"(?:dob|birth|born|bday|geboren|nacimiento)[^\n]{0,30}$"
)
_SCORES: Final = (
    r"\b(?:pain|scores?|scored|scale|strength|murmurs?|apgars?|gcs|moca|mmse|slums|phq|gad|"
    r"power|reflex(?:es)?|pulses|rated|rating|nrs|vas|motor|muscle|visual acuity|va|vision|"
    r"dtrs?|lovett|oxford|edema|likert|rass|severity|grade|nihss|mrs|ecog|cam|audit|cage|"
    r"station|effaced|hpf|criteria|bottles|nodes?|cores?|sets?|bp|fraction|ratio)\b"
)
_SCORE_BEFORE: Final = re.compile(rf"{_SCORES}[^\d.,;|\n()]{{0,22}}$")
_SCORE_AFTER: Final = re.compile(
    rf" (?:on |in |for )?(?:the |a )?(?:[a-z]{{2,12}} )?{_SCORES}(?! ?\d)"
)
_UNIT_AFTER: Final = re.compile(
    r"\s?(?:mg|mcg|ml\b|meq|g\b|%|strength|bilat|in all|throughout|systolic|diastolic|sem\b|"
    r"murmur|pain|tabs?\b|tablets?|cups?\b|inch|ns\b|normal saline|nodes?|cores?|bottles|"
    r"sets\b|positive|pos\b|lymph|dilution|l\b|mmhg|points?|items?|questions|domains|of the|"
    r"of (?:her|his|all|a)\b|correct|words|objects|patients|hpf|units?\b|ppd|packs?|cm\b|mm\b|"
    r"in severity|intensity|at rest|with movement|on exertion|criteria|dose|strips?|screw|"
    r"needle|dextrose|d5|pint|hours?|hrs?\b|h\b|days?\b|wks?\b|weeks?\b|minutes|sutures?|\+)"
)
_DATE_BEFORE: Final = re.compile(
    r"(?:\b(?:on|by|since|until|till|til|thru|through|from|between|due|dated|dates?|dos|visit|"
    r"seen|admit(?:ted)?|adm|admission|discharged?|dc'?d?|d/c|filled|fill|started|start|"
    r"stopped|stop|last|next|f/?u|follow-?up|lmp|edd|edc|dob|bday|born|signed|drawn|drew|"
    r"collected|received|reported|placed|removed|cleared|done|repeat|recheck|tomorrow|"
    r"tmrw|tmw|today|tonight|yesterday|before|after|of|for|sent|given|held|out|in|off|"
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tues?|wed|thur?s?|fri|"
    r"sat|sun|week of|wk of|w/c|w/e|ending|end|ends|begins?|effective|as of|entry|rtc|appt|"
    r"appointment|labs?|mri|ct|cta|ctpa|us|echo|tte|tee|ekg|ecg|cxr|xr|scan|surgery|procedure|"
    r"colonoscopy|egd|biopsy|bx|cath|picc|peg|culture|cx|ucx|bcx|swab|clinic|screen|scheduled|"
    r"sched|booked|slot|consented|withdrew|enrolled|cleared|extubated|intubated|transferred|"
    r"resected|completed|updated|changed|note|letter|call|called|refill(?:ed)?|expires|"
    r"delivered|pronounced|died|expired|diagnosed|dx'?d?|operated|op|or|down|up|back|prior|"
    r"previous|first|second|dose|ortho(?:pedics)?|pcp|cardiology|neurology|consent|statement|"
    r"implanted|lapsed|present|resulted|results?|ordered|mailed|faxed|approved|denied|valid|run)[ :,]{0,2}"
    r"(?:the |(?:week|wk|night|morning|evening|weekend) of |of )?[(]?|^[-*•\s\d.)]{0,6}|\n[-*•\s]{0,6}|[(\[]|\| ?|[\"'*]{1,2})$"
)
_DATE_AFTER: Final = re.compile(
    r"\s?(?:@|at \d|at noon|\d{4}\b(?! ?mg)|\d{1,2}:\d\d|\d{1,2} ?[ap]m?\b|am\b|pm\b|w/|with dr|with np|"
    r"visit|clinic|appt|labs|mri\b|ct\b|culture|fill|overnight|note\b|per\b|by dr|,? ?[12]\d:\d\d)"
)
_RANGE_GAP: Final = re.compile(
    r"\s?(?:[-–—,&;/]|to|and|or|through|thru|until|then|vs|then on|and on|,? and)\s?(?:on )?"
)
_SCORE_BASES: Final = frozenset({4, 5, 6, 10})
_RARE_BASES: Final = frozenset({1, 8, 11, 12})
_MONTHS: Final = 12
_MARKS: Final = frozenset("/.-")
_EXPIRY_BEFORE: Final = re.compile(
    r"\bexp(?:iry|iration)?\.?(?:[_ ]?date)?[\s:\"']{0,5}$"
)


def find_figures(low: str, runs: list[Run]) -> list[DateFound]:
    """Find dates in figures in a lowered text."""
    found: list[DateFound] = []
    last_end = -1
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
        if date is not None:
            found.append(date)
            last_end = date.end
    return found


def _read(low: str, match: re.Match[str], last_end: int) -> DateFound | None:
    start, end, mark = match.start(), match.end(), match["mark"]
    before, after = low[max(0, start - 1) : start], low[end : end + 2]
    is_joined = last_end >= start - 1 >= 0 and before in {"-", "–"}
    if (
        before in {"/", "-", "$", "#", ":"}
        and not is_joined
        and not (before == ":" and low[start - 2 : start - 1].isalpha())
    ):
        return None
    if after[:1].isalpha() and after[:1] not in "t" or after[:1] in {"/", "_"}:  # noqa: RUF021 - read left to right
        return None
    if (
        mark != "/"
        and after[:1] == "-"
        and after[1:].isdecimal()
        or (after[:1] == "." and after[1:].isdecimal())
    ):  # noqa: RUF021 - read left to right
        return None
    first = low[start : match.start("mark")]
    if match["third"] is not None:
        return _read_three(low, match, first)
    if len(first) in {1, 2} and len(match["second"]) <= 2:  # noqa: PLR2004 - a month or day has two figures
        year = _YEAR_TAIL.match(low, match.start("second"))
        if year:
            return None
        return _read_partial(low, match, first, last_end)
    return _read_year_month(low, match, first)


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
    if before.endswith(("'", "’")) and int(first) > 31:  # noqa: PLR2004 - no day is above 31
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
    if low[start - 1 : start] not in {"'", "’"} or len(first) != 2:  # noqa: PLR2004 - a year in two figures
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


def _read_year_month(low: str, match: re.Match[str], first: str) -> DateFound | None:
    if len(first) != 4 or match["mark"] == ".":  # noqa: PLR2004 - a year in full
        return None
    year, month = int(first), int(match["second"])
    if (
        len(match["second"]) != 2
        or not 1 <= month <= _MONTHS
        or not 1900 <= year <= 2100
    ):  # noqa: PLR2004 - years that a record can hold
        return None
    return DateFound(
        *match.span(), DateValue(year, month, None), 0.8, "date.month_year"
    )


def _read_partial(
    low: str, match: re.Match[str], first: str, last_end: int
) -> DateFound | None:
    start, end = match.span()
    read = read_parts(int(first), int(match["second"]), None)
    if read is None:
        return None
    is_padded = first[0] == "0" or match["second"][0] == "0"
    if match["mark"] != "/":
        if match["mark"] == "." or not (first[0] == "0" and len(match["second"]) == 2):  # noqa: PLR2004 - two figures
            return _read_dotted(low, match, read, first)
        if (
            not _DATE_BEFORE.search(low[max(0, start - 40) : start])
            or low[end : end + 1].isalpha()
        ):
            return None
        return DateFound(start, end, read[0], 0.75, "date.partial", read[1])
    is_next = last_end >= 0 and _RANGE_GAP.fullmatch(low, last_end, start) is not None
    score = _weigh_partial(
        low,
        (start, end),
        (int(first), int(match["second"])),
        is_padded=is_padded,
        is_next=is_next,
    )
    if score == 0:
        return None
    return DateFound(start, end, read[0], score, "date.partial", read[1])


def _weigh_partial(
    low: str,
    span: tuple[int, int],
    parts: tuple[int, int],
    *,
    is_padded: bool,
    is_next: bool,
) -> float:
    """Weigh whether two numbers with a slash are a month and a day; 0 if they are not."""
    start, end = span
    before, after = low[max(0, start - 40) : start], low[end : end + 24]
    if is_next:
        return 0.85
    if _UNIT_AFTER.match(after) or before.endswith(("$", ">", "<", "=", "≥", "≤", "~")):
        return 0.0
    is_signed = _SIGNED_BEFORE.search(before) is not None
    has_cue = is_signed or _DATE_BEFORE.search(before) is not None
    has_time = _DATE_AFTER.match(after) is not None
    near = _SCORE_BEFORE.search(before) or _SCORE_AFTER.match(after)
    if near and not (
        has_time or is_padded or before.endswith(("on ", "since ", "until "))
    ):
        return 0.0
    is_day = parts[1] > _MONTHS
    if has_cue or has_time:
        if (
            has_time
            or is_day
            or not _is_fraction(parts)
            or is_signed
            or _STRONG.search(before)
        ):
            return 0.9
        return 0.85 if _opens_item(before, after) else 0.0
    if is_padded:
        return 0.85
    if is_day:
        return 0.75
    closes = (
        after[:1] in {".", ",", ";", ")", "|", "\n", ""} and not after[1:2].isdecimal()
    )
    return (
        0.55
        if closes
        and before[-1:] == " "
        and before[-2:-1].isalpha()
        and parts[1] in _RARE_BASES
        else 0.0
    )


def _opens_item(before: str, after: str) -> bool:
    """Whether the numbers begin a line and a colon follows, as in a list of events."""
    return after[:1] == ":" and before.rstrip("-*\u2022 ")[-1:] in {"", "\n"}


_SIGNED_BEFORE: Final = re.compile(r"\b(?:by|per|w/|with) [a-z.\u2019' -]{3,34}, $")
_STRONG: Final = re.compile(
    r"\b(?:on|by|since|until|till|thru|due|dated|date|visit|seen|admitted|discharged|filled|"
    r"last|next|f/?u|follow-?up|lmp|edd|dob|tomorrow|tmrw|today|from|after|before|placed|out|"
    r"started|sent|mon|tues?|wed|thur?s?|fri|sat|sun|monday|tuesday|wednesday|thursday|"
    r"friday|saturday|sunday|w/c|week of|for|entry|labs?|done|between|of|updated|back|note|lapsed|ends|through)\b[ ,:(]{0,3}$"
)


def _is_fraction(parts: tuple[int, int]) -> bool:
    return parts[1] in _SCORE_BASES and parts[0] <= parts[1]


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
