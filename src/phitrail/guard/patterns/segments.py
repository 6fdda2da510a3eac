"""People in segments of HL7 version 2, which stand in a text as they were sent.

`PID|1||44712^^^MRN||QUIST^AYODELE^M||19610402|F|||12 ELM^^HARLAN^KY`: fields stand between
bars, their parts between carets. Which field is what, the standard says (HL7 v2.5.1
chapters 3 and 6); here the fields that name a person, or where one lives. Dates and
telephone numbers are found by their shape.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard.patterns.hits import Hit

_SEGMENT: Final = re.compile(
    r"(?<![A-Z0-9])(PID|NK1|GT1|IN1|PV1|MRG)\|([^\r\n]{1,2000})"
)
_FIELDS: Final[Mapping[str, Mapping[int, Class]]] = MappingProxyType(
    {
        "PID": {
            2: Class.MRN, 3: Class.MRN, 4: Class.MRN, 5: Class.NAME, 6: Class.NAME,
            9: Class.NAME, 11: Class.GEOGRAPHIC, 18: Class.ACCOUNT, 19: Class.SSN,
            20: Class.LICENSE, 21: Class.MRN, 23: Class.GEOGRAPHIC,
        },
        "NK1": {2: Class.NAME, 4: Class.GEOGRAPHIC, 13: Class.NAME, 37: Class.SSN},
        "GT1": {
            2: Class.ACCOUNT, 3: Class.NAME, 4: Class.NAME, 5: Class.GEOGRAPHIC,
            12: Class.SSN,
        },
        "IN1": {
            16: Class.NAME, 19: Class.GEOGRAPHIC, 36: Class.HEALTH_PLAN,
            49: Class.HEALTH_PLAN,
        },
        "PV1": {
            7: Class.NAME, 8: Class.NAME, 9: Class.NAME, 17: Class.NAME,
            19: Class.OTHER, 50: Class.OTHER,
        },
        "MRG": {1: Class.MRN, 3: Class.ACCOUNT, 4: Class.MRN, 7: Class.NAME},
    }
)  # fmt: skip
_PART: Final = re.compile(r"[^|^~&]+")
_TYPES: Final = frozenset("MRN MD DO RN NP PA DR MR MRS MS JR SR II III USA US".split())
_WHOLE: Final = frozenset({Class.NAME, Class.GEOGRAPHIC})
_PLACE_PARTS: Final = 6
_LEAST_CODE: Final = 3


def find_segments(text: str) -> list[Hit]:
    """Find names, places and numbers of people in the segments of a message."""
    hits: list[Hit] = []
    for match in _SEGMENT.finditer(text):
        known = _FIELDS[match[1]]
        at = match.start(2)
        for place, field in enumerate(match[2].split("|"), start=1):
            kind = known.get(place)
            if kind is not None and field:
                _read(at, field, kind, hits)
            at += len(field) + 1
    return hits


def _read(start: int, field: str, kind: Class, hits: list[Hit]) -> None:
    """Read the parts of one field; what only says of what type they are is left.

    Parts of a name, or of an address, that follow each other are one place: `ADA` alone
    could be a term of medicine, `QUIST^ADA` is not.
    """
    is_open = False
    for part in _PART.finditer(field):
        own = _kind_of(part.group(), field[: part.start()].count("^"), kind)
        is_open = is_open and own is kind and kind in _WHOLE
        first = hits.pop().start if is_open else start + part.start()
        if own is not None:
            hits.append(Hit(first, start + part.end(), own, 0.9, "segment"))
        is_open = own is kind


def _kind_of(value: str, place: int, kind: Class) -> Class | None:
    if value.upper() in _TYPES or place >= _PLACE_PARTS:
        return None
    has_digit = any("0" <= sign <= "9" for sign in value)
    if kind is Class.NAME:
        return Class.OTHER if has_digit else kind
    is_code = has_digit and len(value) >= _LEAST_CODE
    return kind if kind is Class.GEOGRAPHIC or is_code else None
