"""Cited authors are let through; whoever is named beside a year is not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.guard.citations import is_cited


def _is_cited(marked: str) -> bool:
    start, end = marked.index("@"), marked.rindex("@") - 1
    return is_cited(marked.replace("@", ""), start, end)


@pytest.mark.parametrize(
    "text",
    [
        "[3] @Quist@ ZB, Ames T. JAMA 2003;286:18",
        "@Quist ZB@, Ames TL. Br J Surg 2019; 4:5",
        "shown before (@Quist@, NEJM 2023)",
        "@Quist@ et al. found less of it",
        "@Quist@, Ames, et al",
    ],
)
def test_a_cited_author_is_let_through(text: str) -> None:
    """A reference without its authors cannot be looked up."""
    assert _is_cited(text)


@pytest.mark.parametrize(
    "text",
    [
        "@Quist@ was seen in 2022; 3 visits",
        "@Quist@ 2021: 3 falls",
        "@Quist@, Room 4\n2021;3:4",
        "Dr. @Quist@ reads JAMA",
        "@Quist@",
        "@@ et al",
    ],
)
def test_a_name_beside_a_year_is_not(text: str) -> None:
    """A patient with a year in the same line must not become an author."""
    assert not _is_cited(text)


def test_a_long_line_of_initials_is_read_in_bounded_time() -> None:
    """It is asked for every name in an answer."""
    text = "Q" + " ,.A" * 50_000
    began = time.process_time()
    for _ in range(200):
        is_cited(text, 0, 1)

    assert time.process_time() - began < 1


@given(st.text(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_no_text_makes_it_fail(text: str, start: int, end: int) -> None:
    """It runs inside the guard, which withholds an answer when a part fails."""
    low, high = sorted((min(start, len(text)), min(end, len(text))))

    assert is_cited(text, low, high) in {True, False}
