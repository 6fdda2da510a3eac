"""Values of a record, taken for what their key asks, or refused.

An error names the place and the rule, never the value.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime

from phitrail.errors import InputError
from phitrail.guard.record_facts import DatedYear, Person
from phitrail.guard.record_keys import KINDS, Kind, plain
from phitrail.guard.record_titles import TITLES
from phitrail.guard.record_words import STATES

Record = Mapping[str, object]

_ISO = re.compile(r"([0-9]{4})(?:-?([0-9]{2})(?:-?([0-9]{2}))?)?(?:[T ].*)?", re.DOTALL)
_MONTHS, _DAYS = 12, 31


def without_state(part: str) -> str:
    """Take a state, its code or `USA` off the end of a part of an address."""
    words = part.split()
    for length in (3, 2, 1):
        tail = " ".join(words[-length:]).lower().replace(".", "")
        if words and (tail in STATES or (tail in _CODES and words[-1].isupper())):
            return " ".join(words[:-length])
    return part.strip()


_CODES = frozenset((*STATES.values(), "us", "usa"))


def items(value: object) -> Iterable[object]:
    """Return the values of a key: one, or those of a list; none for nothing."""
    if value is None or value == "":
        return ()
    if isinstance(value, (list, tuple, set, frozenset)):
        return [item for item in value if item is not None and item != ""]
    return (value,)


def mapping(value: object, where: str) -> Record:
    """Take a dict."""
    if not isinstance(value, Mapping):
        raise InputError.for_field(where, "must be a dict, or a list of dicts")
    return value


def text_of(value: object, where: str) -> str:
    """Take a text, or a number as text."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InputError.for_field(where, "must be text, or a list of texts")
    return str(value)


def read_date(value: object, where: str) -> DatedYear:
    """Take a date: ISO 8601, as far as it is given, or a date object."""
    if isinstance(value, (date, datetime)):
        return value.year, value.month, value.day
    found = _ISO.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise InputError.for_field(where, "must be a date like 2025-01-31 (ISO 8601)")
    month, day = (int(part) if part else None for part in found.groups()[1:])
    if not 1 <= (month or 1) <= _MONTHS or not 1 <= (day or 1) <= _DAYS:
        raise InputError.for_field(where, "must be a date of the calendar")
    return int(found[1]), month, day


def read_name(person: Person, item: object, where: str) -> None:
    """Read a HumanName, or a name in one text (`Given Family` or `Family, Given`)."""
    if isinstance(item, Mapping):
        has_parts = False
        for key, value in item.items():
            kind = KINDS.get(plain(str(key)), (Kind.IGNORED, None))[0]
            for each in items(value):
                if kind == Kind.GIVEN:
                    person.given += text_of(each, where).split()
                elif kind == Kind.FAMILY:
                    person.family.append(text_of(each, where))
                elif kind == Kind.CALLED:
                    person.called.append(text_of(each, where))
                else:
                    continue
                has_parts = True
        if not has_parts and item.get("text"):
            read_name(person, item["text"], where)
        return
    text = text_of(item, where)
    family, _, given = text.partition(",")
    after = _without_titles(given)
    if after:
        person.family.append(family)
        person.given += after
    else:
        words = _without_titles(family)
        person.given += words[:-1]
        person.family += words[-1:]


def _without_titles(name: str) -> list[str]:
    return [word for word in name.split() if plain(word.strip(".,")) not in TITLES]
