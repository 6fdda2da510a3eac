"""Under which versions of its keys an identity map stands, and how its rows are found.

A row is found by its blind index, which depends on a version of the index key. Keys are
rotated, rows are moved to the new version a page at a time (`identity.rekey`), and other
processes learn of it up to a second later. A known subject is found all the same, and never
gets a second row:

1. The file itself lists the index versions that stand in it, from the transaction on that
   makes the first row of a version.
2. A question looks under all of them and reads the list, in one statement: a row that is
   being moved is there before or after. Was the list another one, it asks again.
3. A new row stands under the newest version listed, or a newer one, after another look
   within its transaction. So nothing comes under an older version any more, and one that
   no row is left under goes from the list for good.
4. Who does not know a version that is listed reads its keys anew, and is refused if it is
   not there.
5. The newest version that seals is listed too, so that none seals under an older one.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from phitrail.durable.database import storage_error, transaction
from phitrail.errors import ConfigError, IntegrityError, StorageError

TABLE = """
CREATE TABLE IF NOT EXISTS standing (
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (key, version)
) WITHOUT ROWID
"""
INDEX, SEAL = "index", "seal"
ROW = ", ".join(
    f"CASE typeof({column}) WHEN 'text' THEN NULL ELSE {column} END"
    for column in ("blind", "index_version", "surrogate", "sealed")
)
"""The columns of a row; a text in one is damage, which may not even be a text to read."""

ResultT = TypeVar("ResultT")


class Index(Protocol):
    """What the map needs of an index key; wiring hands it in."""

    def version_in_use(self) -> int:
        """Return the version that indexes new rows."""

    def digest_under(self, version: int, data: bytes) -> bytes:
        """Return the blind index of bytes under a version."""


class Seal(Protocol):
    """What the map needs of a sealing key; wiring hands it in."""

    def version_in_use(self) -> int:
        """Return the version that seals new rows."""

    def beginning(self, version: int) -> bytes:
        """Return how every envelope under a version begins."""

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Seal bytes under a context."""

    def open(self, envelope: bytes, context: bytes) -> bytes:
        """Open bytes under the same context."""


class MapKeys:
    """The keys of an identity map in one process; thread-safe."""

    def __init__(self, index: Index, seal: Seal, refresh: Callable[[], None]) -> None:
        """Take the keys, and what reads them anew.

        Args:
            index: the key of the blind indexes.
            seal: the key that seals what stands behind a row.
            refresh: reads both anew, when the file names a version that is not known.
        """
        self.index = index
        self.seal = seal
        self._refresh = refresh
        self._listed: tuple[int, ...] = ()

    def find(
        self,
        database: sqlite3.Connection,
        table: str,
        data: bytes,
        most: int,
        surrogate: bytes | None = None,
    ) -> list[bytes]:
        """Return the surrogates of the rows of a table that bytes are the index of.

        Args:
            database: an identity map.
            table: `subject` or `alias`.
            data: what the blind index is made of.
            most: so many of them.
            surrogate: only the row of this one.

        Raises:
            StorageError: the map cannot be read, or holds rows under a version that is
                not here.
        """
        while True:
            listed = self._listed
            try:
                blinds = self._ask(partial(self._blinds, listed, data))
            except StorageError:
                self._listed = listed_versions(database, INDEX)
                if self._listed == listed:
                    raise
                continue  # rows were moved, and the version that they left is gone
            now_listed, found = _select(database, table, blinds, most, surrogate)
            if now_listed == listed:
                return found
            self._listed = now_listed

    def admit(self, database: sqlite3.Connection) -> int:
        """List the versions in use, in a write transaction; say which indexes new rows.

        Raises:
            StorageError: the file is ahead of the keys that are here, or no version is in
                use.
        """

        def versions() -> tuple[int, int]:
            used = self.index.version_in_use(), self.seal.version_in_use()
            for key, version in zip((INDEX, SEAL), used, strict=True):
                if version < max(listed_versions(database, key), default=0):
                    raise ConfigError(
                        f"version {version} of the key that makes the {key} of new rows "
                        "is older than the rows that stand there; restore the newer one"
                    )
            return used

        index, seal = self._ask(versions)
        statement = "INSERT OR IGNORE INTO standing VALUES (?, ?)"
        database.execute(statement, (INDEX, index))
        database.execute(statement, (SEAL, seal))
        return index

    def _blinds(self, versions: Sequence[int], data: bytes) -> list[bytes]:
        return [self.index.digest_under(version, data) for version in versions]

    def _ask(self, question: Callable[[], ResultT]) -> ResultT:
        """Ask; when a version is not known here, read the keys anew and ask again."""
        try:
            return question()
        except ConfigError:
            pass
        try:
            self._refresh()
            return question()
        except ConfigError as error:
            raise StorageError(f"the identity map: {error}") from error


def _select(
    database: sqlite3.Connection,
    table: str,
    blinds: Sequence[bytes],
    most: int,
    surrogate: bytes | None,
) -> tuple[tuple[int, ...], list[bytes]]:
    """Read the list and the rows in one snapshot; the list comes with every row."""
    wanted = f"found.blind IN ({','.join('?' * len(blinds))})"
    values: tuple[object, ...] = (*blinds, most)
    if surrogate is not None:
        wanted += " AND found.surrogate = ?"
        values = (*blinds, surrogate, most)
    statement = (
        "SELECT listed.versions, found.surrogate FROM ("
        f"SELECT group_concat(version) AS versions FROM standing WHERE key = '{INDEX}'"
        f") AS listed LEFT JOIN {table} AS found ON {wanted} LIMIT ?"
    )
    try:
        rows = database.execute(statement, values).fetchall()
    except sqlite3.Error as error:
        raise storage_error("the identity map", error) from error
    written = rows[0][0] or ""
    versions = sorted(int(one) for one in written.split(",") if one)
    return tuple(versions), [row[1] for row in rows if row[1] is not None]


def listed_versions(database: sqlite3.Connection, key: str) -> tuple[int, ...]:
    """Return the versions of a key that are listed, the oldest first.

    Raises:
        StorageError: the map cannot be read.
    """
    statement = "SELECT version FROM standing WHERE key = ? ORDER BY version"
    try:
        return tuple(row[0] for row in database.execute(statement, (key,)))
    except sqlite3.Error as error:
        raise storage_error("the identity map", error) from error


def only_listed(
    database: sqlite3.Connection, index: Callable[[int, bytes], bytes]
) -> Callable[[int, bytes], bytes]:
    """Let an index refuse versions that a map does not list; nobody would find the row.

    Raises:
        StorageError: the map cannot be read.
    """
    if not has_table(database, "standing"):
        return index
    listed = frozenset(listed_versions(database, INDEX))

    def digest_under(version: int, data: bytes) -> bytes:
        if version not in listed:
            raise IntegrityError(f"the map does not list index version {version}")
        return index(version, data)

    return digest_under


def has_table(database: sqlite3.Connection, table: str) -> bool:
    """Say whether a map has a table: older ones lack some.

    Raises:
        StorageError: the map cannot be read.
    """
    statement = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
    try:
        return database.execute(statement, (table,)).fetchone() is not None
    except sqlite3.Error as error:
        raise storage_error("the identity map", error) from error


def hold_snapshot(database: sqlite3.Connection) -> None:
    """See a map as it is now until the connection is closed, whoever writes.

    Raises:
        StorageError: the map cannot be read.
    """
    try:
        database.execute("BEGIN")
        database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        raise storage_error("the identity map", error) from error


def list_versions_once(database: sqlite3.Connection) -> None:
    """Make the list of a map that was made before there was one, from its rows.

    Raises:
        StorageError: the map cannot be read or written.
    """
    if has_table(database, "standing"):
        return
    with transaction(database):
        database.execute(TABLE)
        for table in ("subject", "alias"):
            if has_table(database, table):
                database.execute(
                    "INSERT OR IGNORE INTO standing "
                    f"SELECT DISTINCT '{INDEX}', index_version FROM {table}"
                )


def unlist(database: sqlite3.Connection, *, still: Sequence[int], newest: int) -> None:
    """Take versions off the list that no row stands under, in a write transaction.

    Args:
        database: an identity map.
        still: older index versions under which rows are left.
        newest: the index version that every other row stands under.
    """
    kept = ",".join(str(int(version)) for version in (*still, newest))
    database.execute(
        "DELETE FROM standing WHERE key = ? AND version < ? "
        f"AND version NOT IN ({kept})",
        (INDEX, newest),
    )
    database.execute(
        "DELETE FROM standing WHERE key = ? AND version < "
        "(SELECT max(version) FROM standing WHERE key = ?)",
        (SEAL, SEAL),
    )
