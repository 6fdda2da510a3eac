"""Pieces: a long text is cut without loss, between words where it can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.guard.pieces import PIECE, pieces_of
from phitrail.guard.scan import Guard

LINE = "Seen by Ayodele Quist in Harlan on 12 Feb 2025; call (606) 555-0142.\n"


@given(st.integers(0, 3 * PIECE + 9), st.sampled_from(["x", " ", "\n", "ab c\n"]))
def test_the_pieces_are_the_text(length: int, sign: str) -> None:
    """A character in no piece would go out unread."""
    text = (sign * length)[:length]
    pieces = list(pieces_of(text))

    assert "".join(text[p.start : p.end] for p in pieces) == text
    assert all(p.low <= p.start < p.end <= p.high for p in pieces)
    assert all(p.end - p.start <= PIECE for p in pieces)


def test_a_word_is_not_cut_where_a_line_ends_near() -> None:
    """Half a name in either piece is found in neither."""
    text = LINE * (2 * PIECE // len(LINE))

    assert all(text[p.start - 1] == "\n" for p in list(pieces_of(text))[1:])


@pytest.mark.parametrize("gap", ["\n", " "], ids=["lines", "one-line"])
def test_a_long_text_is_found_in_as_a_short_one(gap: str) -> None:
    """What is found must not depend on where in a long answer it stands."""
    guard = Guard()
    line = LINE.strip() + gap
    times = 2 * PIECE // len(line)
    found = guard.find(line * times)
    whole = [0] * times
    for one in found:
        whole[one.start // len(line)] += one.end - one.start

    middle = whole[3:-3]
    assert set(middle) == {middle[0]}
    assert middle[0] >= len("Ayodele QuistHarlan12 Feb 2025(606) 555-0142")


def test_a_name_of_the_last_piece_is_found_in_the_first() -> None:
    """Propagation reaches over pieces, backwards too."""
    filler = "The patient is stable and may go home with the usual advice.\n"
    text = (
        "Quistberg\n"
        + filler * (2 * PIECE // len(filler))
        + ("Signed by Dr. Ayodele Quistberg, MD, on 12 Feb 2025.\n")
    )

    assert Guard().find(text)[0].start == 0


def test_what_is_longer_than_a_piece_is_covered_whole() -> None:
    """A run without a blank is found in no single piece, and must not fall between two."""
    text = "a@" * PIECE
    covered = bytearray(len(text))
    for one in Guard().find(text):
        covered[one.start : one.end] = b"x" * (one.end - one.start)

    assert covered[1000:-1000].count(0) == 0
