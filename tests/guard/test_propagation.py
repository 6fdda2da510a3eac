"""Propagation: what was found once is found again, and nothing else is."""

from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import Found
from phitrail.guard.propagation import propagated


def found_at(text: str, value: str, kind: IdentifierClass) -> Found:
    """Find the first place of a value."""
    at = text.index(value)
    return Found(at, at + len(value), kind, 0.9, "tagger.name")


def again(text: str, value: str, kind: IdentifierClass) -> list[str]:
    """Tell what is found besides the first place of a value."""
    one = found_at(text, value, kind)
    return [text[f.start : f.end] for f in propagated(text, [one]) if f != one]


def test_the_parts_of_a_name_are_found_wherever_they_stand_again() -> None:
    """A name that was redacted once must not stand in the next sentence."""
    text = "Seen by Ayodele Quist. Quist agreed; AYODELE signed. Quista did not."

    assert again(text, "Ayodele Quist", IdentifierClass.NAME) == ["Quist", "AYODELE"]


def test_a_word_of_plain_language_is_not_propagated() -> None:
    """Redacting every `will` after a Will Hardy makes the answer unreadable."""
    text = "Will Hardister called. He will come; Will Hardister confirmed."

    assert again(text, "Will Hardister", IdentifierClass.NAME) == ["Hardister"]


def test_a_number_is_found_as_a_whole_only() -> None:
    """`4471` inside a longer number is another number."""
    text = "MRN 4471-20 on file. Order 94471-20. Chart 4471-20."

    assert again(text, "4471-20", IdentifierClass.MRN) == ["4471-20"]


def test_dates_and_ages_are_not_propagated() -> None:
    """A date that was found says nothing of another that looks alike."""
    text = "On 3/4 he came. Strength 3/4."

    assert again(text, "3/4", IdentifierClass.DATE) == []
