r"""Addresses that have a shape: number and street, post-office box, ZIP code.

A street is a house number, one to four words, and a suffix of USPS Publication 28 (or
a numbered road). Suffixes that are also everyday or clinical words ("ct", "way", "dr")
need a capital before them. A ZIP code needs the state before it, or a street near by:
five digits alone are a laboratory number or a code. Behind "address" or "lives at" a house
number and a capitalised word will do, suffix or not. The first three digits of a ZIP
may stay under 45 CFR 164.514(b)(2)(i)(B); that is the policy's choice, not the rule's.
"""

import bisect
import re
from typing import Final

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard.digit_runs import Run
from phitrail.guard.patterns.hits import Hit

_SURE: Final = (
    "street|avenue|ave|road|rd|boulevard|blvd|lane|ln|highway|hwy|parkway|pkwy|"
    "terrace|terr|expressway|turnpike|tpke|causeway|freeway|crossing|alley|calle|avenida|"
    "rue|strasse|straße|plaza|esplanade|crescent|cres|broadway|trail|trl"
)
_OPEN: Final = (
    "st|dr|drive|av|ct|court|way|pl|place|cir|circle|sq|square|loop|row|run|path|pass|"
    "point|pt|park|"
    "hill|hl|ridge|rdg|cove|cv|walk|mews|close|glen|bend|view|vista|gate|landing|hollow|"
    "knoll|meadow|meadows|manor|green|commons|grove|heights|hts|ter|pike|mill|creek|bluff|"
    "bay|harbor|wharf|quay|camino|via|paseo"
)
_UNIT: Final = (
    r"(?:,? ?(?:#|apt|apartment|unit|suite|ste|rm|lot|trlr|bldg|floor|fl|spc)\b\.? ?#?"
    r"(?=[A-Za-z]?-?\d|[A-Za-z]\b)[A-Za-z0-9-]{1,6}|,? ?# ?[A-Za-z0-9-]{1,6})?"
)
_HEAD: Final = re.compile(
    r"\d(?<![\w./:$-]\d)\d{0,5}(?:[A-Za-z](?= )|-\d{1,5}| 1/2)? (?=[^\W_])"
)
_WORD: Final = re.compile(
    r"(?:[^\W\d_]|\d{1,3}(?:st|nd|rd|th|ST|ND|RD|TH)\b)[\w'\u2019-]{0,20}(\.?)(?: |(?=\W|$))"
)
_TAIL: Final = re.compile(r"(?: (?:NE|NW|SE|SW|N|S|E|W)\b\.?)?" + _UNIT, re.IGNORECASE)
_SURE_SUFFIXES: Final = frozenset(_SURE.split("|"))
_OPEN_SUFFIXES: Final = frozenset(_OPEN.split("|"))
_ABBREVIATED: Final = frozenset("n s e w ne nw se sw st mt ft dr".split())
_SMALL_WORDS: Final = frozenset("of de la del los las the el von van du des".split())
_ADDRESS_BEFORE: Final = re.compile(
    r"\b(?:address|addr|lives at|living at|lived at|resides at|residing at|residence|"
    r"mailing|mail to|staying at|deliver(?:ed)? to|ship to)"
    r"(?: is| was| of)?[\s:=*#\"']{0,4}$"
)
_PLAIN_STREET: Final = re.compile(
    r"(?:[NSEW]\.? )?[A-Z][\w'\u2019-]{1,20}"
    r"(?: (?!(?:Apt|Unit|Suite|Ste|Lot)\b)[A-Z][\w'\u2019-]{0,20}){0,3}\b(?i:"
    + _UNIT
    + ")"
)
_MOST_WORDS: Final = 6
_SMALL_STREET: Final = 3
_HOUSE_SIZE: Final = 6
_BEHIND_HOUSE: Final = frozenset(" -,")
_NUMBERED: Final = re.compile(
    r"\d(?<![\w./:$-]\d)\d{0,5} (?:(?:N|S|E|W|North|South|East|West) )?(?:(?:county|"
    r"state|us|old) )?"
    r"(?:road|rd|highway|hwy|route|rte|rt|(?-i:CR|SR|FM)(?= \d\d)|avenue|ave)\.? "
    r"\d{1,5}[A-Z]?\b(?!\.\d)" + _UNIT,
    re.IGNORECASE,
)
_BOX: Final = re.compile(
    r"(?:\bp\.? ?o\.? ?(?:box|b\.)|\bpost office box|\bpobox|\b(?:rr|hc|psc|cmr|rural "
    r"route) ?#?\d{1,3},? box|^box|\n *box)"
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
    rf"(?:(?:^|[^A-Za-z])(?:{_STATES})|(?:^|[^A-Za-z])[A-Z]\.[A-Z]\.|"
    rf"\b(?i:{_STATE_NAMES}|zip|zip code|zipcode|postal code|postcode))"
    r"[\s,.:*|\"#-]{0,4}$"
)
_NEAR: Final = 60
_NOT_STREET: Final = frozenset(
    "h mg mcg ml kg g unit units day days week weeks month months year years hour "
    "hours minute minutes"
    " times with and or for in on at to by per from patient patients is was had has "
    "then tab tabs"
    " tablet tablets dose doses mm cm yo y yr yrs old more view views slice lead "
    "channel am pm hr hrs"
    " a an he she they who were be will should may can no not as"
    " but if so that this min mmol mmhg bpm".split()
)


def find_places(text: str, low: str, runs: list[Run]) -> list[Hit]:
    """Find streets, boxes and ZIP codes."""
    hits: list[Hit] = []
    for start, size, follower in runs:
        if size > _HOUSE_SIZE or not (follower in _BEHIND_HOUSE or follower.isalpha()):
            continue
        if head := _HEAD.match(text, start):
            end = _read_street(text, head.end())
            if end is not None:
                hits.append(Hit(start, end, Class.GEOGRAPHIC, 0.92, "street"))
            elif numbered := _NUMBERED.match(text, start):
                hits.append(
                    Hit(*numbered.span(), Class.GEOGRAPHIC, 0.85, "street.numbered")
                )
            elif _ADDRESS_BEFORE.search(low[max(0, start - 24) : start]) and (
                plain := _PLAIN_STREET.match(text, head.end())
            ):
                hits.append(
                    Hit(start, plain.end(), Class.GEOGRAPHIC, 0.8, "street.cue")
                )
    if "box" in low:
        hits += [
            Hit(*match.span(), Class.GEOGRAPHIC, 0.92, "street.box")
            for match in _BOX.finditer(low)
        ]
    _find_zips(text, runs, hits)
    return hits


def _read_street(text: str, at: int) -> int | None:
    """Read street words up to the last suffix among them; None if there is none."""
    end, is_named = None, False
    for place in range(_MOST_WORDS):
        match = _WORD.match(text, at)
        if match is None:
            break
        word = match.group().strip(" .")
        small = word.lower()
        is_big = word[0].isupper() or word[0].isdecimal()
        if small in _NOT_STREET or (
            not is_big and place >= _SMALL_STREET and small not in _SMALL_WORDS
        ):
            break
        if place and (
            small in _SURE_SUFFIXES or (small in _OPEN_SUFFIXES and is_big and is_named)
        ):
            end = at + len(match.group().rstrip(" "))
        is_named = is_named or is_big
        if match[1] and small not in _ABBREVIATED and len(word) > 1:
            break
        at = match.end()
        if text[at - 1] != " ":
            break
    if end is None:
        return None
    tail = _TAIL.match(text, end)
    return tail.end() if tail else end


def _find_zips(text: str, runs: list[Run], hits: list[Hit]) -> None:
    streets = sorted(hit.end for hit in hits)
    for start, size, _ in runs:
        match = _ZIP.match(text, start) if size == 5 else None  # noqa: PLR2004 - a ZIP code has five figures
        if match is None:
            continue
        before = bisect.bisect_right(streets, start) - 1
        is_near = before >= 0 and start - streets[before] <= _NEAR
        is_full = match.end() - start > 5 and "," in text[max(0, start - 20) : start]  # noqa: PLR2004 - nine figures with a hyphen
        if _BEFORE_ZIP.search(text[max(0, start - 26) : start]):
            hits.append(Hit(start, match.end(), Class.GEOGRAPHIC, 0.93, "zip.state"))
        elif is_near or is_full:
            hits.append(Hit(start, match.end(), Class.GEOGRAPHIC, 0.8, "zip.street"))
