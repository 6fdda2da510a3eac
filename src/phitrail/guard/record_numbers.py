"""Ids and telephone numbers of a record, in a text.

An id is compared by its digits and letters alone, without leading zeros: inserted blanks,
dashes, dots, slashes, zeros before it and a prefix of letters do not hide it. What is too
short to mean something alone asks for more:

1. six digits or letters and more: found wherever they stand alone;
2. five: not with a unit, a price or a code system beside it;
3. four and fewer: only behind a word for a number (`MRN`, `account`, `#`);
4. the last four of an id or a phone: only behind `ending in`, `xxx-xx-`, `fax -` and such.

Ids that are spelled out are for `record_spoken`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import Found
from phitrail.guard.record_facts import DatedYear, Number
from phitrail.guard.record_text import PlacedText
from phitrail.guard.record_words import pieces

_FREE_LENGTH = 6
_CAREFUL_LENGTH = 5
_LAST = 4
_LONG_ENOUGH_FOR_LAST = 6
_ZIP_LENGTH = 5
_PHONE_LENGTH = 10
_LOCAL_LENGTH = 7
_JOINTS = frozenset(" -.:/_#()*|+,\\")
_LONGEST_JOINT = 3
_MOST_PIECES = 48
_LONGEST_PREFIX = 5

_CUES = frozenset(
    """
    mrn mr id ids no number num nr record chart acct account case visit claim member plan
    group policy file unit subject donor enc encounter csn fin har medical hospital patient
    license lic plate rx auth ref device serial sn policy badge ein mpi
    mbi hicn medicaid medicare pcn grp ssn
    """.split()
)
_CODE_CUES = frozenset(
    "cpt hcpcs icd loinc ndc snomed rxnorm code codes pmid nct".split()
)
_UNITS = frozenset(
    """
    mg mcg g kg ml l dl mmol meq units unit u iu ng pg cm mm m km kcal cal cells copies
    percent bpm mmhg steps feet ft hours days weeks minutes min k x
    """.split()
)
_SURE_BEFORE_LAST = re.compile(
    r"(?:\blast\s(?:four|4)\b|\bend(?:ing|s)?\s(?:in|with|on|at)\b|\bssn\b|\bsocial\b)"
    r"[^0-9\n]{0,30}$"
    r"|(?:[x\u2022*#]{2,8}(?:[- ][x\u2022*#]{2,4})?[- ]?|\.{3}|\u2026)$"
)
_BEFORE_LAST = re.compile(
    r"(?:\b(?:ending|ends|card|visa|mastercard|amex|acct|account|fax|phone|cell|tel|mobile"
    r"|pager|line|checking|debit|credit)\b\W{0,3}"
    r"|(?:^|[\s,;(/])[-\u2013])[\s:.#-]{0,3}$"
)
_MASK = re.compile(
    r"(?<![a-zA-Z])[xX\u2022*#]{1,8}(?:[- ]?[xX\u2022*#]{1,8}){0,3}[- ]?$"
)
_LOOK_BACK = 40
_EXTENSION = re.compile(
    r",?\s{0,2}(?:ext(?:ension)?|x)\.?\s{0,2}[:#]?\s{0,2}[0-9]{1,6}\b",
    re.IGNORECASE,
)
_YEARS = re.compile(r"(?:19|20)[0-9]{2}")


@dataclass(frozen=True, slots=True)
class NumberKeys:
    """Canonical ids with their classes, and every way one may begin."""

    ids: dict[str, IdentifierClass] = field(repr=False)
    beginnings: frozenset[str] = field(repr=False)
    lasts: dict[str, IdentifierClass] = field(repr=False)
    births: frozenset[str] = field(repr=False)
    birth_beginnings: frozenset[str] = field(repr=False)

    @classmethod
    def of(
        cls,
        numbers: Sequence[Number],
        phones: Sequence[Number],
        zips: Sequence[str],
        births: Sequence[DatedYear],
    ) -> Self:
        """Make the keys; births are ids too where they are written as eight digits."""
        ids: dict[str, IdentifierClass] = {}
        lasts: dict[str, IdentifierClass] = {}
        spelled: set[str] = set()
        for zip_code in zips:
            digits = "".join(pieces(zip_code))
            ids[digits[:_ZIP_LENGTH].lstrip("0")] = IdentifierClass.GEOGRAPHIC
            ids[digits.lstrip("0")] = IdentifierClass.GEOGRAPHIC
        for phone in phones:
            for key in _phone_keys(phone.value):
                ids[key] = phone.identifier_class
                lasts[key[-_LAST:]] = phone.identifier_class
        for number in numbers:
            compact = "".join(pieces(number.value))
            for key in _id_keys(compact):
                ids[key] = number.identifier_class
            if len(compact) >= _LONG_ENOUGH_FOR_LAST and _is_digits(compact[-_LAST:]):
                lasts[compact[-_LAST:]] = number.identifier_class
        for year, month, day in births:
            if month and day:
                for key in (f"{month:02}{day:02}{year}", f"{day:02}{month:02}{year}"):
                    ids[key.lstrip("0")] = IdentifierClass.DATE
                ids[f"{year}{month:02}{day:02}"] = IdentifierClass.DATE
                spelled.add(f"{month}{day}{year}")
                spelled.add(f"{month}{day}{year % 100:02}")
        ids.pop("", None)
        beginnings = _beginnings(ids)
        return cls(ids, beginnings, lasts, frozenset(spelled), _beginnings(spelled))

    @property
    def first_pieces(self) -> frozenset[str]:
        """The pieces that an id may begin with."""
        return self.beginnings | frozenset(self.lasts)


def _beginnings(keys: Iterable[str]) -> frozenset[str]:
    return frozenset(key[:n] for key in keys for n in range(1, len(key) + 1))


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _id_keys(compact: str) -> list[str]:
    """Return an id without zeros before it, and without a prefix of letters."""
    keys = [compact.lstrip("0")]
    digits = compact.lstrip("abcdefghijklmnopqrstuvwxyz")
    if len(digits) >= _FREE_LENGTH and len(compact) - len(digits) <= _LONGEST_PREFIX:
        keys.append(digits.lstrip("0"))
    return keys


def _phone_keys(value: str) -> list[str]:
    """Return a number with and without its country, and as it is dialled at home."""
    number = re.split(r"[;xe]", value.lower(), maxsplit=1)[0]
    digits = "".join(piece for piece in pieces(number) if _is_digits(piece))
    if number.strip().startswith("+") and not digits.startswith("1"):
        return [
            digits,
            *(digits[n:].lstrip("0") for n in (1, 2, 3) if len(digits) > 9 + n - 1),
        ]
    national = digits.removeprefix("1") if len(digits) > _PHONE_LENGTH else digits
    keys = [national, "1" + national]
    if len(national) == _PHONE_LENGTH:
        keys.append(national[-_LOCAL_LENGTH:])
    return keys if len(national) >= _FREE_LENGTH else [national]


def match_numbers(
    keys: NumberKeys, placed: PlacedText, hits: Sequence[int]
) -> list[Found]:
    """Find ids and phones; `hits` are the pieces that one may begin with, in order."""
    found: list[Found] = []
    past = -1
    for at in hits:
        if at <= past:
            continue
        last, key = _walk(keys, placed, at)
        if last >= 0 and _stands_alone(keys, placed, at, last, key):
            past = last
            found.append(_found(keys, placed, at, last, key))
        elif placed.words[at] in keys.lasts:
            each = _last_four(keys, placed, at)
            if each is not None:
                past = at
                found.append(each)
    return found


def _walk(keys: NumberKeys, placed: PlacedText, at: int) -> tuple[int, str]:
    """Put pieces together from `at` on, and return the last one of the longest id."""
    words, gaps = placed.words, placed.gaps
    key = words[at].lstrip("0")
    best, best_key, last = -1, "", at
    limit = min(len(words), at + _MOST_PIECES)
    while key in keys.beginnings or not key:
        if key in keys.ids:
            best, best_key = last, key
        if last + 1 >= limit:
            break
        gap = gaps[last + 1]
        if len(gap) > _LONGEST_JOINT or not _JOINTS.issuperset(gap):
            break
        last += 1
        key += words[last] if key else words[last].lstrip("0")
    return best, best_key


def _stands_alone(
    keys: NumberKeys, placed: PlacedText, first: int, last: int, key: str
) -> bool:
    words, places = placed.words, placed.places
    if last + 1 < len(words) and places[last + 1][0] == places[last][1]:
        return False
    if len(key) >= _FREE_LENGTH:
        return True
    start, end = places[first][0], places[last][1]
    text = placed.text
    decimal = (
        text[start - 1 : start] in (".", ",", "/")
        and text[start - 2 : start - 1].isdecimal()
    )
    decimal |= (
        text[end : end + 1] in (".", ",", "/", ":")
        and text[end + 1 : end + 2].isdecimal()
    )
    if decimal or text[end : end + 1] == "%" or text[start - 1 : start] == "$":
        return False
    before = words[max(0, first - 3) : first]
    if last + 1 < len(words) and words[last + 1] in _UNITS and placed.joins(last):
        return False
    is_zip = keys.ids[key] == IdentifierClass.GEOGRAPHIC
    if len(key) >= _CAREFUL_LENGTH or (is_zip and end - start >= _ZIP_LENGTH):
        return not _CODE_CUES.intersection(before)
    return _cued(placed, first)


def _cued(placed: PlacedText, first: int) -> bool:
    start = placed.places[first][0]
    if placed.text[start - 1 : start] == "#":
        return True
    for at in range(first - 1, max(-1, first - 3), -1):
        if start - placed.places[at][1] > _LAST or placed.words[at] not in _CUES:
            continue
        return True
    return False


def _found(
    keys: NumberKeys, placed: PlacedText, first: int, last: int, key: str
) -> Found:
    of = keys.ids[key]
    text = placed.text
    start, end = placed.places[first][0], placed.places[last][1]
    start = _with_prefix(placed, first, of)
    if of in (IdentifierClass.PHONE, IdentifierClass.FAX):
        if text[start - 1 : start] in ("(", "+"):
            start -= 1
        if text[start - 1 : start] == "+":
            start -= 1
        extension = _EXTENSION.match(text, end)
        end = extension.end() if extension else end
    return Found(start, end, of, 1.0, f"record.{of.value}", is_in_record=True)


def _with_prefix(placed: PlacedText, first: int, of: IdentifierClass) -> int:
    """Return where an id starts, with the letters that are written before its digits."""
    start = placed.places[first][0]
    if first == 0 or of in (IdentifierClass.PHONE, IdentifierClass.FAX):
        return start
    word, (before, end) = placed.words[first - 1], placed.places[first - 1]
    gap = placed.text[end:start]
    if not word.isalpha():
        return start
    if gap == "":
        return before
    is_capital = placed.text[before:end].isupper()
    if gap == "-" and (len(word) <= (_LONGEST_PREFIX if is_capital else 2)):
        return before
    is_prefix = is_capital and 1 < len(word) <= _LONGEST_PREFIX and word not in _CUES
    if gap == " " and is_prefix and of in _PREFIXED:
        return before
    return start


_PREFIXED = (
    *(IdentifierClass.HEALTH_PLAN, IdentifierClass.OTHER, IdentifierClass.ACCOUNT),
)


def _last_four(keys: NumberKeys, placed: PlacedText, at: int) -> Found | None:
    start, end = placed.places[at]
    text = placed.text
    if at + 1 < len(placed.words) and placed.places[at + 1][0] == end:
        return None
    before = text[max(0, start - _LOOK_BACK) : start].lower()
    word = placed.words[at]
    is_cued = _SURE_BEFORE_LAST.search(before) or (
        not _YEARS.fullmatch(word) and _BEFORE_LAST.search(before)
    )
    if not is_cued:
        return None
    mask = _MASK.search(text, max(0, start - _LOOK_BACK), start)
    begin = mask.start() if mask else start
    of = keys.lasts[word]
    return Found(begin, end, of, 1.0, "record.last_four", is_in_record=True)
