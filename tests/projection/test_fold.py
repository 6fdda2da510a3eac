"""Folding in bulk gives the rows that the record types say, for every kind of record."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.events.test_canonical import records
from tests.projection.leaves import ListedEntries, make_leaves, surrogate
from tests.projection.stores import make_folder, plain, scan, shared_folder

from phitrail.app.tables import REBUILD_MEMORY_MB
from phitrail.errors import IntegrityError, StorageError
from phitrail.events.canonical import MAX_LEAF_BYTES, encode_leaf
from phitrail.events.codes import Log
from phitrail.projection import follower
from phitrail.projection.fold import TEXT_LEAVES, Folder, connect
from phitrail.projection.follower import read_range
from phitrail.projection.rows import KINDS_OF_LOG

EVENT_ID = "019b76da-a800-7061-82ba-c1298d7be830"


def rows_of(table: pa.Table) -> list[dict[str, object]]:
    """Read the rows of a folded table."""
    return [{k: plain(v) for k, v in row.items()} for row in table.to_pylist()]


def rows_of_records(log: Log, leaves: Sequence[bytes]) -> list[dict[str, object]]:
    """Say what `rows_of` must give."""
    return [{k: plain(v) for k, v in row.items()} for row in scan(log, leaves)]


@pytest.mark.parametrize("log", list(Log))
def test_bulk_rows_are_the_rows_of_the_records(log: Log) -> None:
    """A column that DuckDB reads otherwise than the types say would falsify answers."""
    leaves = make_leaves(log, 120)

    folded = make_folder(log).fold(0, leaves)

    assert rows_of_records(log, leaves) == rows_of(folded)


def _as_stored(record: Any) -> Any:
    """Give a record the id that whatever stands in a log has."""
    if record.event_id is not None:
        return record
    return msgspec.structs.replace(record, event_id=EVENT_ID)


def _may_stand_in(log: Log, record: msgspec.Struct) -> bool:
    kinds = {getattr(kind, "__origin__", kind) for kind in KINDS_OF_LOG[log]}
    return type(record) in kinds


@pytest.mark.long
@given(st.lists(records().map(_as_stored), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_whatever_a_leaf_may_hold_is_what_its_row_holds(drawn: list[Any]) -> None:
    """No value within the field policy may be lost, cut or changed on its way."""
    for log in Log:
        leaves = [encode_leaf(r) for r in drawn if _may_stand_in(log, r)]

        folded = shared_folder(log).fold(0, leaves)

        assert rows_of_records(log, leaves) == rows_of(folded)


def test_text_is_what_json_says_it_is() -> None:
    """Escapes and letters beyond ASCII, of a later field policy, must stay what they are."""
    texts = [
        '"\\/\b\f\n\r\t',
        "\u00e9\u4e2d\U0001f600",
        "\x7f\u2028",
        "",
        "null",
        "\x00",
    ]
    leaves = [
        msgspec.json.encode(
            {"event_id": EVENT_ID}
            | {"user_id": text, "sensitivity": [text, text]}
            | {"records": [[text, "r", text]], "schema": "phitrail/audit-event/v1"}
        )
        for text in texts
    ]

    folded = make_folder().fold(0, leaves)

    assert texts == folded["user_id"].to_pylist()
    assert [[t, t] for t in texts] == folded["sensitivity"].to_pylist()
    assert [[[t, "r", t]] for t in texts] == folded["records"].to_pylist()


def test_rows_keep_the_order_of_their_leaves_whatever_thread_folds_them() -> None:
    """Rows are numbered by their place: a swap would prove one entry by another's."""
    leaves = make_leaves(Log.QUALITY, 4 * TEXT_LEAVES + 7)
    folder = Folder(Log.QUALITY, connect(threads=4, memory_mb=256))

    folded = folder.fold(5, leaves)

    ids = [msgspec.json.decode(leaf)["event_id"] for leaf in leaves]
    assert ids == [str(value) for value in folded["event_id"].to_pylist()]
    assert list(range(5, 5 + len(leaves))) == folded["idx"].to_pylist()


@pytest.mark.parametrize(("entries", "size"), [(65_536, 1), (10, 1 << 26), (20, 9_000)])
def test_a_range_is_folded_in_parts_without_a_gap(
    monkeypatch: pytest.MonkeyPatch, entries: int, size: int
) -> None:
    """However much is folded at once, each entry has its one row."""
    monkeypatch.setattr(follower, "TEXT_LEAVES", 7)
    monkeypatch.setattr(follower, "FOLD_ENTRIES", entries)
    monkeypatch.setattr(follower, "FOLD_BYTES", size)
    leaves = make_leaves(Log.AUDIT, 60)

    parts = read_range(ListedEntries(leaves), shared_folder(Log.AUDIT), 3, 60)

    assert len(parts) > 1
    assert rows_of_records(Log.AUDIT, leaves)[3:] == rows_of(pa.concat_tables(parts))


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


def test_the_longest_leaves_fold_in_the_memory_that_a_rebuild_has() -> None:
    """A log of long events must not need a larger machine than one of many events."""
    triple = [surrogate(1), surrogate(2), "Observation"]
    event = {"event_id": EVENT_ID, "schema": "phitrail/audit-event/v1"}
    leaf = msgspec.json.encode(event | {"records": [triple] * 300})
    assert MAX_LEAF_BYTES * 0.95 < len(leaf) <= MAX_LEAF_BYTES
    folder = Folder(Log.AUDIT, connect(threads=1, memory_mb=REBUILD_MEMORY_MB))

    parts = read_range(ListedEntries([leaf] * 4_096), folder, 0, 4_096)

    assert sum(part.num_rows for part in parts) == 4_096


def test_too_little_memory_is_not_called_a_damaged_log() -> None:
    """An officer who is told of altered entries looks for a culprit, not for memory."""
    leaves = make_leaves(Log.AUDIT, 400) * 40
    folder = Folder(Log.AUDIT, connect(threads=1, memory_mb=4))

    with pytest.raises(StorageError) as caught:
        folder.fold(0, leaves)

    assert caught.value.__cause__ is None
    assert folder.connection.sql("SELECT 1").fetchall() == [(1,)]
