"""What only one side has is named exactly, and as few as there can be."""

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phitrail.projection.reconcile import SIDE_SCHEMA, Reconciled, reconcile

Row = tuple[int, int]
TOLERANCE = timedelta(seconds=2)
SECOND_US = 1_000_000


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of its own."""
    opened = duckdb.connect()
    yield opened
    opened.close()


def side(rows: Sequence[Row]) -> pa.Table:
    """Make one side; the place of a row is its number."""
    columns = [
        [key for key, _ in rows],
        [at_us for _, at_us in rows],
        list(range(len(rows))),
    ]
    return pa.table(columns, schema=SIDE_SCHEMA)


def most_matches(ours: Sequence[Row], theirs: Sequence[Row], within_us: int) -> int:
    """Find the greatest number of matches by augmenting paths (Kuhn)."""
    partner: dict[int, int] = {}

    def find(one: int, seen: set[int]) -> bool:
        key, at_us = ours[one]
        for other, (their_key, their_at) in enumerate(theirs):
            if other in seen or key != their_key or abs(at_us - their_at) > within_us:
                continue
            seen.add(other)
            if other not in partner or find(partner[other], seen):
                partner[other] = one
                return True
        return False

    return sum(find(one, set()) for one in range(len(ours)))


rows = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 12).map(lambda s: s * SECOND_US)),
    max_size=12,
)


@pytest.mark.long
@given(ours=rows, theirs=rows)
@settings(max_examples=300, deadline=None)
def test_as_many_match_as_can(ours: list[Row], theirs: list[Row]) -> None:
    """A poor way of matching would accuse somebody of a bypass that was none."""
    with duckdb.connect() as connection:
        found = reconcile(connection, side(ours), side(theirs), TOLERANCE)

    assert found.matched == most_matches(ours, theirs, 2 * SECOND_US)
    assert found.matched + len(found.ours_only) == len(ours)
    assert found.matched + len(found.theirs_only) == len(theirs)


@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_fifty_deletions_in_ten_thousand_are_the_fifty_named(
    connection: duckdb.DuckDBPyConnection, who: str
) -> None:
    """An investigator asks which, not how many."""
    draw = random.Random(50)
    whole = [
        (draw.randrange(900), number * SECOND_US * 3 + draw.randrange(SECOND_US))
        for number in range(10_000)
    ]
    gone = sorted(draw.sample(range(10_000), 50))
    kept = [row for number, row in enumerate(whole) if number not in set(gone)]
    jitter = [
        (key, at_us + draw.randrange(-SECOND_US, SECOND_US)) for key, at_us in kept
    ]
    if who == "theirs":  # they lost fifty: only we have them
        found = reconcile(connection, side(whole), side(jitter), TOLERANCE)
        expected = Reconciled(9_950, ours_only=gone)
    else:
        found = reconcile(connection, side(jitter), side(whole), TOLERANCE)
        expected = Reconciled(9_950, theirs_only=gone)

    assert found == expected


def test_a_request_matches_whenever_it_was_billed(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """A bill comes days later: the request says which call it is for."""
    ours = [(number, number) for number in range(100)]
    theirs = [(number, 10**15 - number) for number in range(3, 103)]
    found = reconcile(connection, side(ours), side(theirs), None)

    assert found == Reconciled(97, ours_only=[0, 1, 2], theirs_only=[97, 98, 99])


def test_nothing_against_something(connection: duckdb.DuckDBPyConnection) -> None:
    """A log that holds nothing matches nothing."""
    found = reconcile(connection, side([]), side([(1, 1), (2, 2)]), TOLERANCE)

    assert found == Reconciled(0, theirs_only=[0, 1])
