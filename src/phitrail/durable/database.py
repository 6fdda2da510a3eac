"""SQLite opened so that COMMIT means that the bytes were synced.

1. WAL with `synchronous=FULL`: each commit syncs the write-ahead log (sqlite.org/wal.html).
2. Transactions are begun and ended here only, so that an error has one of two meanings:
   before COMMIT nothing was kept (`StorageError`); at COMMIT nobody knows
   (`OutcomeUnknownError`), and the connection must not be used again.
3. With `fold_by_hand` the write-ahead log is folded into the database by whoever has
   time for it (`fold_wal`), never by the committing thread.

`connect` is a seam for fault tests; the product always passes `sqlite3.connect`.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from phitrail.errors import ConfigError, OutcomeUnknownError, StorageError

BUSY_TIMEOUT_MS = 20_000
PAGE_BYTES = 8192
WAL_FRAMES_AT_MOST = 32_768  # 256 MiB of pages

Connect = Callable[..., sqlite3.Connection]


def open_database(
    path: Path,
    *,
    schema: str = "",
    connect: Connect = sqlite3.connect,
    read_only: bool = False,
    fold_by_hand: bool = False,
) -> sqlite3.Connection:
    """Open a database, or make it from `schema` when it is writable and new.

    Raises:
        ConfigError: the file is absent and may not be made.
        StorageError: the file cannot be opened, or is no database.
    """
    mode = "ro" if read_only else "rwc" if schema else "rw"
    if mode != "rwc" and not path.exists():
        raise ConfigError(f"there is no {path}; run `phitrail init` or correct --trail")
    if mode == "rwc":
        _make_file(path)
    try:
        database = connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
    except sqlite3.Error as error:
        raise storage_error(path.name, error) from error
    try:
        _prepare(database, schema, read_only=read_only, fold_by_hand=fold_by_hand)
    except sqlite3.Error as error:
        database.close()
        raise storage_error(path.name, error) from error
    except BaseException:
        database.close()
        raise
    return database


def _make_file(path: Path) -> None:
    """Make the file for its owner alone; what SQLite keeps beside it follows its mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StorageError(
            f"cannot make {path}: {error.strerror}; is its directory writable?"
        ) from error


def _prepare(
    database: sqlite3.Connection, schema: str, *, read_only: bool, fold_by_hand: bool
) -> None:
    database.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    if not read_only:
        database.execute(f"PRAGMA page_size={PAGE_BYTES}")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        if fold_by_hand:
            database.execute("PRAGMA wal_autocheckpoint=0")
    if schema:
        with transaction(database):
            for statement in schema.split(";"):
                if statement.strip():
                    database.execute(statement)
    database.execute("SELECT count(*) FROM sqlite_schema").fetchone()


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Run the block as one write transaction; commit at its end.

    Raises:
        StorageError: nothing of the block was kept.
        OutcomeUnknownError: the commit itself failed; stop using the connection.
    """
    try:
        database.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        _roll_back(database)
        raise storage_error("the database", error) from error
    try:
        yield
    except BaseException as error:
        _roll_back(database)
        if isinstance(error, sqlite3.Error):
            raise storage_error("the database", error) from error
        raise
    try:
        database.execute("COMMIT")
    except sqlite3.Error as error:
        raise OutcomeUnknownError(
            f"the commit failed ({_name_of(error)}); it may or may not be on disk: "
            "open the trail again and retry with the same event_id"
        ) from error


def _roll_back(database: sqlite3.Connection) -> None:
    try:
        if database.in_transaction:
            database.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise OutcomeUnknownError(
            f"a failed transaction could not be rolled back ({_name_of(error)}); "
            "open the trail again"
        ) from error


def fold_wal(database: sqlite3.Connection) -> None:
    """Move what the write-ahead log holds into the database, as far as readers allow.

    Under writers that never pause the log would grow for ever, since it starts anew only
    when all of it was moved. Past `WAL_FRAMES_AT_MOST` frames the writers are made to
    wait once, for the little that is left.

    Raises:
        StorageError: the database could not be written.
    """
    try:
        _, frames, _ = database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if frames > WAL_FRAMES_AT_MOST:
            database.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
    except sqlite3.Error as error:
        raise storage_error("the database", error) from error


def storage_error(what: str, error: sqlite3.Error) -> StorageError:
    """Say what failed, with what to do next."""
    name = _name_of(error)
    advice = {
        "SQLITE_FULL": "free space on its disk and retry",
        "SQLITE_READONLY": "make its directory writable and retry",
        "SQLITE_CANTOPEN": "make its directory readable and writable and retry",
        "SQLITE_BUSY": "another process holds it too long; retry",
        "SQLITE_CORRUPT": "restore it from the archive, then run `phitrail verify`",
        "SQLITE_ERROR": "its tables are not ours; restore it from the archive",
        "SQLITE_NOTADB": "restore it from the archive, then run `phitrail verify`",
    }.get("_".join(name.split("_")[:2]), "look at the disk, then retry")
    return StorageError(f"{what}: {name}; {advice}")


def _name_of(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", None) or type(error).__name__
