"""Edges: what belongs to a name is taken in, what only stands near it is not."""

import pytest

from phitrail.events.codes import IdentifierClass
from phitrail.guard.edges import with_edges, with_whole_words
from phitrail.guard.found import Found

NAME, PLACE = IdentifierClass.NAME, IdentifierClass.GEOGRAPHIC


@pytest.mark.parametrize(
    ("text", "value", "kind", "whole"),
    [
        ("seen by Dr. Quist today", "Quist", NAME, "Dr. Quist"),
        ("female, Odile B., seen", "Odile", NAME, "Odile B."),
        ("signed R. Quist, MD", "Quist", NAME, "R. Quist"),
        ("Odile Quist III agreed", "Odile Quist", NAME, "Odile Quist III"),
        ("lives in Harlan, KY now", "Harlan", PLACE, "Harlan, KY"),
        ("for Quist. A CT was done", "Quist", NAME, "Quist"),
        ("vitamin D, Quist said", "Quist", NAME, "Quist"),
        ("Harlan, OK to go home", "Harlan", NAME, "Harlan"),
    ],
    ids="doctor initial first third state sentence vitamin no-place".split(),
)
def test_the_edge_of_a_finding(
    text: str, value: str, kind: IdentifierClass, whole: str
) -> None:
    """An initial that stays behind leaks; a letter taken in garbles the answer."""
    at = text.index(value)
    (one,) = with_edges(text, [Found(at, at + len(value), kind, 0.9, "tagger.name")])

    assert text[one.start : one.end] == whole


def test_what_another_finding_covers_is_left_to_it() -> None:
    """Findings stay disjoint."""
    text = "Quist B. Odile"
    found = [Found(0, 5, NAME, 0.9, "a"), Found(6, 14, NAME, 0.9, "a")]

    assert [(o.start, o.end) for o in with_edges(text, found)] == [(0, 5), (6, 14)]


@pytest.mark.parametrize(
    ("text", "value", "whole"),
    [("id KX4471BA now", "KX4471", "KX4471BA"), ("trial SPR1NT said", "1", None)],
    ids="rest part".split(),
)
def test_a_word_is_found_whole_or_not_at_all(
    text: str, value: str, whole: str | None
) -> None:
    """Half an identifier is a leak, and half a word a garbled answer."""
    at = text.index(value)
    one = Found(at, at + len(value), IdentifierClass.OTHER, 0.9, "tagger.other")

    assert [text[o.start : o.end] for o in with_whole_words(text, [one])] == (
        [whole] if whole else []
    )
