"""Merging: findings become disjoint and lose nothing that was found."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import Found
from phitrail.guard.merging import merged

CLASSES = st.sampled_from(list(IdentifierClass))
FOUND = st.builds(
    lambda start, length, kind, score, rule, known: Found(
        start, start + length, kind, score, rule, known
    ),
    st.integers(0, 60),
    st.integers(1, 12),
    CLASSES,
    st.floats(0, 1),
    st.sampled_from(["tagger.name", "phone.us", "record.name"]),
    st.booleans(),
)


def places(found: list[Found], *, is_code: bool | None = None) -> set[int]:
    """Tell which code points findings cover."""
    return {
        place
        for one in found
        if is_code is None
        or (one.identifier_class == IdentifierClass.CLINICAL_CODE) == is_code
        for place in range(one.start, one.end)
    }


@given(st.lists(FOUND))
def test_what_comes_out_is_in_order_and_disjoint(found: list[Found]) -> None:
    """Redaction cuts the text at these places, once each."""
    out = merged(found)

    assert all(a.end <= b.start for a, b in pairwise(out))


@given(st.lists(FOUND))
def test_every_place_of_an_identifier_stays_covered(found: list[Found]) -> None:
    """A merge that forgets letters leaks them."""
    assert places(found, is_code=False) <= places(merged(found), is_code=False)


@given(st.lists(FOUND))
def test_merging_again_changes_nothing(found: list[Found]) -> None:
    """The order in which stages are merged must not matter for what is merged."""
    out = merged(found)

    assert merged(out) == out


def test_a_record_explains_no_more_than_it_covers() -> None:
    """A stranger's surname after a known given name is not expected."""
    known = Found(0, 4, IdentifierClass.NAME, 1.0, "record.name", is_in_record=True)
    longer = Found(0, 10, IdentifierClass.NAME, 0.9, "tagger.name")

    (one,) = merged([known, longer])

    assert (one.start, one.end, one.is_in_record) == (0, 10, False)
