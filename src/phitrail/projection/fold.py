"""Leaves into columns, in bulk: what `rows.row_of` says, for many leaves at once.

Leaves are canonical JSON, so DuckDB's own JSON reader takes them apart; no Python runs for
a single field. What is checked here: each leaf is JSON of a kind that its log holds and
has its event id. That its bytes are those of the log, the reader of the log has checked.

To plan a fold takes as long as to fold some thousand leaves, so many are folded at once;
`leaf_text` holds those that wait in the least room. DuckDB hands its threads one text at a
time, so a text is small (`TEXT_LEAVES`).

DuckDB quotes values in its errors; they are never shown or chained.
"""

from array import array
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from phitrail.errors import IntegrityError, StorageError
from phitrail.events.codes import Log
from phitrail.projection.rows import INDEX, RECORDS, SCHEMA, columns_of, schemas_of

TEXT_LEAVES: Final = 1_024
ALWAYS_KEPT: Final = frozenset({INDEX, SCHEMA, "event_id", "access_id"})
_NESTED: Final = {
    "VARCHAR[]": ["VARCHAR"],
    "BIGINT[]": ["BIGINT"],
    "VARCHAR[][]": [["VARCHAR"]],
}


def connect(
    *, threads: int, memory_mb: int, spill: Path | None = None
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB that lives in memory and fetches nothing from anywhere.

    Args:
        threads: how many it may use.
        memory_mb: how much memory it may use.
        spill: where it may put what does not fit; nowhere when absent.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": threads,
            "memory_limit": f"{memory_mb}MB",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
            "preserve_insertion_order": "true",
            "arrow_lossless_conversion": "true",
            "temp_directory": "" if spill is None else str(spill),
        },
    )
    connection.execute("SET enable_progress_bar = false")
    return connection


class Folder:
    """Folds the leaves of one log; used by one thread."""

    def __init__(self, log: Log, connection: duckdb.DuckDBPyConnection) -> None:
        self.log = log
        self.connection = connection
        shape = {
            column.name: _NESTED.get(column.sql_type, column.sql_type)
            for column in columns_of(log)
            if column.name != INDEX
        }
        written = msgspec.json.encode(shape).decode().replace("'", "''")
        self._select = (
            f"SELECT {INDEX}, unnest(record) FROM (SELECT {INDEX}, "
            f"json_transform(leaf, '{written}') AS record FROM leaves)"
        )

    def fold(self, first: int, leaves: Sequence[bytes]) -> pa.Table:
        """Fold leaves whose indexes begin at `first`; rows come in their order.

        Raises:
            IntegrityError: a leaf is not of a kind that this log holds.
            StorageError: memory or spill space ran out.
        """
        texts = [
            leaf_text(leaves[at : at + TEXT_LEAVES])
            for at in range(0, len(leaves), TEXT_LEAVES)
        ]
        return self.fold_texts(first, texts)

    def fold_texts(self, first: int, texts: Sequence[pa.Array]) -> pa.Table:
        """Fold leaves as `fold` does, from what `leaf_text` made of them.

        Raises:
            IntegrityError: a leaf is not of a kind that this log holds.
            StorageError: memory or spill space ran out.
        """
        leaves = pa.chunked_array(texts, pa.string())
        index = pa.arange(first, first + len(leaves))
        self.connection.register("leaves", pa.table({INDEX: index, "leaf": leaves}))
        try:
            table = self.connection.sql(self._select).to_arrow_table()
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise StorageError(
                f"{self.log}: entries cannot be folded ({type(error).__name__}); check "
                "the memory of this machine and the disk of the trail"
            ) from None
        except (duckdb.Error, UnicodeDecodeError):
            raise IntegrityError(
                f"{self.log}: an entry from {first} to {first + len(leaves) - 1} is not "
                "a leaf; run `phitrail verify`"
            ) from None
        finally:
            self.connection.unregister("leaves")
        self._check(first, table)
        return table

    def empty(self) -> pa.Table:
        """Return the table with no rows."""
        return self.fold(0, ())

    def _check(self, first: int, table: pa.Table) -> None:
        kinds = {kind.as_py() for kind in pc.unique(table[SCHEMA])}
        if not kinds <= schemas_of(self.log) or table["event_id"].null_count:
            raise IntegrityError(
                f"{self.log}: an entry from {first} on is of a kind that this version "
                "does not know; upgrade phitrail, or run `phitrail verify`"
            )


def leaf_text(leaves: Sequence[bytes]) -> pa.Array:
    """Make a text array of leaves, without a Python string for each."""
    offsets = array("i", [0])
    offsets.extend(accumulate(map(len, leaves)))
    return pa.Array.from_buffers(
        pa.string(),
        len(leaves),
        [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(leaves))],
    )


def drop_empty_columns(table: pa.Table) -> pa.Table:
    """Drop columns without a value, and `records`, which has its own table."""
    return table.select(
        [
            name
            for name in table.column_names
            if name in ALWAYS_KEPT
            or (name != RECORDS and table[name].null_count < table.num_rows)
        ]
    )
