"""Diagnosis and procedure codes: reported beside the identifiers, not redacted by default.

A code alone is nobody's. Beside an identifier it says what the person has, so it is PHI
there and raises the risk of an answer (45 CFR 160.103, "individually identifiable health
information").

1. ICD-10-CM has a shape of its own (a letter, a digit, a digit or A/B, and up to four
   more behind a dot). With its dot it is taken as it stands; without, behind a cue word
   or a "|" of a table: `B12` is a vitamin and `T4` a hormone.
2. CPT (five digits, or four and F, T or U), HCPCS level II (a letter and four digits),
   LOINC (check digit, mod 10), SNOMED CT (Verhoeff), NDC and RxNorm need their name
   before them: five digits are a ZIP code, a cell count, or anything.

What an ICD-10 code means is not looked up: no list is shipped.
"""

import re
from typing import Final

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard import validators
from phitrail.guard.found import Found
from phitrail.guard.lowered import lowered

_ICD_DOTTED: Final = re.compile(
    r"(?<![\w./-])[A-TV-Z][0-9][0-9AB]\.[0-9A-Z]{1,4}(?![\w/-]|\.\w)"
)
_ICD_PLAIN: Final = re.compile(r"[a-tv-z][0-9][0-9ab](?:\.?[0-9a-z]{1,4})?(?![\w/])")
_SERIES: Final = re.compile(r"(?:[ \t]?(?:,|;|/|&|\+|and|or|with|to|-)[ \t]?){1,2}")
_CUE: Final = re.compile(
    r"(?<![a-z0-9])(?P<cue>icd-?10(?:-?cm|-?pcs)?|icd|dx codes?|diagnosis codes?|"
    r"primary diagnosis|diagnosis|dx|cpt|hcpcs|procedure codes?|"
    r"loinc|snomed(?: ?ct)?|sct|rxnorm|"
    r"rxcui|ndc|cvx|drg)"
    r"(?![a-z])(?:[\s:#=(|\"']|code|codes|no\.|is|:){0,8}"
)
_CPT: Final = re.compile(
    r"(?:[0-9]{5}|[0-9]{4}[ftu]|[a-v][0-9]{4})(?:-[0-9a-z]{2})?(?![\w.])"
)
_CPT_BEFORE: Final = re.compile(
    r"[0-9](?<![\w.-][0-9])[0-9]{3}[0-9ftu](?=,? (?:primary )?(?:diagnosis|dx)\b)"
)
_LOINC: Final = re.compile(r"[0-9]{1,5}-[0-9](?![\w-])")
_SNOMED: Final = re.compile(r"[0-9]{6,18}(?![\w-])")
_NDC: Final = re.compile(
    r"[0-9]{4,5}-[0-9]{3,4}-[0-9]{1,2}(?![\w-])|[0-9]{10,11}(?!\w)"
)
_NUMBER: Final = re.compile(r"[0-9]{1,8}(?![\w-])")
_FORMS: Final = (
    ("icd", _ICD_PLAIN, "code.icd10"),
    ("dx", _ICD_PLAIN, "code.icd10"),
    ("diagnosis", _ICD_PLAIN, "code.icd10"),
    ("primary", _ICD_PLAIN, "code.icd10"),
    ("cpt", _CPT, "code.cpt"),
    ("hcpcs", _CPT, "code.hcpcs"),
    ("procedure", _CPT, "code.cpt"),
    ("loinc", _LOINC, "code.loinc"),
    ("s", _SNOMED, "code.snomed"),
    ("ndc", _NDC, "code.ndc"),
    ("rx", _NUMBER, "code.rxnorm"),
    ("cvx", _NUMBER, "code.cvx"),
)
_MOST_IN_SERIES: Final = 16


def find_clinical_codes(text: str) -> list[Found]:
    """Find diagnosis and procedure codes, in order, without overlaps."""
    found = {
        match.start(): Found(*match.span(), Class.CLINICAL_CODE, 0.9, "code.icd10")
        for match in _ICD_DOTTED.finditer(text)
    }
    low = lowered(text)
    for match in _CPT_BEFORE.finditer(low):
        code = Found(*match.span(), Class.CLINICAL_CODE, 0.85, "code.cpt")
        found.setdefault(match.start(), code)
    for cue in _CUE.finditer(low):
        for start, end, rule in _read_series(low, cue):
            found.setdefault(start, Found(start, end, Class.CLINICAL_CODE, 0.95, rule))
    kept: list[Found] = []
    for start in sorted(found):
        if not kept or kept[-1].end <= start:
            kept.append(found[start])
    return kept


def _read_series(low: str, cue: re.Match[str]) -> list[tuple[int, int, str]]:
    """Read the codes behind a cue: "CPT 66984, 67028 and 92134"."""
    form, rule = next(
        (form, rule)
        for prefix, form, rule in (*_FORMS, ("", _NUMBER, "code.drg"))
        if cue["cue"].startswith(prefix)
    )
    series = []
    at = cue.end()
    for _ in range(_MOST_IN_SERIES):
        match = form.match(low, at)
        if match is None or not _is_code(match.group(), rule):
            break
        series.append((match.start(), match.end(), rule))
        step = _SERIES.match(low, match.end())
        if step is None:
            break
        at = step.end()
    return series


def _is_code(value: str, rule: str) -> bool:
    if rule == "code.loinc":
        return validators.is_loinc(value)
    if rule == "code.snomed":
        return validators.is_snomed(value)
    return True
