r"""Telephone, pager and fax numbers, with a cue word and without.

Without a cue a number must be written as one: ten digits in 3-3-4 with marks between
(or ten or eleven in a row behind a plus), that pass the numbering plan; or an
international form behind `+`. With a cue, seven digits, four (behind "ext", "pager",
"fax -0191") or a national form of another country will do. Crisis and information
lines that anybody may call are nobody's number and are left alone.
"""

import re
from typing import Final

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard import validators
from phitrail.guard.digit_runs import Run
from phitrail.guard.patterns import values
from phitrail.guard.patterns.cue_words import Cue, Need
from phitrail.guard.patterns.hits import Hit

_EXTENSION = r"(?:(?:,? ?(?:ext|extn|extension|x)\.? ?#?|(?<=\d)x)\d{1,6}(?![\d/]))?"
_SEPARATED: Final = re.compile(
    r"(?:\+?1[ .-]{0,3})?(?:\(\d{3}\)|\d{3}\)?)[ ]?[-./• ]?[ ]?\d{3}[ ]?[-./• ]?[ "
    r"]?\d{4}(?!\d|[-/]\d)" + _EXTENSION,
    re.IGNORECASE,
)
_INTERNATIONAL: Final = re.compile(
    r"\+\d{1,3}[ .-]?(?:\(0?\d{1,4}\)[ .-]?)?\d{1,5}(?:[ .-]?\d{2,5}){1,4}(?!\d)"
    + _EXTENSION,
    re.IGNORECASE,
)
_LOCAL: Final = re.compile(r"\d{3}[-. ]\d{4}(?!\d|[-/]\d)" + _EXTENSION, re.IGNORECASE)
_NATIONAL: Final = re.compile(r"0\d{1,4}[ /-]?\d{3,4}[ -]?\d{3,5}(?!\d)")
_TAIL: Final = re.compile(r"-\d{4}(?!\d)")
_SHORT: Final = re.compile(
    r"\d{1,2}-\d{4}(?![\d/-])|\d{3}-\d{4}(?![\d/-])|\d{2,7}(?![\d/:.-]\d|\d)"
)
_LED: Final = re.compile(r"[(+\d](?<!\w[(+\d])(?<!\d[-./][(+\d])", re.ASCII)
_FAX_BEFORE: Final = re.compile(
    r"(?:\b(?:fax|faxed|fx|facsimile)\b[^\n.;]{0,40}|(?:^|[\s|,;(])f[:.] ?\(?)$"
)
_FAX_AFTER: Final = re.compile(r"\s?\(?fax\b")
_LINE_BEFORE: Final = re.compile(
    r"(?:hot ?line|help ?line|crisis|lifeline|poison|cdc|fda|medwatch|samhsa|suicide|"
    r"emergency services|text ?line|quit ?line|medicare|warmline)[^\n.;]{0,25}$"
)
_TOLL_FREE: Final = frozenset({"800", "822", "833", "844", "855", "866", "877", "888"})
_PUBLIC_LINES: Final = frozenset(
    "911 988 211 311 411 511 811 112 999 111 741741 838255 8002221222 8002738255 8002324636"
    " 8003321088 8002723900 8007997233 8006624357 8006564673 8664887386 8338526262"
    " 8007848669 8006334227 8002434636 8004224453 8003427432 8778821772 8664874747".split()
)
_REGULAR: Final = re.compile(
    r"(?:\+?1[ .-])?(?:\(\d{3}\) ?|\d{3}([-. /]))\d{3}(?:\1|[-.])\d{4}"
)
_AT: Final = re.compile(r"(?:@|\bat) ?$")
_SHORT_LEAST: Final = {
    "x": 4,
    "page": 4,
    "dial": 4,
    "nurse line": 4,
    "asc": 4,
    "desk phone": 4,
    "nurse desk": 4,
    "charge desk": 4,
    "front desk": 4,
    "unit desk": 4,
}
_TEN = 10
_FIRST_SIZES: Final = frozenset({1, 2, 3, 6, 10, 11, 12})
_BEHIND_FIRST: Final = frozenset('-. /)\u2022 ,;xX\n|"') | {""}


def find_uncued(text: str, low: str, runs: list[Run]) -> list[Hit]:
    """Find numbers that are written as telephone numbers, whatever stands before."""
    hits: list[Hit] = []
    last = 0
    for start, size, follower in runs:
        if start < last or size not in _FIRST_SIZES or follower not in _BEHIND_FIRST:
            continue
        led = start - 1 if start and text[start - 1] in "(+" else start
        if size < 3 and text[led] != "+" and text[led : start + 1] != "1":  # noqa: PLR2004 - an area code has three figures
            continue
        match = _match_uncued(text, led) if _LED.match(text, led) else None
        if match is None and led < start and text[led] == "(":
            match = _match_uncued(text, start)
        if match is None:
            continue
        digits = dialled(match.group())
        last = match.end()
        if digits not in _PUBLIC_LINES:
            hit = _hit(low, match.start(), last, digits)
            if hit.score:
                hits.append(hit)
    return hits


def _match_uncued(text: str, start: int) -> re.Match[str] | None:
    if text[start] == "+" and (match := _INTERNATIONAL.match(text, start)):
        return match
    match = _SEPARATED.match(text, start)
    if match is None:
        return None
    number = match.group()
    if (
        number[:10].isdecimal()
        and text[start] != "+"
        and not _AT.search(text, max(0, start - 4), start)
    ):
        return match if _is_plain(number) else None
    is_regular = _REGULAR.match(number) is not None
    digits = dialled(number)
    return (
        match
        if validators.is_us_phone(digits) or (is_regular and digits[0] > "1")
        else None
    )


def _is_plain(number: str) -> bool:
    """Whether ten figures in a row keep every rule of the numbering plan."""
    digits = dialled(number)
    return validators.is_us_phone(digits) and digits[0] > "1" and digits[3] > "1"


def dialled(number: str) -> str:
    """Reduce a written number to the digits that are dialled, without 1 and extension."""
    core = re.split(r"[xXeE,]", number, maxsplit=1)[0]
    digits = "".join(sign for sign in core if "0" <= sign <= "9")
    return digits[1:] if len(digits) == _TEN + 1 and digits[0] == "1" else digits


def _hit(low: str, start: int, end: int, digits: str) -> Hit:
    before = low[max(0, start - 48) : start]
    if digits[:3] in _TOLL_FREE and _LINE_BEFORE.search(before):
        return Hit(start, end, Class.PHONE, 0.0, "phone.public")
    if _FAX_AFTER.match(low, end):
        return Hit(start, end, Class.FAX, 0.96, "fax.cue")
    is_fax = _FAX_BEFORE.search(before) is not None
    return Hit(
        start,
        end,
        Class.FAX if is_fax else Class.PHONE,
        0.95,
        "fax.cue" if is_fax else "phone.us",
    )


def follow_cue(
    text: str, low: str, start: int, cue: Cue, phrase: str, hits: list[Hit]
) -> None:
    """Read a number behind a cue word and append what it is."""
    match = _match_cued(text, start, cue, phrase)
    if match is None:
        return
    digits = dialled(match.group())
    if digits in _PUBLIC_LINES or values.has_unit(text, match.end()):
        return
    if digits[:3] in _TOLL_FREE and _LINE_BEFORE.search(
        low[max(0, start - 48) : start]
    ):
        return
    first = match.start()
    if low[first - 1 : first] == "x" and not low[first - 2 : first - 1].isalnum():
        first -= 1
    hits.append(Hit(first, match.end(), cue.identifier_class, 0.96, cue.rule))


def _match_cued(text: str, start: int, cue: Cue, phrase: str) -> re.Match[str] | None:
    if full := (_INTERNATIONAL.match(text, start) or _SEPARATED.match(text, start)):
        return full
    if cue.need is Need.SHORT:
        return _match_short(text, start, phrase)
    if phrase in {"fax", "tel", "phone", "ph", "cell", "fx", "line", "or"} and (
        tail := _TAIL.match(
            text, start - 1 if text[start - 1 : start] == "-" else start
        )
    ):
        return tail
    return _LOCAL.match(text, start) or _NATIONAL.match(text, start)


def _match_short(text: str, start: int, phrase: str) -> re.Match[str] | None:
    match = _SHORT.match(text, start)
    if match is None or text[match.end() : match.end() + 1].isalpha():
        return None
    least = _SHORT_LEAST.get(phrase, 2)
    return match if values.count_digits(match.group()) >= least else None
