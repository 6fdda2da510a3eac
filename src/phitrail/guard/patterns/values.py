r"""How an identifier is written, and what only looks like one.

A value is letters and digits joined by single marks (`55-10-283`, `PV:9c1f-22e0`), or
in groups with spaces (`600 118 2271`, `ABC 8840 1127 03`). Groups are taken only where
the first is short, so that the age after a long number is not swallowed. Dates, times,
amounts with a unit, years, and codes of medicine and research are never values of a
cue that asks for a code.
"""

import re
from typing import Final

from phitrail.guard.patterns.cue_words import CUES, Need

_JOINED = r"[A-Za-z0-9]{1,40}(?:[-./*_:\\+][A-Za-z0-9]{1,40}){0,8}"
_VALUE: Final = re.compile(_JOINED)
_GROUPS: Final = re.compile(
    r"(?:(?P<word>[A-Za-z]{1,5})(?:-[A-Za-z]{2})?|\d{1,4}|[A-Za-z]{1,4}-?\d{1,9})"
    r"(?: (?=[A-Za-z]{0,3}\d)[A-Za-z0-9]{1,12}(?:-[A-Za-z0-9]{1,6}){0,3}(?![/%\w]|[:.]\d)){1,4}"
)
_MASKED: Final = re.compile(
    r"[xX*#•]{2,5}(?:[-\s]?[xX*#•]{2,4}){0,3}[-\s]?\d{2,4}(?!\d)"
)
_UNIT: Final = re.compile(
    r"\s?(?:%|°|mg|mcg|µg|g\b|kg|ml|mls|l\b|dl|units?\b|iu\b|meq|mmol|mm|cm|m\b(?![:-])|"
    r"lbs?\b|oz\b|kcal|cal\b|bpm|hours?|hrs?\b|h\b|minutes?|min\b|days?|weeks?|wks?\b|"
    r"months?|mos?\b|years?|yrs?\b|y/o|yo\b|y\b|f\b|cells|copies|percent|tabs?\b|"
    r"tablets?|caps?\b|doses?|times|patients|participants|people|cases|steps|mmhg)",
    re.IGNORECASE,
)
_DATE: Final = re.compile(
    r"\d{1,2}[/.-]\d{1,2}[/.-](?:19|20)?\d{2}|(?:19|20)\d{2}[/.-]\d{1,2}[/.-]\d{1,2}"
    r"|\d{1,2}/\d{1,2}|\d{1,2}/(?:19|20)\d\d|\d{1,2}-?[A-Za-z]{3}-?(?:\d\d){1,2}"
    r"|\d{1,2}(?:st|nd|rd|th)"
)
_TIME: Final = re.compile(r"\d{1,2}:\d\d(?::\d\d)?(?:-\d{1,2}:\d\d)?")
_YEAR: Final = re.compile(r"(?:18|19|20)\d\d(?:-(?:19|20)?\d\d)?")
_NEUTRAL: Final = re.compile(
    r"(?:CMS|HCFA|SSA|OCR|VA|DD|NCT|PMID:?|PMC|ISRCTN|EudraCT|CPT|ICD|LOINC|SNOMED|NDC|"
    r"CVX|HCPCS|DRG)[-:]?\d.*"
    r"|[A-V]\d{4}|[A-TV-Z]\d[0-9AB](?:\.\w{1,4})?|\d{5}|(?:COVID|SARS|H\d+N)\S*",
    re.IGNORECASE,
)
_RESOURCE: Final = re.compile(r"[A-Z][A-Za-z]{3,30}/")
_MIXED: Final = re.compile(r"[A-Za-z]{3,5}\d{3}")
_CODE_WORDS: Final = frozenset(
    "lcd ncd cpt icd hcpcs drg part plan loinc ndc ref lot".split()
)
_DIGIT: Final = re.compile("[0-9]")
_DIGIT_GROUP: Final = re.compile(r"[ -]\d")
_KEPT_WORDS: Final = frozenset("csn enc eob era rx unos id".split())
_CODE_DIGITS = 4
_CODE_CHARACTERS = 5
_LONG_DIGITS = 6
_LONG_GROUPS = 6


def count_digits(value: str) -> int:
    """Count the digits 0 to 9 of a value."""
    return len(_DIGIT.findall(value))


def is_dated(value: str) -> bool:
    """Whether a value is written as a date, a time of day or a year."""
    return bool(
        _DATE.fullmatch(value) or _TIME.fullmatch(value) or _YEAR.fullmatch(value)
    )


def has_unit(text: str, end: int) -> bool:
    """Whether what follows makes the number before it an amount."""
    return _UNIT.match(text, end) is not None


def read_value(text: str, start: int, need: Need) -> int | None:
    """Read a value at a place.

    Returns:
        where the value ends, or None where nothing there meets the need.
    """
    if need is not Need.CODE and (masked := _MASKED.match(text, start)):
        return masked.end()
    joined = _VALUE.match(text, start)
    if joined is None:
        return None
    if (end := _read_groups(text, start, joined.end())) is not None:
        return end
    end = joined.end()
    return end if _meets(text, joined.group(), end, need) else None


def _read_groups(text: str, start: int, joined_end: int) -> int | None:
    groups = _GROUPS.match(text, start)
    if groups is None or groups.end() <= joined_end:
        return None
    value = groups.group()
    word = (groups["word"] or "").lower()
    spelled = value[: len(word)]
    if word and not (spelled.isupper() or _is_small_code(value, spelled)):
        return None
    is_alone = text[start + len(word) : start + len(word) + 1] == " "
    if is_alone and word not in _KEPT_WORDS and (word in CUES or word in _CODE_WORDS):
        return None
    least = _LONG_GROUPS - bool(word)
    if count_digits(value) < least or has_unit(text, groups.end()):
        return None
    return groups.end()


def _is_small_code(value: str, word: str) -> bool:
    """Whether small letters begin a code ("kyh 22 0418") and are no word of the text."""
    return word.islower() and _DIGIT_GROUP.match(value, len(word)) is not None


def _meets(text: str, value: str, end: int, need: Need) -> bool:
    digits = count_digits(value)
    if _RESOURCE.match(value):
        return False
    if need is Need.DIGIT:
        letters = sum(map(str.isalnum, value))
        return digits >= 1 and letters >= 3 and _date_mark(value) == ""  # noqa: PLR2004 - Need's own words
    if need is Need.DIGITS:
        return digits >= 3 and "/" not in _date_mark(value) and not has_unit(text, end)  # noqa: PLR2004 - Need's own words
    is_mixed = _MIXED.fullmatch(value) is not None
    return (digits >= _CODE_DIGITS or is_mixed) and _is_code(text, value, end, digits)


def _date_mark(value: str) -> str:
    return (
        "/"
        if ("/" in value and _DATE.fullmatch(value)) or _TIME.fullmatch(value)
        else ""
    )


def _is_code(text: str, value: str, end: int, digits: int) -> bool:
    plain = sum(map(str.isalnum, value))
    if plain < _CODE_CHARACTERS or is_dated(value) or _NEUTRAL.fullmatch(value):
        return False
    if value.isdecimal() and digits < _LONG_DIGITS:
        return False
    if value.replace(".", "").isdecimal() and "." in value:
        return False
    return not has_unit(text, end)
