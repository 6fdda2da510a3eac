"""Identifiers behind a word that announces them: `MRN 55-10-283`, `plate TK4 R9W`.

1. One pass over the words of the lowered text finds those that an announcing phrase, of
   numbers or of names (`people`), begins with. The pattern of a word's phrases is made when
   the word is first met: all of them at the start would be a tenth of a second.
2. `_LINK` steps over what stands between phrase and value ("no.", ":", "is", "ending
   in", a table's bar), never over a full stop that ends a sentence.
3. The value must meet the need of the cue (`cue_words.Need`).
4. A second value behind "and", "," or "against" is taken when it is written alike.

Telephone and fax values are read by `phones`, because a number's length decides there.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard import validators
from phitrail.guard.letter_tree import tree_pattern
from phitrail.guard.patterns import people, phones, values
from phitrail.guard.patterns.cue_words import CUES, GAP, Cue, Need, cue_key
from phitrail.guard.patterns.hits import Hit

_LINK: Final = re.compile(
    r"(?:[ \t]{0,3}(?:[:=#|*(\[\"'`_>~-]{1,4}|\.{2,40}|\.(?= ?[:#(\d])|"
    r"(?:is|was|are|were|no|nos|number|numbers|num|nr|nbr|id|ids|code|ending|ends|end|in|"
    r"with|of|on file|for|the ssn|per registration|per fam|per family|per pd|at|to|as|"
    r"reads?|shows?|shown|read|says|confirmed|last four|last 4|last4|digits|policy|"
    r"placeholder replaced|\d(?=: )|from|now|me|us|him|her|them|back|made|after|filed|"
    r"logged)\b(?![-\w/])[.)]?))"
    r"{0,6}[ \t]{0,3}(?:\n[ \t]{0,3})?"
)
_DEVICE_LINK: Final = re.compile(
    r"(?:[ \t]?[(,:#]?[ \t]?(?:[a-z]{2,12}|\d{1,2})\b){0,2},?[ (#:]{1,2}"
)
_NEXT: Final = re.compile(
    r"(?:,? ?(?:and|&|against|or|versus|vs)\b ?|, ?| ?/ ?)(?:#|no\.? )?",
    re.IGNORECASE,
)
_WORD: Final = re.compile("[a-z]+")
_DIGIT: Final = re.compile("[0-9]")
_PLATE_GROUP: Final = re.compile(r"[A-Za-z0-9]{1,8}")
_LOGIN: Final = re.compile(
    r"(?:live:)?@?[A-Za-z][A-Za-z0-9]{0,30}(?:[._-]?[A-Za-z0-9]{1,30}){0,4}(?:#\d{4})?"
    r"(?![@\w])"
)
_PLATE_WORDS: Final = frozenset(
    "and the per in on is to for was he she at of by no or if as it an are his her has had not"
    " reg with but so we yr yrs ml mg day mph did who".split()
)
_PLATE_SIZES: Final = range(4, 10)
_PLATE_LETTERS = 3
_WEAK_PLATE: Final = re.compile(
    r"[A-Za-z]{2,3}[ -]?\d{3,4}|\d{3}[ -]?[A-Za-z]{3}|[A-Z]{2,3}\d [\dA-Z]{3,4}|\d[A-Z]{3}\d{3}"
)
_WEAK_PLATE_CUES: Final = frozenset(
    "car van truck vehicle sedan suv pickup motorcycle parked honda toyota ford chevy"
    " chevrolet nissan subaru hyundai kia jeep dodge bmw volvo mazda tesla buick gmc camry"
    " civic corolla accord f-150 minivan boat trailer tag aircraft".split()
)
_SHORTENED: Final = tuple(
    "no nos ref lic ins pt ext acc acct hosp rx tel ph num".split()
)
_COMMA_RULES: Final = frozenset(
    {
        "license.driver",
        "license.professional",
        "vehicle.plate",
        "other.login",
        "mrn.cue",
    }
)
_SURE = 0.97
_LIKELY = 0.9


def _phrases_by_word() -> dict[str, tuple[str, ...]]:
    by_word: dict[str, tuple[str, ...]] = {}
    for phrase in dict.fromkeys((*CUES, *people.KINDS)):
        if word := _WORD.match(phrase):
            by_word[word.group()] = (*by_word.get(word.group(), ()), phrase)
    return by_word


_PHRASES: Final = _phrases_by_word()


@cache
def _pattern_of(word: str) -> re.Pattern[str]:
    """Make the pattern of the phrases that begin with a word of the table."""
    return re.compile(rf"(?<!\w){tree_pattern(_PHRASES[word], GAP)}(?![^\W\d])")


def _signs(low: str) -> Iterator[re.Match[str]]:
    """Give each announcing phrase, the longest at its place, in order."""
    past = 0
    for word in _WORD.finditer(low):
        if word.group() in _PHRASES and word.start() >= past:
            sign = _pattern_of(word.group()).match(low, word.start())
            if sign is not None:
                past = sign.end()
                yield sign


def find_announced(text: str, low: str) -> list[Hit]:
    """Find values and names beside announcing words; `low` is the text, lowered in place."""
    hits: list[Hit] = []
    has_digit = _DIGIT.search(text) is not None
    for match in _signs(low):
        phrase = match.group()
        kind = people.KINDS.get(phrase)
        if kind is not None:
            people.read_sign(text, match, kind, hits)
        cue = CUES.get(phrase) or (None if kind else CUES.get(cue_key(phrase)))
        if phrase == "dl" and low[match.start() - 1 : match.start()] == "/":
            continue
        if cue is not None and (has_digit or cue.need is Need.WORD):
            _follow(text, low, match.end(), cue, phrase, hits)
    return hits


def _follow(
    text: str, low: str, end: int, cue: Cue, phrase: str, hits: list[Hit]
) -> None:
    if (low.startswith(".", end) and phrase.endswith(_SHORTENED)) or (
        (low.startswith(",", end) and phrase.endswith("s"))
        or low.startswith(", -", end)
        or (cue.rule in _COMMA_RULES and low.startswith(", ", end))
    ):
        end += 1
    link = _LINK.match(low, end)
    start = link.end() if link else end
    if cue.need is Need.PHONE or cue.need is Need.SHORT:
        phones.follow_cue(text, low, start, cue, phrase, hits)
    elif cue.need is Need.PLATE:
        _follow_plate(text, start, cue, phrase, hits)
    elif cue.need is Need.WORD:
        _follow_login(text, start, cue, hits)
    else:
        _follow_value(text, start, cue, phrase, hits)
        if cue.rule == "device.worn" and (skip := _DEVICE_LINK.match(low, end)):
            _follow_value(text, skip.end(), cue, phrase, hits)


def _follow_value(
    text: str, start: int, cue: Cue, phrase: str, hits: list[Hit]
) -> None:
    end = values.read_value(text, start, cue.need)
    if end is None or (phrase == "ref" and text[start:end].isdecimal()):
        return
    score = _score(text[start:end], cue)
    hits.append(Hit(start, end, cue.identifier_class, score, cue.rule))
    first = text[start:end]
    for _ in range(4):
        step = _NEXT.match(text, end)
        if step is None:
            return
        start = step.end()
        following = values.read_value(text, start, Need.DIGITS)
        if following is None or not _is_alike(first, text[start:following]):
            return
        end = following
        hits.append(Hit(start, end, cue.identifier_class, _LIKELY, cue.rule))


def _is_alike(first: str, second: str) -> bool:
    """Whether two values could come from the same register."""
    if values.is_dated(second):
        return False
    digits = values.count_digits(second)
    if abs(len(first) - len(second)) <= 1 and digits == values.count_digits(first):
        return True
    return digits >= 4 and not second.isdecimal() and "." not in second  # noqa: PLR2004 - a code has four digits


def _score(value: str, cue: Cue) -> float:
    compact = re.sub(r"[\s-]", "", value)
    if cue.rule == "license.npi" and not validators.is_npi(compact):
        return _LIKELY
    if cue.rule == "license.dea" and not validators.is_dea(compact):
        return _LIKELY
    return _SURE if cue.need in {Need.DIGIT, Need.DIGITS} else _LIKELY


def _follow_plate(
    text: str, start: int, cue: Cue, phrase: str, hits: list[Hit]
) -> None:
    if phrase in _WEAK_PLATE_CUES:
        weak = _WEAK_PLATE.match(text, start)
        if weak and not text[weak.end() : weak.end() + 1].isalnum():
            if not values.has_unit(text, weak.end()):
                hits.append(
                    Hit(start, weak.end(), cue.identifier_class, 0.75, cue.rule)
                )
            return
    end, size, digits = start, 0, 0
    at = start
    while group := _PLATE_GROUP.match(text, at):
        word = group.group()
        own = values.count_digits(word)
        is_word = own == 0 and (
            len(word) > _PLATE_LETTERS or word.lower() in _PLATE_WORDS
        )
        if is_word and at == start and _is_state(word):
            at = group.end() + 1
            start = end = at
            continue
        if is_word or size + len(word) not in range(_PLATE_SIZES.stop):
            break
        size, digits, end = size + len(word), digits + own, group.end()
        if text[end : end + 1] not in {" ", "-"} or text[end + 1 : end + 2] == " ":
            break
        at = end + 1
    if digits and size in _PLATE_SIZES and not values.is_dated(text[start:end]):
        hits.append(Hit(start, end, cue.identifier_class, _LIKELY, cue.rule))


def _is_state(word: str) -> bool:
    return len(word) > _PLATE_LETTERS and word[:1].isupper()


def _follow_login(text: str, start: int, cue: Cue, hits: list[Hit]) -> None:
    match = _LOGIN.match(text, start)
    if match is None:
        return
    name = match.group()
    if values.count_digits(name) or "_" in name or "." in name:
        hits.append(Hit(start, match.end(), Class.OTHER, _LIKELY, cue.rule))
