"""The tables: DuckDB over Parquet segments and the committed tail, for reading only.

0. `ask` answers a SELECT over the views of whole logs; the views are made when they are
   first asked for, since that reads the end of every file. `select` answers one over some
   files, as `events` and `records` write them.
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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from phitrail.errors import InputError, StorageError
from phitrail.events.codes import Log
from phitrail.projection.rows import CLUSTER, INDEX, RECORD_COLUMNS, RECORDS, columns_of
from phitrail.projection.segment_file import has_records, quoted
from phitrail.projection.segments import Segment, SegmentFile
from phitrail.projection.views import VIEWS

MEMORY_MB: Final = 512
THREADS: Final = 2
TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class LogState:
    """One state of one log's tables: segments in a directory, and the rows after them.

    Where it is cut, the views show the entries before `size` alone, as they were then.
    """

    log: Log
    segments: tuple[Segment, ...]
    directory: Path
    tail: pa.Table | None
    size: int
    is_cut: bool = False


class Tables:
    """One state of the tables, open for questions; used by one thread."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, states: Sequence[LogState]
    ) -> None:
        self._connection = connection
        self._states = {state.log: state for state in states}
        self._has_views = False
        self.as_of: Mapping[str, int] = {s.log.value: s.size for s in states}

    @classmethod
    def open(
        cls, states: Sequence[LogState], connection: duckdb.DuckDBPyConnection
    ) -> "Tables":
        """Open a state of the tables and lock the connection, which is theirs from here.

        Raises:
            StorageError: a tail does not fit into memory.
        """
        try:
            connection.execute("SET parquet_metadata_cache = true")
            for state in states:
                _define_tail(connection, state)
            _lock(connection, [place for state in states for place in _places(state)])
        except duckdb.Error as error:
            connection.close()
            raise _cannot_open(error) from None
        return cls(connection, states)

    def segments(self, log: Log) -> tuple[Segment, ...]:
        """List the segments of a log."""
        return self._states[log].segments

    def events(
        self,
        log: Log,
        files: Sequence[SegmentFile],
        columns: Sequence[str],
        where: str = "true",
    ) -> str:
        """Write what stands in FROM: columns of events in some files and in the tail.

        What `where` says must hold in the files only; rows of the tail have no cluster.
        """
        return self._source(log, f"{log}_tail", files, columns, where)

    def records(self, log: Log, files: Sequence[SegmentFile]) -> str:
        """Write what stands in FROM: the records in some files and in the tail."""
        columns = [*(c.name for c in RECORD_COLUMNS), CLUSTER]
        return self._source(log, f"{log}_records_tail", files, columns, "true")

    def _source(
        self,
        log: Log,
        tail: str,
        files: Sequence[SegmentFile],
        columns: Sequence[str],
        where: str,
    ) -> str:
        rest = f"SELECT {', '.join(columns)} FROM {tail}"
        places = _list([self._states[log].directory / file.name for file in files])
        if not files:
            return f"({rest})"
        return (
            f"(SELECT * FROM read_parquet({places}, union_by_name = true) "
            f"WHERE {where} UNION ALL BY NAME {rest})"
        )

    def ask(
        self,
        select: str,
        values: Sequence[object] = (),
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> pa.Table:
        """Answer one SELECT over the views of whole logs.

        Raises:
            InputError: it is not exactly one SELECT, does not bind, or took too long.
            StorageError: a file cannot be read, or memory and spill space ran out.
        """
        check_is_select(self._connection, select)
        if not self._has_views:
            self._define_views()
            self._has_views = True
        return self.select(select, values, timeout_s=timeout_s)

    def select(
        self,
        select: str,
        values: Sequence[object] = (),
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> pa.Table:
        """Answer one SELECT over what `events` and `records` wrote.

        Raises:
            InputError: it does not bind, or took too long.
            StorageError: a file cannot be read, or memory and spill space ran out.
        """
        with self._answering(timeout_s):
            self._connection.execute("BEGIN TRANSACTION READ ONLY")
            return self._connection.sql(select, params=list(values)).to_arrow_table()

    def keep(
        self,
        name: str,
        select: str,
        values: Sequence[object] = (),
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> int:
        """Keep what one SELECT of ours gives as a table of this connection; count its rows.

        It is gone with the connection, and what spills of it with that (`app.spill`).

        Raises:
            InputError: it does not bind, or took too long.
            StorageError: a file cannot be read, or memory and spill space ran out.
        """
        with self._answering(timeout_s):
            row = self._connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {name} AS {select}", list(values)
            ).fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def _answering(self, timeout_s: float) -> Iterator[None]:
        timer = threading.Timer(timeout_s, self._connection.interrupt)
        timer.start()
        try:
            yield
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

    def _define_views(self) -> None:
        """Define the views over whole logs, and those that an analyst guesses."""
        try:
            for log, state in self._states.items():
                columns = [c.name for c in columns_of(log) if c.name != RECORDS]
                order = ([CLUSTER] if has_records(log) else []) + columns
                files = [file for s in state.segments for file in s.events]
                source = self.events(log, files, [CLUSTER, *columns])
                until = f" WHERE {INDEX} < {state.size}" if state.is_cut else ""
                self._define(log.value, order, source + until)
                if has_records(log):
                    order = [*(c.name for c in RECORD_COLUMNS), CLUSTER]
                    files = [file for s in state.segments for file in s.records]
                    source = self.records(log, files) + until
                    self._define(f"{log}_records", order, source)
            for view in VIEWS:
                self._connection.execute(f"CREATE VIEW {view.name} AS {view.select}")
        except duckdb.Error as error:
            raise _cannot_open(error) from None

    def _define(self, name: str, columns: Sequence[str], source: str) -> None:
        self._connection.execute(
            f"CREATE VIEW {name} AS SELECT {', '.join(columns)} FROM {source}"
        )

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


def _cannot_open(error: duckdb.Error) -> StorageError:
    return StorageError(
        f"the tables cannot be opened ({type(error).__name__}); run `phitrail log rebuild`"
    )


def _places(state: LogState) -> list[Path]:
    return [state.directory / file.name for s in state.segments for file in s.files]


def _define_tail(connection: duckdb.DuckDBPyConnection, state: LogState) -> None:
    """Define the tables of a log's tail: its events, and the records that they name."""
    columns = [c for c in columns_of(state.log) if c.name != RECORDS]
    if state.tail is None:
        rest = ", ".join(f"{c.name} {c.sql_type}" for c in columns)
        _create(connection, f"{state.log}_tail", f"({CLUSTER} VARCHAR, {rest})")
        rest = ", ".join(f"{c.name} {c.sql_type}" for c in RECORD_COLUMNS)
        _create(connection, f"{state.log}_records_tail", f"({rest}, {CLUSTER} VARCHAR)")
        return
    connection.register("tail", state.tail)
    rest = ", ".join(f"{c.name}::{c.sql_type} AS {c.name}" for c in columns)
    _create(
        connection, f"{state.log}_tail", f"AS SELECT '' AS {CLUSTER}, {rest} FROM tail"
    )
    if has_records(state.log):
        _create(
            connection,
            f"{state.log}_records_tail",
            f"AS SELECT triple[1] AS patient, {INDEX}, access_id::UUID AS access_id, "
            f"triple[2] AS record, triple[3] AS resource_type, '' AS {CLUSTER} FROM "
            f"(SELECT {INDEX}, access_id, unnest({RECORDS}) AS triple FROM tail)",
        )
    connection.unregister("tail")


def _create(connection: duckdb.DuckDBPyConnection, name: str, what: str) -> None:
    connection.execute(f"CREATE TABLE {name} {what}")


def _lock(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    connection.execute(f"SET allowed_paths = {_list(files)}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _list(places: Sequence[Path]) -> str:
    return "[" + ", ".join(quoted(str(place.absolute())) for place in places) + "]"
