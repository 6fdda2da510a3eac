"""Our record held against somebody else's: what both have, and what one has alone.

1. Each side is rows of (key, moment, place). Rows of one key can match; the key says what
   must be equal (a request, or user and patient), and is a hash, so that no identifier
   comes here. Two keys meet by chance in one of 10^5 runs of 10 million against 10 million.
2. One row matches one row of the other side whose moment is within the tolerance. Of all
   ways to match, the one with the most matches is taken: in the order of time, the oldest
   row that waits is matched first.
3. Without a tolerance a key is matched when both sides have it, however often: a request
   is one, whatever number of lines name it. It is then named by its first row.
4. What is left over is named by its place: an index in our log, a number in theirs.

What only they have went past us, or we lost it; what only we have they do not count. Rows
stream through in sorted order, so that ten million of each side need little memory: the
sorting spills to disk.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import duckdb
import pyarrow as pa

from phitrail.errors import StorageError

OURS: Final = 0
THEIRS: Final = 1
SIDE_SCHEMA: Final = pa.schema(
    [("key", pa.uint64()), ("at_us", pa.int64()), ("place", pa.int64())]
)
"""One side: the hash of what must be equal, microseconds since 1970, and which row it is."""
_BATCH_ROWS: Final = 131_072
_OURS, _THEIRS, _BOTH = 1, 2, 3
_ROWS: Final = (
    f"SELECT key, at_us, {OURS}::TINYINT AS side, place FROM ours UNION ALL "
    f"SELECT key, at_us, {THEIRS}::TINYINT AS side, place FROM theirs"
)
_KEYS: Final = (
    "CREATE TEMP TABLE keys AS SELECT key, "
    f"bit_or(1::TINYINT << side) AS sides, min(place) AS place "
    f"FROM ({_ROWS}) GROUP BY key"
)


@dataclass(slots=True)
class Reconciled:
    """What came of it: how many matched, and the places of what only one side has."""

    matched: int = 0
    ours_only: list[int] = field(default_factory=list)
    theirs_only: list[int] = field(default_factory=list)


def reconcile(
    connection: duckdb.DuckDBPyConnection,
    ours: pa.Table | pa.RecordBatchReader,
    theirs: pa.Table | pa.RecordBatchReader,
    tolerance: timedelta | None,
) -> Reconciled:
    """Match two sides.

    Args:
        connection: a DuckDB that may spill.
        ours: rows of `SIDE_SCHEMA`.
        theirs: rows of `SIDE_SCHEMA`.
        tolerance: how far apart two moments may be; None for any time (rule 3).

    Returns:
        The left-over places in ascending order.

    Raises:
        StorageError: memory or spill space ran out.
    """
    try:
        if tolerance is None:
            return _by_key(connection, ours, theirs)
        return _by_moment(connection, ours, theirs, tolerance)
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise StorageError(
            f"the two sides cannot be compared ({type(error).__name__}); check the memory "
            "of this machine and the disk of the trail, or compare less at once"
        ) from None


def _by_key(
    connection: duckdb.DuckDBPyConnection,
    ours: pa.Table | pa.RecordBatchReader,
    theirs: pa.Table | pa.RecordBatchReader,
) -> Reconciled:
    """Match keys that both sides have; rule 3."""
    found = Reconciled()
    with _registered(connection, ours, theirs):
        connection.execute(_KEYS)
    try:
        ((found.matched,),) = connection.execute(
            f"SELECT count(*) FILTER (sides = {_BOTH}) FROM keys"
        ).fetchall()
        for side, left_over in ((_OURS, found.ours_only), (_THEIRS, found.theirs_only)):
            rows = connection.sql(
                f"SELECT place FROM keys WHERE sides = {side} ORDER BY place"
            )
            left_over.extend(rows.to_arrow_table().column(0).to_pylist())
    finally:
        connection.execute("DROP TABLE keys")
    return found


def _by_moment(
    connection: duckdb.DuckDBPyConnection,
    ours: pa.Table | pa.RecordBatchReader,
    theirs: pa.Table | pa.RecordBatchReader,
    tolerance: timedelta,
) -> Reconciled:
    """Match rows of one key within the tolerance; rule 2."""
    found = Reconciled()
    left_over = (found.ours_only, found.theirs_only)
    within_us = tolerance // timedelta(microseconds=1)
    waiting: deque[tuple[int, int]] = deque()
    side_waiting = OURS
    key_waiting = -1
    for keys, moments, sides, places in _sorted(connection, ours, theirs):
        for key, at_us, side, place in zip(keys, moments, sides, places, strict=True):
            if key != key_waiting:
                left_over[side_waiting].extend(one for _, one in waiting)
                waiting.clear()
                key_waiting = key
            else:
                while waiting and waiting[0][0] < at_us - within_us:
                    left_over[side_waiting].append(waiting.popleft()[1])
            if waiting and side != side_waiting:
                waiting.popleft()
                found.matched += 1
            else:
                side_waiting = side
                waiting.append((at_us, place))
    left_over[side_waiting].extend(one for _, one in waiting)
    found.ours_only.sort()
    found.theirs_only.sort()
    return found


_Columns = tuple[list[int], list[int], list[int], list[int]]


def _sorted(
    connection: duckdb.DuckDBPyConnection,
    ours: pa.Table | pa.RecordBatchReader,
    theirs: pa.Table | pa.RecordBatchReader,
) -> Iterator[_Columns]:
    """Give the rows of both sides by key and moment, some at a time."""
    with _registered(connection, ours, theirs):
        rows = connection.sql(
            f"SELECT key, at_us, side, place FROM ({_ROWS}) "
            "ORDER BY key, at_us, side, place"
        ).to_arrow_reader(_BATCH_ROWS)
        for batch in rows:
            keys, moments, sides, places = (c.to_pylist() for c in batch.columns)
            yield keys, moments, sides, places


@contextmanager
def _registered(
    connection: duckdb.DuckDBPyConnection,
    ours: pa.Table | pa.RecordBatchReader,
    theirs: pa.Table | pa.RecordBatchReader,
) -> Iterator[None]:
    connection.register("ours", ours)
    connection.register("theirs", theirs)
    try:
        yield
    finally:
        connection.unregister("ours")
        connection.unregister("theirs")
