"""The tables: DuckDB over Parquet segments and the committed tail, for reading only.

1. A connection sees one state of each log: the segments of one manifest and the tail up to
   one tree size. `as_of` says those sizes; every answer carries them.
2. Before anybody asks, the connection is locked: it may open the segments' files and
   nothing else, loads no extension, sees no Python variable, and its settings, memory and
   threads can no longer be changed.
3. A question is one SELECT, as DuckDB's own parser says, and runs in a read-only
   transaction. Everything else is refused before it runs.

Errors of DuckDB can quote values, so only their kind and, for SQL that does not parse or
bind, the words of the question's author are shown.
"""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from phitrail.errors import InputError, StorageError
from phitrail.events.codes import Log
from phitrail.projection.fold import connect
from phitrail.projection.rows import INDEX, RECORD_COLUMNS, RECORDS, columns_of
from phitrail.projection.segment_file import CLUSTER, has_records, quoted
from phitrail.projection.views import VIEWS

MEMORY_MB: Final = 512
THREADS: Final = 2
TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class LogState:
    """One state of one log's tables: segment files, and the tail's rows after them."""

    log: Log
    events: tuple[Path, ...]
    records: tuple[Path, ...]
    tail: pa.Table
    size: int


class Tables:
    """One state of the tables, open for questions; used by one thread."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, as_of: Mapping[str, int]
    ) -> None:
        self._connection = connection
        self.as_of: Mapping[str, int] = as_of

    @classmethod
    def open(
        cls,
        states: Sequence[LogState],
        spill: Path,
        *,
        memory_mb: int = MEMORY_MB,
        threads: int = THREADS,
    ) -> "Tables":
        """Open a state of the tables and lock the connection.

        Raises:
            StorageError: a segment file cannot be read.
        """
        connection = connect(threads=threads, memory_mb=memory_mb, spill=spill)
        try:
            connection.execute("SET parquet_metadata_cache = true")
            for state in states:
                _define(connection, state)
            for view in VIEWS:
                connection.execute(f"CREATE VIEW {view.name} AS {view.select}")
            _lock(connection, [p for s in states for p in (*s.events, *s.records)])
        except duckdb.Error as error:
            connection.close()
            raise StorageError(
                f"the tables cannot be opened ({type(error).__name__}); "
                "run `phitrail log rebuild`"
            ) from None
        return cls(connection, {state.log.value: state.size for state in states})

    def ask(
        self,
        select: str,
        values: Sequence[object] = (),
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> pa.Table:
        """Answer one SELECT.

        Raises:
            InputError: it is not exactly one SELECT, does not bind, or took too long.
            StorageError: a file cannot be read, or memory and spill space ran out.
        """
        check_is_select(self._connection, select)
        timer = threading.Timer(timeout_s, self._connection.interrupt)
        timer.start()
        try:
            self._connection.execute("BEGIN TRANSACTION READ ONLY")
            return self._connection.sql(select, params=list(values)).to_arrow_table()
        except duckdb.InterruptException:
            raise InputError.for_field(
                "sql", f"took over {timeout_s:g} s; ask for a shorter time range"
            ) from None
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            raise InputError.for_field("sql", _first_line(error)) from None
        except duckdb.PermissionException:
            raise InputError.for_field(
                "sql", "files and settings are out of reach; ask the views"
            ) from None
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise StorageError(
                f"the tables could not be read ({type(error).__name__}); narrow the "
                "question, or run `phitrail verify --tables`"
            ) from None
        except duckdb.Error as error:
            raise InputError.for_field(
                "sql", f"cannot be answered ({type(error).__name__})"
            ) from None
        finally:
            timer.cancel()
            with suppress(duckdb.Error):
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def check_is_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse everything but one SELECT, as DuckDB's own parser sees it.

    Raises:
        InputError: it does not parse, or is something else.
    """
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise InputError.for_field("sql", _first_line(error)) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise InputError.for_field("sql", "must be exactly one SELECT")


def _first_line(error: duckdb.Error) -> str:
    return str(error).partition("\n")[0]


def _define(connection: duckdb.DuckDBPyConnection, state: LogState) -> None:
    """Define the view of a log, and of its records: segments and tail as one."""
    log = state.log.value
    with_records = has_records(state.log)
    cluster = f"'' AS {CLUSTER}, " if with_records else ""
    columns = [c for c in columns_of(state.log) if c.name != RECORDS]
    connection.register("tail", state.tail)
    connection.execute(
        f"CREATE TABLE {log}_tail AS SELECT {cluster}"
        + ", ".join(f"{c.name}::{c.sql_type} AS {c.name}" for c in columns)
        + " FROM tail"
    )
    select = f"SELECT * FROM {log}_tail"
    if state.events:
        files = _list(state.events)
        select = (
            f"SELECT * EXCLUDE ({'' if with_records else CLUSTER}) FROM "
            f"read_parquet({files}, union_by_name = true) UNION ALL BY NAME {select}"
        ).replace(" EXCLUDE ()", "")
    order = ([CLUSTER] if with_records else []) + [c.name for c in columns]
    connection.execute(
        f"CREATE VIEW {log} AS SELECT {', '.join(order)} FROM ({select})"
    )
    if with_records:
        _define_records(connection, state)
    connection.unregister("tail")


def _define_records(connection: duckdb.DuckDBPyConnection, state: LogState) -> None:
    log = state.log.value
    connection.execute(
        f"CREATE TABLE {log}_records_tail AS SELECT triple[1] AS patient, {INDEX}, "
        f"access_id::UUID AS access_id, triple[2] AS record, triple[3] AS resource_type, "
        f"'' AS {CLUSTER} FROM "
        f"(SELECT {INDEX}, access_id, unnest({RECORDS}) AS triple FROM tail)"
    )
    select = f"SELECT * FROM {log}_records_tail"
    if state.records:
        files = _list(state.records)
        select = f"SELECT * FROM read_parquet({files}) UNION ALL BY NAME {select}"
    order = ", ".join([*(c.name for c in RECORD_COLUMNS), CLUSTER])
    connection.execute(f"CREATE VIEW {log}_records AS SELECT {order} FROM ({select})")


def _lock(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    connection.execute(f"SET allowed_paths = {_list(files)}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _list(places: Sequence[Path]) -> str:
    return "[" + ", ".join(quoted(str(place.absolute())) for place in places) + "]"
