"""Writing segments: rows in an order that finds a patient in one place.

Events stand by `cluster`, then access, then index. The cluster of an event is the first
patient (by surrogate) of the rest of its access in the segment, or of the event itself
when it has no access; empty when there is none. So what concerns one patient, closings
included, lies in one or two row groups of a segment, wherever it was in time. `cluster`
only says where a row lies: no answer depends on what it holds.

Records touched stand by patient, with the cluster of their event.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from phitrail.errors import StorageError
from phitrail.events.codes import Log
from phitrail.projection.fold import drop_empty_columns
from phitrail.projection.rows import INDEX, RECORDS, columns_of
from phitrail.projection.segments import Segment, SegmentStore

CLUSTER: Final = "cluster"
ROWS_IN_A_GROUP: Final = 8_192
_COPY: Final = (
    "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, USE_TMP_FILE false, "
    f"ROW_GROUP_SIZE {ROWS_IN_A_GROUP}, DICTIONARY_SIZE_LIMIT 1024)"
)
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
        return _write(store, connection, first, first + folded.num_rows, 0, records)
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
    events = _file_list([store.place(s.events.name) for s in segments])
    records = [store.place(s.records.name) for s in segments if s.records]
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW bare_rows AS SELECT * EXCLUDE ({CLUSTER}) FROM "
        f"read_parquet({events}, union_by_name = true)"
    )
    try:
        return _write(
            store,
            connection,
            segments[0].first,
            segments[-1].end,
            max(segment.level for segment in segments) + 1,
            f"SELECT * EXCLUDE ({CLUSTER}) FROM read_parquet({_file_list(records)})"
            if records
            else None,
        )
    finally:
        connection.execute("DROP VIEW IF EXISTS bare_rows")


def _write(
    store: SegmentStore,
    connection: duckdb.DuckDBPyConnection,
    first: int,
    end: int,
    level: int,
    records: str | None,
) -> Segment:
    mark = f"{first}-{end}-g{store.generation}.parquet"
    names = (f"events-{mark}", f"records-{mark}")
    touched = 0
    try:
        if records is not None:
            connection.execute(f"CREATE OR REPLACE TEMP TABLE touched AS {records}")
            touched = _count(connection, "touched")
        if touched:
            _find_clusters(connection)
            _copy(connection, _CLUSTERED, store.temporary(names[0]))
            _copy(connection, _CLUSTERED_RECORDS, store.temporary(names[1]))
        else:
            plain = f"SELECT '' AS {CLUSTER}, * FROM bare_rows ORDER BY {INDEX}"
            _copy(connection, plain, store.temporary(names[0]))
    except duckdb.Error as error:
        raise StorageError(
            f"cannot write tables under {store.directory} ({type(error).__name__}); "
            "check its disk, its permissions and the memory of this machine"
        ) from None
    finally:
        for table in ("touched", "of_access", "of_event"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
    kept = store.keep(
        names if touched else names[:1],
        (end - first, touched) if touched else (end - first,),
    )
    return Segment(
        first=first,
        end=end,
        level=level,
        events=kept[0],
        records=kept[1] if touched else None,
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


def _copy(connection: duckdb.DuckDBPyConnection, select: str, place: Path) -> None:
    connection.execute(f"COPY ({select}) TO {quoted(str(place))} {_COPY}")


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def _file_list(places: Sequence[Path]) -> str:
    return "[" + ", ".join(quoted(str(place)) for place in places) + "]"


def quoted(text: str) -> str:
    """Write text as a string of SQL."""
    return "'" + text.replace("'", "''") + "'"
