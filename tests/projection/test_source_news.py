"""Runs of numbers are subtracted as sets are."""

from hypothesis import given
from hypothesis import strategies as st

from phitrail.projection.source_news import Span, subtract

SPANS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 6)).map(lambda s: (s[0], s[0] + s[1])),
    max_size=8,
)


def numbers(spans: list[Span]) -> set[int]:
    """List the numbers in some spans."""
    return {n for first, last in spans for n in range(first, last + 1)}


@given(SPANS, SPANS)
def test_what_is_left_is_what_was_not_taken(
    spans: list[Span], others: list[Span]
) -> None:
    """A number told twice is noise; one that is never told is a gap nobody hears of."""
    left = subtract(spans, others)

    assert numbers(left) == numbers(spans) - numbers(others)
    assert sorted(left) == left
    assert sum(last - first + 1 for first, last in left) == len(numbers(left))
