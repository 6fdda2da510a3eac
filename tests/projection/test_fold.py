"""Folding in bulk gives the rows that the record types say, for every kind of record."""

import pytest
from tests.projection.leaves import ListedEntries, make_leaves
from tests.projection.stores import make_folder, plain, scan

from phitrail.errors import IntegrityError
from phitrail.events.codes import Log


@pytest.mark.parametrize("log", list(Log))
def test_bulk_rows_are_the_rows_of_the_records(log: Log) -> None:
    """A column that DuckDB reads otherwise than the types say would falsify answers."""
    leaves = make_leaves(log, 120)

    folded = make_folder(log).fold(0, leaves).to_pylist()

    expected = [{k: plain(v) for k, v in row.items()} for row in scan(log, leaves)]
    assert expected == [{k: plain(v) for k, v in row.items()} for row in folded]


def test_indexes_begin_where_the_caller_says() -> None:
    """A row with another's index would be proven by another's entry."""
    leaves = make_leaves(Log.AUDIT, 3)

    assert make_folder().fold(7, leaves)["idx"].to_pylist() == [7, 8, 9]


@pytest.mark.parametrize(
    "leaf",
    [
        b"not json",
        b"{}",
        b'{"event_id":"019b76da-a800-7061-82ba-c1298d7be830","schema":"other/v9"}',
        b"[1]",
        b'{"event_id":"\xff\xfe","schema":"phitrail/audit-event/v1"}',
    ],
)
def test_a_leaf_of_no_known_kind_stops_the_fold(leaf: bytes) -> None:
    """Passing over what is not understood would make a table that lacks entries."""
    leaves = [*make_leaves(Log.AUDIT, 2), leaf]

    with pytest.raises(IntegrityError) as caught:
        make_folder().fold(0, leaves)

    assert caught.value.__cause__ is None
    assert "019b76da" not in str(caught.value)


def test_an_entry_of_another_log_stops_the_fold() -> None:
    """A quality entry among audit events means that the log is not what it says."""
    entries = ListedEntries(make_leaves(Log.QUALITY, 1))

    with pytest.raises(IntegrityError):
        make_folder(Log.AUDIT).fold(0, list(entries.entries(0, 1)))
