"""Names by the lists alone: found where the words around them say nothing."""

import pytest

from phitrail.guard.listed_names import find_listed
from phitrail.guard.tagger import Tagger


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    """The lists come with the tagger."""
    return Tagger()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("for a woman, Paula R., with DVT", ["Paula R."]),
        ("male, John Smith, on warfarin", ["John Smith"]),
        ("Peter B", ["Peter B"]),
        ("Vitamin D, hepatitis B, and Grade A", []),
        ("Heart Failure and Blood Pressure", []),
        ("PAULA R. and paula r.", []),
    ],
    ids="initial surname end things headings case".split(),
)
def test_a_given_name_with_an_initial_or_surname_is_a_name(
    tagger: Tagger, text: str, names: list[str]
) -> None:
    """A short question has no words around a name that give it away."""
    found = find_listed(text, tagger.gazetteer)

    assert [text[one.start : one.end] for one in found] == names
