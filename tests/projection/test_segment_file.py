"""Segments are cut into files whose ranges say truly what they hold."""

from pathlib import Path

import pyarrow as pa
import pytest
from tests.projection.leaves import ListedEntries, make_leaves
from tests.projection.stores import (
    make_folder,
    make_store,
    open_tables,
    rows_of_scan,
    rows_of_tables,
    touched_of_scan,
    touched_of_tables,
)

from phitrail.errors import IntegrityError
from phitrail.events.codes import Log
from phitrail.projection import segment_file
from phitrail.projection.fold import connect
from phitrail.projection.follower import build_segment
from phitrail.projection.segment_file import join_segments
from phitrail.projection.segments import Manifest, Segment, SegmentFile, SegmentStore

ROWS = 2_048
LEAVES = make_leaves(Log.AUDIT, 3 * ROWS)
ENTRIES = ListedEntries(LEAVES)


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut files at the least number of rows that DuckDB makes a row group of."""
    monkeypatch.setattr(segment_file, "ROWS_IN_A_GROUP", ROWS)
    monkeypatch.setattr(segment_file, "PART_ROWS", ROWS)


def build(store: SegmentStore, first: int, end: int) -> Segment:
    """Build one segment of the made leaves."""
    return build_segment(ENTRIES, make_folder(), store, first, end)


def check_file(store: SegmentStore, file: SegmentFile, column: str) -> None:
    """Check what the manifest says of a file against all of its rows."""
    connection = connect(threads=1, memory_mb=256)
    found = connection.execute(
        f"SELECT count(*), min({column}), max({column}) "
        f"FROM read_parquet('{store.place(file.name)}')"
    ).fetchone()
    connection.close()

    assert (file.rows, file.low, file.high) == found


def rows_of(store: SegmentStore, segment: Segment, columns: str) -> pa.Table:
    """Read some columns of a segment's events."""
    connection = connect(threads=1, memory_mb=256)
    places = [str(store.place(file.name)) for file in segment.events]
    select = f"SELECT DISTINCT {columns} FROM read_parquet({places})"
    rows = connection.sql(select).to_arrow_table()
    connection.close()
    return rows


def test_a_segment_is_cut_and_each_file_says_what_it_holds(tmp_path: Path) -> None:
    """A range narrower than the rows of its file hides them from every question."""
    store = make_store(tmp_path)

    segment = build(store, 0, 2 * ROWS + 9)

    assert [file.rows for file in segment.events] == [ROWS, ROWS, 9]
    assert len(segment.records) > 1
    for file in segment.events:
        check_file(store, file, "cluster")
    for file in segment.records:
        check_file(store, file, "patient")
    lows = [file.low for file in segment.events]
    assert lows == sorted(lows)


def test_times_and_accesses_of_a_segment_are_those_of_its_rows(tmp_path: Path) -> None:
    """They decide whether a segment is opened for a day, or for an access."""
    store = make_store(tmp_path)
    parts = [build(store, 0, ROWS), build(store, ROWS, 3 * ROWS)]

    joined = join_segments(store, make_folder().connection, parts)

    for segment in (*parts, joined):
        rows = rows_of(
            store,
            segment,
            "strftime(timestamp_utc, '%Y-%m-%dT%H:%M:%S.%gZ') AS t, access_id::VARCHAR a",
        )
        times = rows["t"].to_pylist()
        accesses = [a for a in rows["a"].to_pylist() if a is not None]
        assert segment.times == (min(times), max(times))
        assert segment.accesses == (min(accesses), max(accesses))


def test_all_entries_of_an_access_have_one_cluster_in_a_segment(tmp_path: Path) -> None:
    """Who found one entry of an access looks for the others in its cluster only."""
    store = make_store(tmp_path)
    parts = [build(store, n * ROWS, (n + 1) * ROWS) for n in range(3)]
    joined = join_segments(store, make_folder().connection, parts)

    for segment in (*parts, joined):
        rows = rows_of(store, segment, "access_id, cluster").to_pylist()
        accesses = [r["access_id"] for r in rows if r["access_id"] is not None]
        assert len(set(accesses)) == len(accesses)


def test_joined_files_hold_every_row_once(tmp_path: Path) -> None:
    """A row lost or doubled where a file ends would change every answer."""
    store = make_store(tmp_path)
    parts = [build(store, n * ROWS, (n + 1) * ROWS) for n in range(3)]
    joined = join_segments(store, make_folder().connection, parts)
    assert len(joined.events) == 3

    tables = open_tables(
        tmp_path, store, ENTRIES, Manifest(log=Log.AUDIT, segments=(joined,))
    )

    assert rows_of_scan(Log.AUDIT, LEAVES) == rows_of_tables(tables, Log.AUDIT)
    assert touched_of_scan(LEAVES) == touched_of_tables(tables)
    tables.close()


def test_what_a_step_that_died_left_is_not_taken_in(tmp_path: Path) -> None:
    """A fourth file of an attempt that died would bring its rows a second time."""
    store = make_store(tmp_path)
    for part in range(4):
        name = f"events-0-{2 * ROWS}-p{part}-g0.parquet"
        store.temporary(name).write_bytes(b"half a file")

    segment = build(store, 0, 2 * ROWS)

    assert [file.rows for file in segment.events] == [ROWS, ROWS]
    store.check_segment(segment)


@pytest.mark.parametrize("part", range(3))
def test_a_changed_byte_in_any_file_is_noticed(tmp_path: Path, part: int) -> None:
    """A check of the first file only would leave most of a segment unchecked."""
    store = make_store(tmp_path)
    segment = build(store, 0, 2 * ROWS + 9)
    for file in (segment.events[part], segment.records[min(part, 1)]):
        place = store.place(file.name)
        kept = place.read_bytes()
        place.write_bytes(kept[:-9] + bytes([kept[-9] ^ 1]) + kept[-8:])

        with pytest.raises(IntegrityError, match="log rebuild"):
            store.check_segment(segment)
        place.write_bytes(kept)
    store.check_segment(segment)
