"""Words, nicknames, holidays and typing errors are compared as they should be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.guard.nicknames import also_called
from phitrail.guard.record_holidays import holidays_of
from phitrail.guard.record_name_keys import is_one_edit
from phitrail.guard.record_words import canonical_pieces, fold, pieces, placed_pieces


@given(st.text())
def test_pieces_stand_where_they_say(text: str) -> None:
    """A place beside its piece would cover the wrong letters of an answer."""
    words, gaps, places = placed_pieces(text)

    assert len(words) == len(places) == len(gaps) - 1
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert all(
        fold(text[start:end]) == word
        for word, (start, end) in zip(words, places, strict=True)
        if text[start:end].isascii()
    )


@pytest.mark.parametrize(
    ("word", "folded"),
    [("SØRBY", "sorby"), ("Nguyễn", "nguyen"), ("Łódź", "lodz"), ("Weiß", "weiss")],
)
def test_accents_and_strokes_come_off(word: str, folded: str) -> None:
    """Answers drop the accents of a record, and records those of a passport."""
    assert fold(word) == folded
    assert placed_pieces(word)[0] == [folded]


def test_addresses_have_one_short_form() -> None:
    """`Street` and `St.` are the same street."""
    long = "418 Northwest Saint Olaf Avenue, Apartment 6"
    short = "418 NW St. Olaf Ave, Unit 6"

    assert canonical_pieces(long) == canonical_pieces(short)
    assert canonical_pieces("Post Office Box 9") == canonical_pieces("P.O. Box 9")
    assert canonical_pieces("Eighth Street") == canonical_pieces("8th St")


@given(st.text("abcde", min_size=5, max_size=9), st.data())
def test_one_edit_is_one_edit(word: str, data: st.DataObject) -> None:
    """Any single letter dropped, added, changed or swapped is one typing error."""
    at = data.draw(st.integers(0, len(word) - 2))
    edits = {
        word[:at] + word[at + 1 :],
        word[:at] + "z" + word[at:],
        word[:at] + "z" + word[at + 1 :],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    } - {word}

    assert all(is_one_edit(word, edit) and is_one_edit(edit, word) for edit in edits)


def test_two_edits_are_not_one() -> None:
    """Two changed letters make another person's name."""
    assert not is_one_edit("harlow", "marlin")
    assert not is_one_edit("harlow", "harlowes")


def test_nicknames_go_both_ways() -> None:
    """A record may hold the short form, and the answer the long one."""
    assert "bill" in also_called("william")
    assert "william" in also_called("bill")
    assert also_called("zephyrina") == ()


@pytest.mark.parametrize(
    ("day", "name"),
    [
        ((2025, 5, 26), "memorial day"),
        ((2024, 3, 31), "easter"),
        ((2025, 11, 27), "thanksgiving"),
        ((2025, 11, 28), "day after thanksgiving"),
        ((2025, 1, 20), "mlk day"),
        ((None, 12, 25), "christmas"),
        ((2025, 4, 18), "good friday"),
    ],
)
def test_holidays_are_found_by_date(
    day: tuple[int | None, int, int], name: str
) -> None:
    """A stay that began on a holiday may be told by its name."""
    assert name in holidays_of([day])


def test_other_days_are_no_holidays() -> None:
    """A name of a holiday that the record does not hold is not explained by it."""
    days = [(2025, 5, 19), (2025, None, None), (2025, 2, 30), (2025, 3, 3)]

    assert holidays_of(days) == ()


def test_pieces_split_letters_from_digits() -> None:
    """`118-A` and `118A` are the same unit."""
    assert pieces("118-A") == pieces("118A") == ["118", "a"]
