"""Codes that stand where a register's number stands, with no word to announce them.

`(HX-30881)` behind a name, `1. ABC-0114` in a list of subjects, `#88120`, `S25-01188`,
an eight-figure number in a table: most are someone's, but drugs in trials, lots, codes
of vocabularies and catalogue numbers are written alike. So these rules score low (about
a half), refuse what a word or prefix gives to a thing, and leave the rest to the policy.
"""

import re
from typing import Final

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard.digit_runs import Run
from phitrail.guard.patterns.hits import Hit

_LONG_CODE: Final = re.compile(
    r"(?P<code>[A-Z](?<![\w./:#-][A-Z])(?:[A-Z]{0,3}(?:\d{6,12}[A-Z]{0,2}(?:-\d{1,3})?|"
    r"(?:\d{2})?-\d{5,9}|\d{2}-\d{4,6})|[A-Z]{4}-\d{5,9}|"
    r"\d{4} \d{2} \d{6}))(?![\w/-]|\.\d)"
)
_LONG_CODE_SIGN: Final = re.compile(r"[0-9](?:[0-9]{4}|-[0-9]{4})")
_THING_BEFORE: Final = re.compile(
    r"(?:pmid|snomed|sct|rxnorm|rxcui|loinc|ndc|gtin|upc|lots?|isbn|issn|codes?|doi|"
    r"pmc|routing|rxbin|bin|"
    r"version|build|hash|ref|nct|cpt|hcpcs|icd|oid|\brs|copies|count|unii|cas|nda|bla|"
    r"cvx|patent|rev|"
    r"model|catalog|cat|part|sku|port|umls|cui|hgnc|omim|orpha|mesh|irb|eudract|grant|clinvar)"
    r"[ \t\"':=#./(]{0,4}(?:(?:id|no|number|code)[ .:#\"]{0,3})?$"
)
_UNIT_BEHIND: Final = re.compile(r" ?(?:copies|cfu|iu|units|cells|/|%|\$|mg|ml|\^|x10)")
_HASHED: Final = re.compile(r"#[ ]?(?P<code>\d{5,10}(?:-\d{1,6})?)(?![\w.]\d|\w)")
_TRIPLE: Final = re.compile(r"\d{2,3}(?<!\w\d\d)-\d{2}-\d{2,4}(?![\w-]|\.\d)")
_BRACKETED: Final = re.compile(
    r"[(/|] ?(?P<code>(?:[A-Z]{4,5} )?[A-Z]{1,4}-?\d{2,}[-\dA-Z*]{3,16})(?= ?[)/|]|, )"
)
_LISTED: Final = re.compile(
    r"\n[ \t]{0,4}(?:\d{1,3}[.)]|[-*•]) {1,2}(?P<code>[A-Z]{2,5}-\d{3,8})(?![\w-])"
)
_HYPHENED: Final = re.compile(r"-\d{2,4}-(?=\d)")
_HYPHENED_CODE: Final = re.compile(
    r"(?P<code>[A-Z](?<![\w-][A-Z])[A-Z]{0,4}-\d{2,4}-\d{4,9})(?![\w-])"
)
_CODE_OF_A_THING: Final = re.compile(
    r"(?:NCT|ISBN|ISSN|NDC|CPT|PMID|PMC|ISO|IEC|RFC|CVE|NDA|BLA|ANDA|IND|EUDRACT|COVID|"
    r"CMS|CFR|USC|LOINC|"
    r"BMS|MK|LY|PF|GSK|ABT|ABBV|AMG|AZD|BAY|RG|RO|JNJ|TAK|MEDI|REGN|SAR|CC|GS|INCB|ALN|"
    r"VX|MRTX|DS|ONO|"
    r"UTF|SHA|MD|HL|ICD|HCPCS|DRG|SNOMED|DOI|REF|LOT|HLA|IL|CD|[A-V]\d{4}$)"
)
_LONG_SIZE: Final = 7
_TRIPLE_SIZES: Final = frozenset({2, 3})
_TRIPLE_LENGTH: Final = 9
_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NOT_BEHIND_LONG: Final = _LETTERS | frozenset("%/_-^*")
_NOT_BEFORE_LONG: Final = frozenset("$.,/:-+_<>=\u2265")


def find_register_codes(text: str, low: str, runs: list[Run]) -> list[Hit]:
    """Find codes of letters and figures, and long numbers, that may be someone's."""
    patterns = [_BRACKETED, _LISTED]
    if _LONG_CODE_SIGN.search(text):
        patterns.append(_LONG_CODE)
    if _HYPHENED.search(text):
        patterns.append(_HYPHENED_CODE)
    if "#" in text:
        patterns.append(_HASHED)
    hits = [
        Hit(*match.span("code"), Class.OTHER, 0.6, "other.shape")
        for pattern in patterns
        for match in pattern.finditer(text)
        if not _is_of_a_thing(low, match["code"], match.start("code"))
    ]
    _find_numbers(text, low, runs, hits)
    return hits


def _find_numbers(text: str, low: str, runs: list[Run], hits: list[Hit]) -> None:
    for start, size, follower in runs:
        if size >= _LONG_SIZE and follower not in _NOT_BEHIND_LONG:
            end = start + size
            if text[start - 1 : start] in _NOT_BEFORE_LONG or _UNIT_BEHIND.match(
                low, end
            ):
                continue
            if not _is_of_a_thing(low, "", start):
                hits.append(Hit(start, end, Class.OTHER, 0.55, "other.long_number"))
        elif size in _TRIPLE_SIZES and follower == "-":
            triple = _TRIPLE.match(text, start)
            if triple is None or len(triple.group()) < _TRIPLE_LENGTH:
                continue
            if not _is_of_a_thing(low, "", start):
                hits.append(Hit(*triple.span(), Class.OTHER, 0.55, "other.triple"))


def _is_of_a_thing(low: str, code: str, start: int) -> bool:
    """Whether a code belongs to a drug, a study, a lot or a vocabulary."""
    if code and _CODE_OF_A_THING.match(code):
        return True
    return _THING_BEFORE.search(low[max(0, start - 28) : start]) is not None
