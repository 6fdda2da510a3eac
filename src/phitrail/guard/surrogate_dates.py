"""Move a written date by some days and write it the way it was written.

`03/14/1958`, `March 4, 2025`, `15-JAN-2025`, `the 19th of May`, `2025-03-04T10:00Z`, `2/3`,
`March`, `Tuesday`: the parts are replaced where they stand, so order, separators, padding
and letter case stay. What cannot be read for certain (a holiday, a date in words) is not
moved: `moved_date` says so with None, and the caller puts a placeholder there.

Two numbers without a month's name are read as month and day, unless the first is over 12.
A date without year or day is moved as if in mid month of a common year.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

_MONTHS = (
    "january february march april may june july august september october november "
    "december"
).split()
_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_TIME = re.compile(r"(?:T|[ ,]{1,3}(?:at )?)[0-2]?[0-9]:[0-5][0-9].*\Z", re.DOTALL)
_PART = re.compile(r"(?a:([0-9]+)(st|nd|rd|th)?\b)|([A-Za-z]+)", re.IGNORECASE)
_FILLING = frozenset({"the", "of", "on", "at", "in"})
_COMMON_YEAR = 2001
_MID_MONTH = 15
_SUFFIX_LETTERS = "stndrhSTNDRH"
_SHORT_WEEKDAYS = {"tues": 1, "thur": 3, "thurs": 3}
_SHORTEST_NAME = 3
_LONGEST_DAY = 2
_YEAR_DIGITS = 4


@dataclass(frozen=True, slots=True)
class _Part:
    start: int
    end: int
    text: str
    role: str


def moved_date(value: str, days: int) -> str | None:
    """Return a date moved by some days, or None where it cannot be read for certain."""
    time = _TIME.search(value)
    head = value[: time.start()] if time else value
    parts = _parts(head)
    if parts is None:
        return None
    numbers = {part.role: _number(part) for part in parts}
    try:
        moved = _calendar_day(numbers) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    in_words = " " in head and any(part.text.isalpha() for part in parts)
    out = head
    for part in reversed(parts):
        written = _written(part, moved, days, in_words=in_words)
        out = out[: part.start] + written + out[part.end :]
    return out + value[len(head) :]


def _parts(head: str) -> list[_Part] | None:
    """Tell the parts of a date apart: weekday, month, day, year; None if in doubt."""
    named: list[_Part] = []
    numbers: list[_Part] = []
    for found in _PART.finditer(head):
        digits, suffix, word = found.groups()
        if digits:
            text = digits + (suffix or "")
            numbers.append(_Part(found.start(), found.end(), text, ""))
            continue
        role_of_word = _role_of_word(word)
        if role_of_word is None:
            return None
        if role_of_word:
            named.append(_Part(found.start(), found.end(), word, role_of_word))
    has_month = any(part.role == "month" for part in named)
    roles = _roles_of_numbers(
        [part.text.rstrip(_SUFFIX_LETTERS) for part in numbers], has_month=has_month
    )
    if roles is None:
        return None
    parts = named + [
        _Part(part.start, part.end, part.text, role)
        for part, role in zip(numbers, roles, strict=True)
    ]
    distinct = {part.role for part in parts}
    if not parts or len(distinct) < len(parts) or distinct == {"year"}:
        return None
    return sorted(parts, key=lambda part: part.start)


def _role_of_word(word: str) -> str | None:
    """Say what a word is: a month, a weekday, "" for filling, None for none of them."""
    lower = word.lower()
    if lower in _FILLING:
        return ""
    if _place_of(lower, _MONTHS) is not None:
        return "month"
    if _weekday(lower) is not None:
        return "weekday"
    return None


def _roles_of_numbers(numbers: list[str], *, has_month: bool) -> list[str] | None:
    """Say what each number is; None if there are too many, or too long ones."""
    is_year = [len(number) == _YEAR_DIGITS for number in numbers]
    if any(
        len(n) > _LONGEST_DAY and not y for n, y in zip(numbers, is_year, strict=True)
    ):
        return None
    if has_month:
        roles = {0: [], 1: ["year" if any(is_year) else "day"], 2: ["day", "year"]}
        if len(numbers) == 2 and is_year[0]:  # noqa: PLR2004 - a pair
            return ["year", "day"]
        return roles.get(len(numbers))
    if len(numbers) == 3:  # noqa: PLR2004 - a triple
        if is_year[0]:
            return ["year", "month", "day"]
        return [*_month_and_day(numbers[0]), "year"]
    if len(numbers) == 2:  # noqa: PLR2004 - a pair
        if is_year[1]:
            return ["month", "year"]
        return None if is_year[0] else _month_and_day(numbers[0])
    return None if numbers else []


def _month_and_day(first: str) -> list[str]:
    return ["day", "month"] if int(first) > len(_MONTHS) else ["month", "day"]


def _number(part: _Part) -> int:
    if part.role == "month" and not part.text.isdecimal():
        return (_place_of(part.text.lower(), _MONTHS) or 0) + 1
    if part.role == "weekday":
        return _weekday(part.text.lower()) or 0
    number = int(part.text.rstrip(_SUFFIX_LETTERS))
    if part.role == "year" and len(part.text) <= _LONGEST_DAY:
        return 1900 + number if number > 30 else 2000 + number  # noqa: PLR2004 - a pivot
    return number


def _calendar_day(numbers: dict[str, int]) -> date:
    return date(
        numbers.get("year", _COMMON_YEAR),
        numbers.get("month", 6),
        numbers.get("day", _MID_MONTH),
    )


def _written(part: _Part, moved: date, days: int, *, in_words: bool) -> str:
    """Write one part of the moved date as the part that it takes the place of."""
    if part.role == "weekday":
        name = _WEEKDAYS[((_weekday(part.text.lower()) or 0) + days) % 7]
        return _shaped(name, part.text)
    if part.role == "month" and not part.text.isdecimal():
        return _shaped(_MONTHS[moved.month - 1], part.text)
    number = getattr(moved, part.role)
    if part.role == "year" and len(part.text) <= _LONGEST_DAY:
        number %= 100
    if not part.text.isdecimal():
        return f"{number}{_suffix(number)}"
    is_padded = part.text.startswith("0") or not in_words
    return str(number).zfill(len(part.text) if is_padded else 1)


def _suffix(number: int) -> str:
    if number in {11, 12, 13}:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _shaped(name: str, like: str) -> str:
    """Write a name as short, and in such letters, as the one that it replaces."""
    full = like.lower() in _MONTHS or like.lower() in _WEEKDAYS
    cut = name if full and like.lower() != "may" else name[:3]
    if like.isupper():
        return cut.upper()
    return cut if like.islower() else cut.capitalize()


def _place_of(word: str, names: list[str]) -> int | None:
    if len(word) < _SHORTEST_NAME:
        return None
    short = word if word != "sept" else "sep"
    for place, name in enumerate(names):
        if short in {name, name[:_SHORTEST_NAME]}:
            return place
    return None


def _weekday(word: str) -> int | None:
    return _SHORT_WEEKDAYS.get(word, _place_of(word, _WEEKDAYS))
