# ruff: noqa: RUF001 - signs that look alike are the subject
"""Spelled and broken values are read as what they say, and prose stays prose."""

import re

import pytest

from phitrail.guard.normal import views
from phitrail.guard.spelled import (
    _DIGITS,
    _SIGNS,
    _SPOKEN,
    _TEENS,
    _TENS,
    _TIMES,
)


def fragments(text: str) -> list[str]:
    """Give what the fragments of a text read."""
    return [view.text for view in views(text).fragments]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("7 3 1 - 4 4 - 9 0 2 6", "731-44-9026"),
        ("Q u i n n   A b b o t", "Quinn Abbot"),
        ("q . a b b o t @ h o s t . o r g", "q.abbot@host.org"),
        ("+ 1   2 0 9   5 5 5   0 1 7 7", "+1 209 555 0177"),
        ("7_3_1_-_4_4", "731-44"),
        ("Q_u_i_n_n_ _A_b_b_o_t", "Quinn Abbot"),
        ("7.3.1.4.4", "73144"),
        ("Q-u-i-n-n", "Quinn"),
        ("Q*u*i*n*n", "Quinn"),
        ("7|3|1|4|4", "73144"),
        ("seven three one four four", "73144"),
        ("Q nine two two four", "Q9224"),
        ("seven three one, four four, nine oh two six", "731-44-9026"),
        ("seven, three, one, four", "7314"),
        ("seven-three-one-four", "7314"),
        ("double seven triple oh one", "770001"),
        ("two oh nine dash five five five dash oh one", "209-555-01"),
        ("forty one twenty twelve nine", "4120129"),
        ("SEVEN Three ONE four", "7314"),
        ("quinn dot abbot at host dot org", "quinn.abbot@host.org"),
        ("quinn[at]host[dot]org", "quinn@host.org"),
        ("quinn (at) host.org", "quinn@host.org"),
        ("q underscore abbot at host dot org", "q_abbot@host.org"),
        ("731-4\n4-9026", "731-44-9026"),
        ("11/05\n/1950", "11/05/1950"),
        ("quinn@ho\nst.org", "quinn@host.org"),
        ("quinn\n@host.org", "quinn@host.org"),
    ],
)
def test_a_spelled_value_is_read_and_found_where_it_stands(
    written: str, read: str
) -> None:
    """A value that was said letter by letter identifies as much as one that was typed."""
    text = f"The value is {written}, they said."
    (fragment,) = views(text).fragments
    at = fragment.text.index(read)
    start, end = fragment.source(at, at + len(read))

    assert f"is {read}," in fragment.text
    assert written == text[start:end]
    assert fragment.is_rebuilt(at, at + len(read))
    assert not fragment.is_rebuilt(0, 3)


def test_every_number_word_is_known_to_the_pattern() -> None:
    """The pattern is written by first letters: a word it forgets is never read."""
    tables = (_DIGITS, _TEENS, _TENS, _TIMES, _SIGNS)

    assert all(re.fullmatch(_SPOKEN, word) for table in tables for word in table)


@pytest.mark.parametrize(
    "text",
    [
        "Take one to two tablets every four to six hours for two weeks.",
        "Seventy-two year old man, two or three falls, one of them at ten.",
        "One hundred twenty five milligrams; twenty twenty vision; five out of five.",
        "A & O x 3, L 4 to L 5, T 98.6, P 72, R 16",
        "b.i.d., t.i.d., U.S.A., i.e., e.g., version 1.2.3, host 10.0.0.1",
        "1. Rest\n2. Fluids\n3. Walk 20\n4. Sleep 8\n5. Eat",
        "Given on May 3\n4th dose due",
        "An anecdote from the clinic at host.org today",
        "! at host dot org",
        "He is at home, a dot on the film at the apex.",
        "Sodium 138\nPotassium 4.1\n\nGlucose 90",
        "01/02/03 and 1-2-3 and 120/80",
    ],
)
def test_prose_is_not_spelled(text: str) -> None:
    """Doses, counts and lists read another way would cost time and cry wolf."""
    assert fragments(text) == []


def test_a_fragment_keeps_the_words_before() -> None:
    """Without its cue a number says nothing."""
    (read,) = fragments("x" * 200 + " the chart number is 7 3 1 4 4 2 as of now")

    assert read.startswith("the chart number is 731442 as")


def test_signs_around_a_run_are_no_part_of_it() -> None:
    """A dash or a word of one letter beside a number would break its shape."""
    text = "It was a 7 3 1 4 4 - and x 5 5 0 1 9 I said"
    (read,) = fragments(text)

    assert "a 73144 - and x 55019 I said" in read


def test_neighbours_share_a_fragment() -> None:
    """A text full of spelled values must not be scanned many times over."""
    text = "7 3 1 4 4 and " * 500
    found = fragments(text)

    assert len(found) == 1
    assert len(found[0]) < len(text)


def test_a_disguise_within_a_spelled_value_is_taken_off_first() -> None:
    """Two disguises on one value must not hide it; the span still covers the source."""
    text = "SSN ٧ ٣ ١ - ٤ ٤ - ٩ ٠ ٢ ٦ ok"
    (fragment,) = views(text).fragments
    at = fragment.text.index("731-44-9026")

    assert fragment.source(at, at + 11) == (4, 25)
