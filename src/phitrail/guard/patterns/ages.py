"""Ages over 89, and the birth year that would give one away.

45 CFR 164.514(b)(2)(i)(C) lets ages up to 89 stand and takes those above, with "all
elements of dates (including year) indicative of such age". Only the number is marked.
A limit ("over 90", ">90", "90+") is nobody's age, nor is the decade ("in her 90s"), which
says no more than that she is 90 or older; a part of it ("her late nineties") does. A
birth year counts when the text itself gives an age over 89, or a year at least 90 years
later, or when it lies before `_ALWAYS_OLD`: a fixed year, because this file reads no
clock.
"""

import bisect
import re
from collections.abc import Sequence
from typing import Final

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard.dates import DateFound
from phitrail.guard.digit_runs import Run
from phitrail.guard.patterns.hits import Hit

_NUMBER: Final = re.compile(
    r"(?:9|1[0-2])(?<![\w.,/:<>$\u20ac\u00a3\u2265\u2264+-][91])\d(?![\d%/+]|[.,:]\d|-\d)"
)
_AFTER: Final = re.compile(
    r"[ -]?(?:y/?o\b|yrs?\b|years?[ -](?:old|of age)|year-old|y\.o|yo[mf]?\b|"
    r"[mf]\b(?![./])|y\b|"
    r"jahre|ans\b|a\u00f1os|anos\b)"
)
_BEFORE: Final = re.compile(
    r"(?:\bage(?:[\s:*|=\"'_]{1,6}(?:is |was )?)?|\baged|\bage of|\blived to(?: be)?|"
    r"\b(?:died|dead|passed(?: away)?|deceased) at|\bturn(?:s|ed|ing))[\s:*|\"']{0,4}$"
)
_PERSON_BEFORE: Final = re.compile(
    r"(?:\b(?:he|she|mother|father|mom|dad|grandmother|grandfather|gma|gpa|wife|"
    r"husband|patient|pt|"
    r"who|sister|brother|aunt|uncle|mrs?\.? [a-z'-]{2,20})|\)) (?:is|was|turns|"
    r"turned)(?: now| already)? $"
)
_LISTED_BEFORE: Final = re.compile(
    r"(?:\b(?:gma|gpa|mother|father|mom|dad|husband|wife|grandmother|grandfather|aunt|uncle|"
    r"sister|brother|neighbor|widow|widower|female|male|man|woman|(?:room|bed|rm) [\w-]{1,6}),|"
    r"\d{4}\)? ?/|(?:19|20)\d\d \(|(?:19|20)\d\d,) ?$"
)
_NAME_BEFORE: Final = re.compile(
    r"(?:[A-Z][\w'\u2019-]{1,20}\"?|\b[A-Z]\.(?: ?[A-Z][a-z]?\.)*[A-Z]\.)(?:,| \() ?$"
)
_LIMIT_BEFORE: Final = re.compile(
    r"(?:over|above|under|below|than|least|beyond|past|up to|until|of|between|and|≥|>)\s?$"
)
_WORDS: Final = re.compile(
    r"\b(?:(?P<noun>nonagenarian|centenarian)|ninety(?:[ -](?:one|two|three|four|five|"
    r"six|seven|"
    r"eight|nine))?|(?:a |one )hundred(?: and)? (?:one|two|three|four|five|six|seven)|"
    r"one hundred)\b"
)
_PART_OF_DECADE: Final = re.compile(
    r"\bin (?:his|her|their) (?P<part>(?:very )?(?:early|mid|late)[ -](?:nineties|90'?s))"
    r"\b(?! (?:systolic|mmhg|bpm|on room))"
)
_WORD_AGE_BEFORE: Final = re.compile(
    r"(?:\bage|\baged|\bturn(?:s|ed|ing)|\bis(?: an?)?|\bwas) $"
)
_BORN_BEFORE: Final = re.compile(
    r"(?:\bborn\b[^.;\n]{0,60}|(?:\bbirth ?year|\bbirthdate|\byear of birth|\bb\.|\bdob|\byob)"
    r"[\s:*|\"'(),=-]{0,8})$"
)
_DATE_BEHIND: Final = frozenset("/-")
_YEARS: Final = re.compile(r"\b20[0-4]\d\b")
_ALWAYS_OLD: Final = 1935
_OLD: Final = 90
_YEAR_SIZE: Final = 4
_CENTURIES: Final = frozenset({"18", "19"})
_SIZES: Final = frozenset({2, 3})
_FIELD_ROOM: Final = 12


def find_old_ages(
    text: str, low: str, runs: list[Run], dates: Sequence[DateFound]
) -> list[Hit]:
    """Find ages over 89 and birth years that tell of one."""
    hits: list[Hit] = []
    for start, size, _ in runs:
        if size in _SIZES and text[start] in "19":
            match = _NUMBER.match(low, start)
            if match and int(match.group()) >= _OLD and _is_age(text, low, match):
                hits.append(Hit(*match.span(), Class.DATE, 0.93, "age.over_89"))
    if "nonagen" in low or "centen" in low or "ninety" in low or "hundred" in low:
        hits += _find_worded(low)
    if "90s" in low or "90's" in low or "nineties" in low:
        hits += [
            Hit(*match.span("part"), Class.DATE, 0.85, "age.worded")
            for match in _PART_OF_DECADE.finditer(low)
        ]
    hits += _find_birth_years(low, runs, bool(hits), dates)
    return hits


def _is_age(text: str, low: str, match: re.Match[str]) -> bool:
    start, end = match.span()
    before = low[max(0, start - 40) : start]
    if _LIMIT_BEFORE.search(before) and not _BEFORE.search(before):
        return False
    if _AFTER.match(low, end):
        return True
    if _BEFORE.search(before):
        return not low.startswith((" and ", " or ", " to ", "-"), end)
    closes = low[end : end + 1] in {",", ")", ".", ";", "\n", "", "|"}
    if _PERSON_BEFORE.search(before):
        return closes or low.startswith(
            (" and ", " today", " now", " but ", " with "), end
        )
    if _LISTED_BEFORE.search(before):
        return closes
    if _NAME_BEFORE.search(text[max(0, start - 26) : start]):
        return (
            low[end : end + 1] in {",", ")"} and _PLAIN_NUMBER.match(low, end) is None
        )
    return False


_PLAIN_NUMBER: Final = re.compile(r", \d")


def _find_worded(low: str) -> list[Hit]:
    return [
        Hit(*match.span(), Class.DATE, 0.9, "age.worded")
        for match in _WORDS.finditer(low)
        if match["noun"]
        or _AFTER.match(low, match.end())
        or _WORD_AGE_BEFORE.search(low[max(0, match.start() - 12) : match.start()])
    ]


def _find_birth_years(
    low: str, runs: list[Run], has_old_age: bool, dates: Sequence[DateFound]
) -> list[Hit]:
    born = [
        start
        for start, size, follower in runs
        if size == _YEAR_SIZE
        and low[start : start + 2] in _CENTURIES
        and follower not in _DATE_BEHIND
        and _BORN_BEFORE.search(low[max(0, start - 72) : start])
    ]
    if not born:
        return []
    newest = max((int(year) for year in _YEARS.findall(low)), default=0)
    starts = [date.start for date in dates]
    hits = []
    for start in born:
        year = int(low[start : start + _YEAR_SIZE])
        before = bisect.bisect_right(starts, start) - 1
        is_dated = before >= 0 and dates[before].end > start
        is_old = has_old_age or year <= _ALWAYS_OLD or newest - year >= _OLD
        if is_old and not is_dated:
            hits.append(
                Hit(start, start + _YEAR_SIZE, Class.DATE, 0.9, "age.birth_year")
            )
    return hits
