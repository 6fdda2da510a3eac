r"""Addresses that have a shape: number and street, post-office box, ZIP code.

A street is a house number, one to four words, and a suffix of USPS Publication 28 (or
a numbered road). Suffixes that are also everyday or clinical words ("ct", "way", "dr")
need a capital before them. A ZIP code needs the state before it, or a street near by:
five digits alone are a laboratory number or a code. The first three digits of a ZIP
may stay under 45 CFR 164.514(b)(2)(i)(B); that is the policy's choice, not the rule's.
"""

# ruff: noqa: E501, RUF001, ISC004, PERF401, PLR2004, RUF100, RUF021, SIM102, ARG001, FURB171, RUF200

import re
from typing import Final

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard.patterns.hits import Hit

_SURE: Final = (
    "street|avenue|ave|av|road|rd|boulevard|blvd|lane|ln|drive|highway|hwy|parkway|pkwy|"
    "terrace|terr|expressway|turnpike|tpke|causeway|freeway|crossing|alley|calle|avenida|"
    "rue|strasse|straße|plaza|esplanade|crescent|cres|broadway|trail|trl"
)
_OPEN: Final = (
    "st|dr|ct|court|way|pl|place|cir|circle|sq|square|loop|row|run|path|pass|point|pt|park|"
    "hill|hl|ridge|rdg|cove|cv|walk|mews|close|glen|bend|view|vista|gate|landing|hollow|"
    "knoll|meadow|meadows|manor|green|commons|grove|heights|hts|ter|pike|mill|creek|bluff|"
    "bay|harbor|wharf|quay|camino|via|paseo"
)
_UNIT: Final = (
    r"(?:,? ?(?:#|apt|apartment|unit|suite|ste|rm|lot|trlr|bldg|floor|fl|spc|no)\b\.? ?#?"
    r"[A-Za-z0-9-]{1,6}|,? ?# ?[A-Za-z0-9-]{1,6})?"
)
_STREET: Final = re.compile(
    r"\d(?<![\w./:$-]\d)\d{0,5}(?:[A-Za-z]\b|-\d{1,5}| 1/2)?,? (?:(?:N|S|E|W|NE|NW|SE|SW)\b\.? )?"
    r"(?P<words>(?:(?:[^\W\d_]|\d{1,3}(?:st|nd|rd|th)\b)[\w'’.-]{0,20} ){1,4}?)"
    rf"(?:(?P<sure>{_SURE})|(?P<open>{_OPEN}))\b\.?(?: (?:NE|NW|SE|SW|N|S|E|W)\b\.?)?{_UNIT}",
    re.IGNORECASE,
)
_NUMBERED: Final = re.compile(
    r"\d(?<![\w./:$-]\d)\d{0,5} (?:(?:N|S|E|W|North|South|East|West) )?(?:(?:county|state|us|old) )?"
    r"(?:road|rd|highway|hwy|route|rte|rt|cr|sr|fm|avenue|ave)\.? \d{1,5}[A-Z]?\b"
    + _UNIT,
    re.IGNORECASE,
)
_BOX: Final = re.compile(
    r"(?:\bp\.? ?o\.? ?(?:box|b\.)|\bpost office box|\bpobox|\b(?:rr|hc|psc|cmr|rural route) ?#?\d{1,3},? box|^box|\n *box)"
    r" ?#?[a-z0-9-]{1,8}"
)
_STATES: Final = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|"
    "NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|PR|GU|VI|AS|MP"
)
_STATE_NAMES: Final = (
    "alabama|alaska|arizona|arkansas|california|colorado|connecticut|delaware|florida|"
    "georgia|hawaii|idaho|illinois|indiana|iowa|kansas|kentucky|louisiana|maine|maryland|"
    "massachusetts|michigan|minnesota|mississippi|missouri|montana|nebraska|nevada|"
    "new hampshire|new jersey|new mexico|new york|north carolina|north dakota|ohio|"
    "oklahoma|oregon|pennsylvania|rhode island|south carolina|south dakota|tennessee|"
    "texas|utah|vermont|virginia|washington|west virginia|wisconsin|wyoming|"
    "district of columbia|puerto rico|guam"
)
_ZIP: Final = re.compile(r"\d(?<![\w.$#/-]\d)\d{4}(?:-\d{4})?(?![\w%/]|[.,-]\d)")
_BEFORE_ZIP: Final = re.compile(
    rf"(?:(?:^|[^A-Za-z])(?:{_STATES})|(?:^|[^A-Za-z])[A-Z]\.[A-Z]\.|\b(?i:{_STATE_NAMES}|zip|zip code|zipcode|postal code|postcode))"
    r"[\s,.:*|\"#-]{0,4}$"
)
_NEAR: Final = 60
_NOT_STREET: Final = re.compile(
    r"\b(?:mg|mcg|ml|kg|units?|days?|weeks?|months?|years?|hours?|minutes?|times|of|the|with|"
    r"and|or|for|in|on|at|to|by|per|from|patients?|is|was|had|has|then|tabs?|tablets?|"
    r"doses?|mm|cm|yo|yrs?|old|more|view|views|slice|lead|channel|am|pm|a\.m\.|p\.m\.|hr|hrs)\b",
    re.IGNORECASE,
)


def find_places(text: str, low: str) -> list[Hit]:
    """Find streets, boxes and ZIP codes."""
    hits: list[Hit] = []
    for match in _STREET.finditer(text):
        if _is_street(match):
            hits.append(Hit(*match.span(), Class.GEOGRAPHIC, 0.92, "street"))
    for match in _NUMBERED.finditer(text):
        hits.append(Hit(*match.span(), Class.GEOGRAPHIC, 0.85, "street.numbered"))
    if "box" in low:
        for match in _BOX.finditer(low):
            hits.append(Hit(*match.span(), Class.GEOGRAPHIC, 0.92, "street.box"))
    _find_zips(text, hits)
    return hits


def _is_street(match: re.Match[str]) -> bool:
    words = match["words"]
    if _NOT_STREET.search(words):
        return False
    is_named = any(word[:1].isupper() or word[:1].isdecimal() for word in words.split())
    if match["open"]:
        return is_named and match["open"][0].isupper()
    return is_named or words.count(" ") <= 2  # noqa: PLR2004 - a street in lower case has one or two words


def _find_zips(text: str, hits: list[Hit]) -> None:
    streets = [hit.end for hit in hits]
    for match in _ZIP.finditer(text):
        start = match.start()
        is_near = any(0 <= start - end <= _NEAR for end in streets)
        if _BEFORE_ZIP.search(text[max(0, start - 26) : start]):
            hits.append(Hit(*match.span(), Class.GEOGRAPHIC, 0.93, "zip.state"))
        elif (
            is_near
            or len(match.group()) > 5
            and "," in text[max(0, start - 20) : start]
        ):  # noqa: PLR2004, RUF021 - five digits, or nine with a hyphen
            hits.append(Hit(*match.span(), Class.GEOGRAPHIC, 0.8, "zip.street"))
