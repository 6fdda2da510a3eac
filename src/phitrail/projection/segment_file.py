"""Writing segments: rows in an order that finds a patient in one place.

Events stand by `cluster`, then access, then index. The cluster of an event is the first
patient (by surrogate) of the rest of its access in the segment, or of the event itself
when it has no access; empty when there is none. So in one segment all entries of an access
have one cluster, and what concerns one patient, closings included, lies in one or two row
groups, wherever it was in time.

Records touched stand by patient, with the cluster of their event.

Both are cut into files of `PART_ROWS`, each with the least and the greatest cluster (or
patient) that it holds: who asks for one patient opens one of them, not the segment.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count, takewhile
from pathlib import Path
from typing import Final, TypeAlias

import duckdb
import msgspec
import pyarrow as pa

from phitrail.errors import StorageError
from phitrail.events.codes import Log
from phitrail.projection.fold import drop_empty_columns
from phitrail.projection.rows import CLUSTER, INDEX, RECORDS, columns_of
from phitrail.projection.segments import Segment, SegmentStore, WrittenFile

ROWS_IN_A_GROUP: Final = 8_192
PART_ROWS: Final = 16 * ROWS_IN_A_GROUP
_COPY: Final = (
    "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 1024"
)
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%gZ"

Range: TypeAlias = tuple[str, str] | None
_RECORDS_OF_EVENTS: Final = (
    f"SELECT triple[1] AS patient, {INDEX}, access_id, triple[2] AS record, "
    "triple[3] AS resource_type FROM "
    f"(SELECT {INDEX}, access_id, unnest({RECORDS}) AS triple FROM folded)"
)


def has_records(log: Log) -> bool:
    """Say whether entries of a log can name patients' records."""
    return any(column.name == RECORDS for column in columns_of(log))


def write_segment(
    store: SegmentStore,
    connection: duckdb.DuckDBPyConnection,
    first: int,
    folded: pa.Table,
) -> Segment:
    """Write the rows of the entries from `first` on as a segment; it is durable.

    Raises:
        StorageError: nothing was kept.
        OutcomeUnknownError: files may stand that no manifest names.
    """
    connection.register("folded", folded)
    connection.register("bare", drop_empty_columns(folded))
    try:
        connection.execute("CREATE OR REPLACE TEMP VIEW bare_rows AS FROM bare")
        records = _RECORDS_OF_EVENTS if has_records(store.log) else None
        times, accesses = _ranges(connection, store.log)
        return _write(
            store,
            connection,
            Segment(
                first=first,
                end=first + folded.num_rows,
                level=0,
                events=(),
                times=times,
                accesses=accesses,
            ),
            records,
        )
    finally:
        connection.execute("DROP VIEW IF EXISTS bare_rows")
        connection.unregister("bare")
        connection.unregister("folded")


def join_segments(
    store: SegmentStore,
    connection: duckdb.DuckDBPyConnection,
    segments: Sequence[Segment],
) -> Segment:
    """Join adjacent segments into one, one level up; the old files stay.

    Raises:
        IntegrityError: a file of them was changed.
        StorageError: nothing was kept.
    """
    for segment in segments:
        store.check_segment(segment)
    events = _file_list([store.place(f.name) for s in segments for f in s.events])
    records = [store.place(f.name) for s in segments for f in s.records]
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW bare_rows AS SELECT * EXCLUDE ({CLUSTER}) FROM "
        f"read_parquet({events}, union_by_name = true)"
    )
    try:
        return _write(
            store,
            connection,
            Segment(
                first=segments[0].first,
                end=segments[-1].end,
                level=max(segment.level for segment in segments) + 1,
                events=(),
                times=_widest([segment.times for segment in segments]),
                accesses=_widest([segment.accesses for segment in segments]),
            ),
            f"SELECT * EXCLUDE ({CLUSTER}) FROM read_parquet({_file_list(records)})"
            if records
            else None,
        )
    finally:
        connection.execute("DROP VIEW IF EXISTS bare_rows")


def _ranges(connection: duckdb.DuckDBPyConnection, log: Log) -> tuple[Range, Range]:
    """Say between which times and which access ids the folded rows lie."""
    names = {column.name for column in columns_of(log)}
    access = "access_id" if "access_id" in names else "NULL"
    row = connection.execute(
        "SELECT strftime(min(timestamp_utc), $1), strftime(max(timestamp_utc), $1), "
        f"min({access})::VARCHAR, max({access})::VARCHAR FROM folded",
        [_TIME_FORMAT],
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return (
        (row[0], row[1]) if row[0] is not None else None,
        (row[2], row[3]) if row[2] is not None else None,
    )


def _widest(ranges: Sequence[Range]) -> Range:
    known = [each for each in ranges if each is not None]
    if not known:
        return None
    return min(low for low, _ in known), max(high for _, high in known)


def _write(
    store: SegmentStore,
    connection: duckdb.DuckDBPyConnection,
    empty: Segment,
    records: str | None,
) -> Segment:
    """Write the files of a segment of which all else is known."""
    mark = f"{empty.first}-{empty.end}-p{{i}}-g{store.generation}.parquet"
    events: list[WrittenFile] = []
    touched: list[WrittenFile] = []
    try:
        if records is not None:
            connection.execute(f"CREATE OR REPLACE TEMP TABLE touched AS {records}")
        if records is not None and _count(connection, "touched"):
            _find_clusters(connection)
            events = _copy(store, connection, _CLUSTERED, f"events-{mark}", CLUSTER)
            touched = _copy(
                store, connection, _CLUSTERED_RECORDS, f"records-{mark}", "patient"
            )
        else:
            plain = f"SELECT '' AS {CLUSTER}, * FROM bare_rows ORDER BY {INDEX}"
            events = _copy(store, connection, plain, f"events-{mark}", CLUSTER)
    except duckdb.Error as error:
        raise StorageError(
            f"cannot write tables under {store.directory} ({type(error).__name__}); "
            "check its disk, its permissions and the memory of this machine"
        ) from None
    finally:
        for table in ("touched", "of_access", "of_event"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
    kept = store.keep([*events, *touched])
    return msgspec.structs.replace(
        empty, events=kept[: len(events)], records=kept[len(events) :]
    )


_PLACE: Final = f"coalesce(a.patient, e.patient, '') AS {CLUSTER}"
_PLACED_BY: Final = (
    "LEFT JOIN of_access a ON a.access_id = r.access_id "
    f"LEFT JOIN of_event e ON e.{INDEX} = r.{INDEX}"
)
_CLUSTERED: Final = (
    f"SELECT {_PLACE}, r.* FROM bare_rows r {_PLACED_BY} "
    f"ORDER BY {CLUSTER}, r.access_id, r.{INDEX}"
)
_CLUSTERED_RECORDS: Final = (
    f"SELECT r.*, {_PLACE} FROM touched r {_PLACED_BY} "
    f"ORDER BY r.patient, r.{INDEX}, r.record"
)


def _find_clusters(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE of_access AS SELECT access_id, "
        "min(patient) AS patient FROM touched WHERE patient <> '' "
        "AND access_id IS NOT NULL GROUP BY access_id"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE of_event AS SELECT {INDEX}, "
        "min(patient) AS patient FROM touched WHERE patient <> '' "
        f"AND access_id IS NULL GROUP BY {INDEX}"
    )


def _copy(
    store: SegmentStore,
    connection: duckdb.DuckDBPyConnection,
    select: str,
    pattern: str,
    ordered_by: str,
) -> list[WrittenFile]:
    """Write what a SELECT gives, in its order, as files of `PART_ROWS` each."""
    for name in _names(store, pattern):
        store.temporary(name).unlink()  # of a step that died
    stem, _, ending = store.temporary(pattern).name.partition(".")
    with _one_thread(connection):
        connection.execute(
            f"COPY ({select}) TO {quoted(str(store.directory))} ({_COPY}, "
            f"ROW_GROUP_SIZE {ROWS_IN_A_GROUP}, "
            f"ROW_GROUPS_PER_FILE {PART_ROWS // ROWS_IN_A_GROUP}, "
            "OVERWRITE_OR_IGNORE true, "
            f"FILENAME_PATTERN {quoted(stem)}, FILE_EXTENSION {quoted(ending)})"
        )
    return [
        _written(store, connection, name, ordered_by) for name in _names(store, pattern)
    ]


def _names(store: SegmentStore, pattern: str) -> list[str]:
    """List the parts of a pattern that stand under their temporary names."""
    names = (pattern.replace("{i}", str(part)) for part in count())
    return list(takewhile(lambda name: store.temporary(name).exists(), names))


def _written(
    store: SegmentStore,
    connection: duckdb.DuckDBPyConnection,
    name: str,
    ordered_by: str,
) -> WrittenFile:
    row = connection.execute(
        f"SELECT count(*), min({ordered_by}), max({ordered_by}) "
        f"FROM read_parquet({quoted(str(store.temporary(name)))})"
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return WrittenFile(name, *row)


@contextmanager
def _one_thread(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Write with one thread: several would deal the rows out over the files."""
    row = connection.execute("SELECT current_setting('threads')").fetchone()
    connection.execute("SET threads = 1")
    try:
        yield
    finally:
        connection.execute(f"SET threads = {row[0] if row else 1}")


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def _file_list(places: Sequence[Path]) -> str:
    return "[" + ", ".join(quoted(str(place)) for place in places) + "]"


def quoted(text: str) -> str:
    """Write text as a string of SQL."""
    return "'" + text.replace("'", "''") + "'"
