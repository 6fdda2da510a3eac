"""Carving: what a record explains stays expected, a stranger beside it does not."""

import pytest

from phitrail.events.codes import IdentifierClass
from phitrail.guard.carving import carved
from phitrail.guard.found import Found

NAME, FAX, PLACE = (
    IdentifierClass.NAME,
    IdentifierClass.FAX,
    IdentifierClass.GEOGRAPHIC,
)


def at(text: str, value: str, kind: IdentifierClass) -> Found:
    """Find a value."""
    start = text.index(value)
    return Found(start, start + len(value), kind, 0.9, "tagger.name")


@pytest.mark.parametrize(
    ("text", "found", "kind", "known", "left"),
    [
        ("fx 606-555-0142.", "fx 606-555-0142.", FAX, ["606-555-0142"], []),
        ("saw Odile Quist", "Odile Quist", NAME, ["Quist"], ["Odile"]),
        ("Dr. Quist came", "Dr. Quist", NAME, ["Quist"], []),
        ("12 Oak St, Harlan", "12 Oak St, Harlan", PLACE, ["12 Oak St", "Harlan"], []),
        ("4471-22 8812", "4471-22 8812", FAX, ["4471-22"], ["8812"]),
        ("saw Odile Quist", "Odile", NAME, ["Quist"], ["Odile"]),
    ],
    ids="cue given title address number apart".split(),
)
def test_what_is_left_beside_what_a_record_explains(
    text: str, found: str, kind: IdentifierClass, known: list[str], left: list[str]
) -> None:
    """A cue that counts as a stranger's number raises a false alarm each time."""
    explained = [at(text, value, kind) for value in known]
    rest = carved(text, [at(text, found, kind)], explained)

    assert [text[one.start : one.end] for one in rest] == left


def test_without_records_nothing_is_cut() -> None:
    """The common case costs nothing and changes nothing."""
    text = "saw Odile Quist"
    found = [at(text, "Odile Quist", NAME)]

    assert carved(text, found, []) == found
