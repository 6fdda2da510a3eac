"""Dates with words: `March 4, 2025`, `the 19th of May`, `30AUG1949`, `Tuesday`, `Easter`.

One pass finds each month, weekday, holiday and season (`date_words.TRIGGER`); what
stands left and right of it is then read in place. A month with a day or a year is a
date. A bare month, weekday, holiday or season is one only where a word ties it to what
happened or will ("since", "next", "seen"): "may" is mostly a verb, "sat" a saturation,
"MWF" and "Thursdays" are schedules, and a month beside "guideline" is a publication.
"""

import re
from typing import Final

from phitrail.guard.date_values import DateFound, DateValue, full_year
from phitrail.guard.date_words import (
    FOREIGN_MONTHS,
    FOREIGN_WEEKDAYS,
    HOLIDAYS,
    MONTHS,
    ORDINAL_DAY,
    SEASONS,
    SHORT_WEEKDAYS,
    SPOKEN_DAY,
    SPOKEN_YEAR,
    TRIGGER,
    WEAK_MONTHS,
    WEEKDAYS,
    spoken_number,
)

_YEAR: Final = r"(?:(?P<year>(?:18|19|20)\d\d)(?!\d)|['\u2019](?P<short>\d\d)(?!\d))"
_DAY_RIGHT: Final = re.compile(
    r"\.?(?:,? |[/.-])?(?:the )?(?:(?P<day>\d{1,2})(?!\d|:\d|/\d{1,2}(?!\d)|\.\d| ?%|"
    r"-year| ?mg| ?ml| ?tab| ?times)(?P<suffix>st|nd|rd|th)?"
    rf"(?![a-z])(?:\s?[-\u2013]\s?\d{{1,2}}(?![\d:/])(?:st|nd|rd|th)?)?|"
    rf"(?P<spoken>{SPOKEN_DAY})\b)"
    rf"(?:(?:,? (?:of |in )?|, ?|[-/.]){_YEAR}|[-/](?P<pair>\d\d)(?![\d:/])|,? "
    rf"(?P<worded>{SPOKEN_YEAR})\b)?"
)
_YEAR_RIGHT: Final = re.compile(
    rf"\.?(?:(?:,? (?:of |de )?|,|[-/.])?{_YEAR}|(?P<mark>[-/ "
    rf"])(?P<pair>\d\d)(?![\d/%]|[:.]\d|[-\u2013]\d| ?(?:mg|ml|y|mcg|%|[ap]m|h))|,? "
    rf"(?:of )?(?P<worded>{SPOKEN_YEAR})\b)"
)
_DAY_LEFT: Final = re.compile(
    r"(?:(?:\bthe )?(?<![\w.:/-])(?P<ordinal>\d{1,2})(?P<suffix>st|nd|rd|th)|"
    r"(?<![\w.:/-])(?P<day>\d{1,2})(?P<dot>\.)?|(?:\bthe )?\b(?P<spoken>"
    + ORDINAL_DAY
    + r"))(?P<gap> (?:of |de |day of )?|[-/.]|,? ?)$"
)
_PAIR: Final = re.compile(r"(?P<pair>\d\d)(?!\w)")
_YEAR_LEFT: Final = re.compile(r"(?<![\w./-])(?P<year>(?:19|20)\d\d)[ /-]$")
_MODIFIER: Final = re.compile(
    r"\b(?:early|mid|late|beginning of|end of|middle of)[ -]$"
)
_MONTH_BEFORE: Final = re.compile(
    r"\b(?:in|since|by|until|till|before|after|during|last|next|this|early|mid|late|of|"
    r"through|thru|from|"
    r"to|around|past|between|and|mid-|end of|due|born|for|back in)[ -](?:early |late |"
    r"mid[ -])?$"
)
_WEAK_MONTH_BEFORE: Final = re.compile(
    r"\b(?:in|since|by|until|till|before|during|last|next|early|mid|late|end of|"
    r"beginning of|through|thru)[ -](?:early |late |mid[ -])?$"
)
_SHORT_DAY_BEFORE: Final = re.compile(
    r"\b(?:on|since|until|till|til|by|next|last|thru|through|back|moved to|to|for|this|"
    r"due|hd|in|home|again|before|after|friday|phone|recheck|seen) $"
)
_SCHEDULE_BEFORE: Final = re.compile(
    r"\b(?:every|each|all|most|q|weekly on|alternate|any)\s$|(?:day|mon|wed|fri|tues?|"
    r"thur?s?)\s?(?:/|-|\u2013|, | and | through | to | or )\s?$|(?:mon|tues|wednes|"
    r"thurs|fri|satur|sun)day $"
)
_SCHEDULE_AFTER: Final = re.compile(
    r"s\b|\s?(?:/|-|\u2013|, | through | to | and | or )\s?(?:mon|tue|wed|thu|fri|sat|"
    r"sun|m/|w/)|-night\b|-morning\b"
    r"| (?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b|-only\b"
)
_WEEKDAY_TAIL: Final = re.compile(
    rf",? (?:the )?(?:\d{{1,2}}(?:st|nd|rd|th)\b|{ORDINAL_DAY}\b|\d{{1,2}}(?=[ .,;]|"
    rf"$)(?! ?(?:am|pm|a\b(?! las)|p\b|mg|ml|%|:|jan|feb|mar|apr|may|jun|jul|aug|sep|"
    rf"oct|nov|dec)))| (?:night|evening)\b"
)
_WEEKDAY_LEAD: Final = re.compile(
    r"(?:\bthe )?\b(?:first|second|third|fourth|last|1st|2nd|3rd|4th) $"
)
_IN_MONTH: Final = re.compile(r" (?:in|of) (?=[a-z])")
_PUBLICATION_BEFORE: Final = re.compile(
    r"\b(?:guidelines?|guidance|statement|recommendations?|warning|advisory|edition|"
    r"label|labeling|bulletin|alert|"
    r"communication|consensus|criteria|edits changed|curr|index|published|version|\bj|"
    r"med|rev|lancet|ann|fda|cdc|who|acog|"
    r"aha|acc|ada|idsa|nice|uspstf|aap|esc)[\s,:;(]{0,3}(?:(?:of|in|from|dated|updated|"
    r"revised|as of|[a-z]{3}/)[\s:]{0,2}){0,2}$"
)
_PUBLICATION_AFTER: Final = re.compile(
    r"[\s,)]{0,2}(?:guidance|guidelines?|statement|recommendation|update\b|edition|"
    r"label\b|safety communication|"
    r"consensus|advisory|;\d|issue\b|is [a-z]{3,14} (?:awareness )?month)"
)
_NOT_HOLIDAY_AFTER: Final = re.compile(
    r" ?(?:disease|factor|tree|egg|seals?|island|rn\b|lily|pattern|cactus|rose|party|"
    r"gift)|[ -]?(?:sunday )?brunch"
)
_HOLIDAY_WEAK: Final = frozenset(
    (
        "carnival",
        "advent",
        "epiphany",
        "lent",
        "tet",
        "eid",
        "holi",
        "solstice",
        "equinox",
        "mardi gras",
        "midsummer",
        "pentecost",
        "ve day",
        "d-day",
        "super bowl",
    )
)
_HOLIDAY_BEFORE: Final = re.compile(
    r"\b(?:on|since|until|till|by|before|after|during|last|next|over|at|around|for|of|"
    r"in|every|this|eval|due|was|is|visit|discharged|observ\w+|drink|the|through|from) "
    r"(?:last |next |the |week of )?$"
)
_SEASON_BEFORE: Final = re.compile(
    r"\b(?:(?:early|late|mid)[ -]|(?:since|until|by|before|during|in|over) (?:the |"
    r"this |last |next |early |late |mid[- ])?)$"
)
_PLAIN: Final = 31
_DAYS: Final = range(1, 32)


def find_phrases(low: str, text: str) -> list[DateFound]:
    """Find dates that are written with a word, in a text and its lowered form."""
    found: list[DateFound] = []
    for match in TRIGGER.finditer(low):
        word = match.group()
        if found and match.start() < found[-1].end:
            continue
        date = None
        if word in MONTHS:
            date = _read_month(low, text, match)
        elif word in WEEKDAYS:
            date = _read_weekday(low, text, match)
        elif word in HOLIDAYS:
            date = _read_holiday(low, match)
        elif word in SEASONS:
            date = _read_season(low, match)
        if date is not None:
            found.append(date)
    return found


def _read_month(low: str, text: str, match: re.Match[str]) -> DateFound | None:
    start, end = match.span()
    month = MONTHS[match.group()]
    window = max(0, start - 26)
    left = low[window:start]
    right = _DAY_RIGHT.match(low, end)
    day_left = _DAY_LEFT.search(left)
    if day_left and _day(day_left) in _DAYS and not (right and day_left["dot"]):
        return _read_day_first(low, match, day_left, window, month)
    is_day_right = right is not None and _day(right) in _DAYS
    if is_day_right and right and _is_plausible_right(low, text, match, right):
        return _read_month_first(low, match, right, left, month)
    if (right := _YEAR_RIGHT.match(low, end)) and (year := _year(right)) is not None:
        is_short = right["pair"] is not None and right["year"] is None
        if not is_short or (right["mark"] == "-" or right["mark"] == "/"):
            begin = _with_modifier(low, start)
            value = DateValue(year, month, None)
            return _judged(
                low, DateFound(begin, right.end(), value, 0.93, "date.month_year")
            )
    return _read_bare_month(low, text, match, month)


def _read_day_first(
    low: str, match: re.Match[str], left: re.Match[str], window: int, month: int
) -> DateFound | None:
    is_close = left["gap"] in {"", "-", "/", "."} or left["suffix"] or left["spoken"]
    if match.group() in WEAK_MONTHS and match.group() == "may" and not is_close:
        follows = low[match.end() : match.end() + 8]
        if (
            re.match(r" (?:be|have|not|need|take|also|re|\w+ )", follows)
            and not re.match(r" (?:19|20)\d\d", follows)
            and not re.match(r" at | by | with| for ", follows)
        ):
            return None
    start, end = window + left.start(), match.end()
    year = None
    if right := _YEAR_RIGHT.match(low, end) or (
        _PAIR.match(low, end) if not left["gap"] else None
    ):
        year, end = _year(right), right.end()
    value = DateValue(year, month, _day(left))
    return _judged(low, DateFound(start, end, value, 0.95, "date.day_month"))


def _read_month_first(
    low: str, match: re.Match[str], right: re.Match[str], left: str, month: int
) -> DateFound | None:
    start = match.start()
    year = _year(right)
    if year is None and (lead := _YEAR_LEFT.search(left)):
        year, start = int(lead["year"]), start - len(lead.group())
    value = DateValue(year, month, _day(right))
    return _judged(low, DateFound(start, right.end(), value, 0.95, "date.month_day"))


def _is_plausible_right(
    low: str, text: str, match: re.Match[str], right: re.Match[str]
) -> bool:
    """Whether a number behind a month is its day: "may 2 tablets" is not."""
    word = match.group()
    if word in FOREIGN_MONTHS:
        return False
    if word == "may" and right.group()[0] in ".," and not right["suffix"]:
        return _year(right) is not None
    if word not in WEAK_MONTHS or right["suffix"] or _year(right) is not None:
        return True
    if text[match.start()].isupper() and not right["spoken"]:
        return True
    if right["spoken"] and re.fullmatch(ORDINAL_DAY, right["spoken"]):
        return True
    return _MONTH_BEFORE.search(
        low[max(0, match.start() - 20) : match.start()]
    ) is not None or word not in {"may", "mar", "dec", "march"}


def _read_bare_month(
    low: str, text: str, match: re.Match[str], month: int
) -> DateFound | None:
    start, end = match.span()
    word = match.group()
    before = low[max(0, start - 30) : start]
    if len(word) <= 4 and word not in {"may", "june", "july"}:  # noqa: PLR2004 - abbreviations have three letters, or four
        if not (_ABBREVIATED_BEFORE.search(before) and _CLOSES.match(low, end)):
            return None
    elif word in FOREIGN_MONTHS:
        return None
    elif word in _SURE_MONTHS and text[start].isupper():
        begin = _with_modifier(low, start)
        return _judged(
            low, DateFound(begin, end, DateValue(None, month, None), 0.65, "date.month")
        )
    elif word in WEAK_MONTHS:
        is_upper = text[start].isupper()
        needed = (
            _WEAK_MONTH_BEFORE if word in {"may", "march", "august"} else _MONTH_BEFORE
        )
        if not (
            is_upper or word not in {"may", "march", "mars", "mai"}
        ) or not needed.search(before):
            return None
    elif not _MONTH_BEFORE.search(before):
        return None
    begin = _with_modifier(low, start)
    value = DateValue(None, month, None)
    return _judged(low, DateFound(begin, end, value, 0.7, "date.month"))


_ABBREVIATED_BEFORE: Final = re.compile(
    r"\b(?:since|until|till|in|last|next|thru|before|after) $"
)
_SURE_MONTHS: Final = frozenset(
    "january february july september october november december".split()
)


def _with_modifier(low: str, start: int) -> int:
    modifier = _MODIFIER.search(low[max(0, start - 14) : start])
    if modifier is None or " of" in modifier.group():
        return start
    return start - len(modifier.group())


def _read_weekday(low: str, text: str, match: re.Match[str]) -> DateFound | None:
    start, end = match.span()
    word = match.group()
    before = low[max(0, start - 30) : start]
    lead = _WEEKDAY_LEAD.search(before)
    nothing = DateValue(None, None, None)
    if lead and (step := _IN_MONTH.match(low, end)):
        month = TRIGGER.match(low, step.end())
        if month and month.group() in MONTHS:
            value = DateValue(None, MONTHS[month.group()], None)
            return DateFound(
                start - len(lead.group()), month.end(), value, 0.85, "date.weekday"
            )
    is_schedule = bool(
        _SCHEDULE_BEFORE.search(before) or _SCHEDULE_AFTER.match(low, end)
    )
    tail = _WEEKDAY_TAIL.match(low, end)
    if tail and _is_day_tail(word, tail.group()):
        day = re.search(r"\d+", tail.group())
        value = DateValue(None, None, int(day.group())) if day else nothing
        return DateFound(start, tail.end(), value, 0.88, "date.weekday")
    if is_schedule:
        return DateFound(
            start, end, nothing, 0.5, "date.weekday", None, is_neutral=True
        )
    if word in SHORT_WEEKDAYS:
        is_tied = (
            _SHORT_DAY_BEFORE.search(before) is not None
            and _AMOUNT_AFTER.match(low, end) is None
        ) or (
            word in _PLAIN_SHORT
            and (text[start:end].istitle() or word in {"fri", "thurs", "thur", "tues"})
            and _CLOSES.match(low, end) is not None
        )
    else:
        is_tied = True
    if not is_tied and _DATE_FOLLOWS.match(low, end) is None:
        return None
    return DateFound(
        start, end, nothing, 0.75, "date.weekday", None, is_neutral=not is_tied
    )


def _is_day_tail(word: str, tail: str) -> bool:
    """Whether what follows a weekday is a day of the month: "Monday 8" may be an hour."""
    day = re.search(r"\d+", tail)
    if day is None:
        return word not in {"sat", "sun"} or "night" in tail or "even" in tail
    number = int(day.group())
    if number not in _DAYS or (word in {"sat", "sun"} and "th" not in tail):
        return False
    return number > 12 or not tail[-1].isdecimal() or word in FOREIGN_WEEKDAYS  # noqa: PLR2004 - hours end at 12


_PLAIN_SHORT: Final = frozenset("mon tue tues wed weds thu thur thurs fri".split())
_CLOSES: Final = re.compile(r"[.,;)\n]|$| for | with | at | by ")
_AMOUNT_AFTER: Final = re.compile(
    r"\.? ?(?:\d\d ?%|\d\d\b(?!\d)|exposure|screen|light)"
)
_DATE_FOLLOWS: Final = re.compile(
    r"[.,]? ?(?:the )?(?:\d|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))"
)


def _read_holiday(low: str, match: re.Match[str]) -> DateFound | None:
    start, end = match.span()
    if _NOT_HOLIDAY_AFTER.match(low, end):
        return None
    if match.group() in _HOLIDAY_WEAK and not _HOLIDAY_BEFORE.search(
        low[max(0, start - 24) : start]
    ):
        return None
    year = None
    if (right := _YEAR_RIGHT.match(low, end) or _WEEKEND.match(low, end)) and (
        year := _year(right)
    ):
        end = right.end()
    return DateFound(start, end, DateValue(year, None, None), 0.85, "date.holiday")


_WEEKEND: Final = re.compile(
    rf" (?:weekend|week|season|day)(?:,? (?:of )?{_YEAR})?(?P<pair>)?(?P<worded>)?"
)


def _read_season(low: str, match: re.Match[str]) -> DateFound | None:
    start, end = match.span()
    before = low[max(0, start - 20) : start]
    right = _YEAR_RIGHT.match(low, end)
    if right and (right["year"] or right["short"]):
        value = DateValue(_year(right), None, None)
        return DateFound(start, right.end(), value, 0.88, "date.season")
    is_tied = _SEASON_BEFORE.search(before)
    if not is_tied or (
        match.group() in {"fall", "spring"}
        and not re.match(r"[\"'.,;)\n]|$", low[end : end + 1])
    ):
        return None
    begin = _with_modifier(low, start)
    return DateFound(begin, end, DateValue(None, None, None), 0.6, "date.season")


def _day(match: re.Match[str]) -> int:
    if figures := match["day"] or match.groupdict().get("ordinal"):
        return int(figures)
    return (spoken_number(match["spoken"]) or 0) if match["spoken"] else 0


def _year(match: re.Match[str]) -> int | None:
    groups = match.groupdict()
    if groups.get("year"):
        return int(groups["year"])
    if short := groups.get("short") or groups.get("pair"):
        return full_year(int(short))
    if groups.get("worded"):
        return spoken_number(groups["worded"])
    return None


def _judged(low: str, date: DateFound) -> DateFound:
    """Mark a date as nobody's where the words beside it speak of a publication."""
    before = low[max(0, date.start - 40) : date.start]
    signs = _PUBLICATION_BEFORE if date.value.day is None else _NOTICE_BEFORE
    if not signs.search(before) and not _PUBLICATION_AFTER.match(low, date.end):
        return date
    return DateFound(date.start, date.end, date.value, 0.4, date.rule, is_neutral=True)


_NOTICE_BEFORE: Final = re.compile(
    r"\b(?:fda|cdc|who|uspstf|ema|acog|aha|ada|cms|nice)\b[^.;\n]{0,24}"
    r"(?:warning|advisory|communication|statement|alert|label|update|recommendation|"
    r"guidance|memo)[\s,:;(]{0,3}(?:of |on |dated )?$"
)
