"""The condition of a rule means what its grammar says, and is refused by the word."""

from typing import Any as Whatever

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.detect.condition import (
    MOST_BRACKETS,
    MOST_OF,
    MOST_TOKENS,
    read_condition,
)
from phitrail.detect.source import Place
from phitrail.detect.typed import All, Any, Not, Op, Predicate
from phitrail.detect.typed import Test as OnField
from phitrail.errors import InputError

CANARY = "CanaryTheFirst"
PLACE = Place("my.yml", 3, 7)
NAMES = ("a", "b", "c", "sel_1", "sel_2", "_hidden", "not_x", "x.y-z")
SELECTIONS: dict[str, Predicate] = {
    name: OnField("user_id", Op.EQ, name) for name in NAMES
}
A, B, C = (SELECTIONS[name] for name in "abc")
S1, S2 = SELECTIONS["sel_1"], SELECTIONS["sel_2"]


def read(text: str, selections: dict[str, Predicate] | None = None) -> Predicate:
    """Read a condition over the selections above."""
    return read_condition(text, PLACE, selections or SELECTIONS)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a", A),
        ("  a  ", A),
        ("a and b", All((A, B))),
        ("a or b and c", Any((A, All((B, C))))),
        ("(a or b) and c", All((Any((A, B)), C))),
        ("(a)and(b)", All((A, B))),
        ("not a and b", All((Not(A), B))),
        ("not not a", Not(Not(A))),
        ("not (a or b)", Not(Any((A, B)))),
        ("a AND NOT b", All((A, Not(B)))),
        ("a or b or c", Any((A, B, C))),
        ("1 of sel_*", Any((S1, S2))),
        ("all of sel_*", All((S1, S2))),
        ("ALL OF sel_*", All((S1, S2))),
        ("2 of sel_*", Any((All((S1, S2)),))),
        ("1 of a", Any((A,))),
        ("not_x", SELECTIONS["not_x"]),
        ("x.y-z", SELECTIONS["x.y-z"]),
        ("_hidden", SELECTIONS["_hidden"]),
        ("1 of _*", Any((SELECTIONS["_hidden"],))),
        ("1 of sel_* and not a", All((Any((S1, S2)), Not(A)))),
    ],
)
def test_a_condition_is_the_tree_that_it_writes(text: str, meant: Predicate) -> None:
    """`and` binds more than `or`, and `not` more than both."""
    assert meant == read(text)


def test_them_is_every_selection_that_is_not_hidden() -> None:
    """A selection with a leading underscore is for use by name."""
    shown = tuple(SELECTIONS[name] for name in NAMES if name != "_hidden")

    assert All(shown) == read("all of them")
    assert Any(shown) == read("1 of THEM")


def test_two_of_three_are_each_pair() -> None:
    """`n of` counts selections, whichever they are."""
    three = {name: SELECTIONS[name] for name in "abc"}

    assert Any((All((A, B)), All((A, C)), All((B, C)))) == read("2 of them", three)
    assert Any((All((A, B, C)),)) == read("3 of them", three)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must have 1 to"),
        ("   ", "must have 1 to"),
        (CANARY, "word 1: names a selection that the rule does not have"),
        (f"a and {CANARY}", "word 3: names a selection"),
        ("A", "word 1: names a selection"),
        ("a b", "word 2: ends before this word"),
        (f"a {CANARY}", "word 2: ends before this word"),
        ("a and", "a selection is missing at the end"),
        ("a and and b", "word 3: a selection is missing before this word"),
        ("or a", "word 1: a selection is missing"),
        ("not", "a selection is missing at the end"),
        ("(a", "lacks a closing bracket"),
        ("a)", "word 2: ends before this word"),
        ("()", "word 2: a selection is missing"),
        ("1 of", "`them` or a pattern is missing at the end"),
        ("3 of sel_*", "word 3: asks for 3 of 2"),
        ("0 of sel_*", "word 3: asks for 0 of 2"),
        (f"1 of {CANARY}*", "word 3: matches no selection"),
        ("one of them", "word 1: names a selection"),
        ("a | count() > 3", "character 3 is none of the grammar"),
        (f"a & {CANARY}", "character 3 is none of the grammar"),
        ("a and 'b'", "character 7 is none of the grammar"),
        ("a " + "or a " * MOST_TOKENS, f"must have 1 to {MOST_TOKENS} words"),
        ("(" * 17 + "a" + ")" * 17, f"more than {MOST_BRACKETS} brackets"),
    ],
)
def test_a_condition_that_does_not_parse_is_refused(text: str, said: str) -> None:
    """The word is counted out; it is not quoted."""
    with pytest.raises(InputError) as refused:
        read(text)

    assert str(refused.value).startswith("my.yml:3:7: condition")
    assert said in str(refused.value)
    assert CANARY not in str(refused.value)


def test_counting_among_many_selections_is_refused() -> None:
    """Each pair of nine, each three of ten: what is written short may be long."""
    many: dict[str, Predicate] = {f"s{n}": A for n in range(MOST_OF + 1)}

    with pytest.raises(InputError, match="counts among more than"):
        read("2 of them", many)
    assert isinstance(read("1 of them", many), Any)


words = st.sampled_from(
    ["a", "b", "not", "and", "or", "(", ")", "1", "of", "them", "all"]
)


@given(text=st.lists(words, max_size=12).map(" ".join) | st.text(max_size=20))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    """A condition must not stop the reader."""
    found: Whatever = None
    try:
        found = read(text)
    except InputError as refused:
        found = refused

    assert isinstance(found, OnField | All | Any | Not | InputError)


def test_not_in_a_row_has_an_end() -> None:
    """256 words of `not` must not end the stack."""
    assert isinstance(read("not " * (MOST_TOKENS - 1) + "a"), Not)
