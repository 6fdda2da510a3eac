"""The files of one spool: a database, its key, and a lock that one process holds.

1. The key is put in its place last, by a rename, when everything else is durable. So a
   key without a database, or a database without its head, was robbed of it: such a spool is
   refused, never made anew. A making that a crash ended left no key, and is begun again.
2. `spool.key.new` is a key on its way; nothing was ever sealed for a caller under it.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from phitrail.durable.database import open_database, transaction
from phitrail.durable.files import sync_file_system
from phitrail.durable.lock import FileLock
from phitrail.errors import ConfigError, IntegrityError, StorageError
from phitrail.events.ids import format_time, new_uuid7
from phitrail.keys.sealing import Sealer
from phitrail.keys.spool_key import make_spool_key, read_spool_key

DATABASE: Final = "spool.db"
KEY: Final = "spool.key"
NEW_KEY: Final = "spool.key.new"
LOCK: Final = "spool.lock"
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS row (number INTEGER PRIMARY KEY, sealed BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS head (
    one INTEGER PRIMARY KEY CHECK (one = 1), sealed BLOB NOT NULL
)
"""
_CONTEXT: Final = b"phitrail/spool/v1|"


def context_of_head(spool_id: str) -> bytes:
    """Say what a sealed head is of."""
    return _CONTEXT + b"head|" + spool_id.encode()


def context_of_row(spool_id: str, number: int, before: bytes) -> bytes:
    """Say what a sealed row is: which one, of which spool, after which."""
    return _CONTEXT + b"row|" + spool_id.encode() + number.to_bytes(8, "big") + before


@dataclass(frozen=True, slots=True)
class SpoolFiles:
    """The open files of one spool."""

    spool_id: str
    sealer: Sealer
    database: sqlite3.Connection
    lock: FileLock

    @classmethod
    def open(
        cls,
        directory: Path,
        now: datetime,
        first_head: msgspec.Struct,
        *,
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect,
    ) -> "SpoolFiles":
        """Open the files, or make them where there are none.

        Raises:
            ConfigError: another process has them open; the key is missing or damaged.
            IntegrityError: the database is gone, and the key stands there.
            StorageError: a file cannot be read or written.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make {directory}: {error.strerror}") from error
        lock = FileLock(directory / LOCK)
        try:
            _take(lock, directory)
            if not (directory / KEY).exists():
                _make(directory, now, first_head, connect)
            spool_id, sealer = read_spool_key(directory / KEY)
            _check_stands(directory)
            database = open_database(directory / DATABASE, connect=connect)
        except BaseException:
            lock.close()
            raise
        return cls(spool_id, sealer, database, lock)

    def close(self) -> None:
        """Close everything; a second call is harmless."""
        self.database.close()
        self.lock.close()


def _take(lock: FileLock, directory: Path) -> None:
    if not lock.try_acquire():
        raise ConfigError(
            f"another process has the spool {directory} open; give each process a spool "
            "of its own"
        )


def _check_stands(directory: Path) -> None:
    if not (directory / DATABASE).exists():
        raise IntegrityError(
            f"{directory / DATABASE} is gone, and its key stands there: what waited in "
            "it is lost. Find out who had access, and give connect() another place"
        )


def _make(
    directory: Path,
    now: datetime,
    first_head: msgspec.Struct,
    connect: Callable[..., sqlite3.Connection],
) -> None:
    """Make a spool where none stands, or where a crash ended the making of one."""
    try:
        if (directory / NEW_KEY).exists():
            for place in directory.glob(DATABASE + "*"):
                place.unlink()
            (directory / NEW_KEY).unlink()
        _check_empty(directory)
        make_spool_key(directory / NEW_KEY, new_uuid7(now), created_at=format_time(now))
        spool_id, sealer = read_spool_key(directory / NEW_KEY)
        database = open_database(directory / DATABASE, schema=SCHEMA, connect=connect)
        try:
            sealed = sealer.seal(
                msgspec.json.encode(first_head), context_of_head(spool_id)
            )
            with transaction(database):
                database.execute("INSERT INTO head VALUES (1, ?)", (sealed,))
        finally:
            database.close()
        sync_file_system(directory, [directory / DATABASE, directory / NEW_KEY])
        (directory / NEW_KEY).rename(directory / KEY)
        sync_file_system(directory, [directory / KEY])
    except OSError as error:
        raise StorageError(
            f"cannot make a spool in {directory}: {error.strerror}"
        ) from error


def _check_empty(directory: Path) -> None:
    if (directory / DATABASE).exists():
        raise ConfigError(
            f"{directory / KEY} is missing beside its spool; put it back: without it "
            "what waits there cannot be read"
        )
