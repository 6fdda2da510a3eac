"""Moving the rows of an identity map to the versions of its keys that are in use.

1. Which rows are left, the rows say themselves: by the version of their index and by how
   their envelope begins. There is no mark of how far somebody came that could disagree.
2. A row is opened, held against its surrogate and its blind index, sealed and indexed anew,
   and what was made is opened again, before anything is written.
3. A page of rows is one transaction. Only its writing holds the lock, so that others go on;
   a row that is found is the old one or the new one.
4. A row that does not open stays as it is, and is told by its surrogate. So does one whose
   new place is taken: two rows of one subject are for people to look at. Of rows that hold
   what no row can, a page is told.
5. Rows are swept until there is nothing left to move: another process may have sealed one
   under the old version until it learnt of the new one.

The surrogate of a subject never changes. Aliases are moved in the same way.
"""

import hmac
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from phitrail.durable.database import (
    Connect,
    open_database,
    storage_error,
    transaction,
)
from phitrail.durable.lock import FileLock
from phitrail.errors import ConfigError, IntegrityError
from phitrail.identity.aliases import CONTEXT as ALIAS_CONTEXT
from phitrail.identity.map import CONTEXT as SUBJECT_CONTEXT
from phitrail.identity.standing import (
    ROW,
    MapKeys,
    has_table,
    list_versions_once,
    unlist,
)
from phitrail.identity.surrogate import SALT_BYTES, check_opening

PAGE_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Target:
    """The versions that rows are to stand under."""

    index: int
    seal: int


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was read; anything may stand in a damaged one."""

    blind: object = field(repr=False)
    version: object
    surrogate: object
    sealed: object = field(repr=False)


Fresh: TypeAlias = tuple[bytes, int, bytes]
"""What a row is to be: blind index, its version, envelope"""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows with what they are to be, and those that cannot be read; nothing is written."""

    table: str
    renewed: tuple[tuple[Fresh, Row], ...]
    failed: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of rows, what they are sealed for, and what of it is indexed."""

    name: str
    context: bytes
    indexed: Callable[[bytes, bytes], bytes]
    may_lack: bool


def _subject_of(surrogate: bytes, opened: bytes) -> bytes:
    salt, subject = opened[:SALT_BYTES], opened[SALT_BYTES:]
    check_opening(surrogate, salt, subject)
    return subject


def _alias_of(_: bytes, opened: bytes) -> bytes:
    return opened


_REPLACE = (
    "UPDATE {} SET blind = ?, index_version = ?, sealed = ? "
    "WHERE blind = ? AND surrogate = ? AND sealed = ?"
)
_TABLES = (
    _Table("subject", SUBJECT_CONTEXT, _subject_of, may_lack=False),
    _Table("alias", ALIAS_CONTEXT, _alias_of, may_lack=True),
)
_WHOLE = (
    "typeof(blind) = 'blob' AND typeof(index_version) = 'integer' "
    "AND typeof(surrogate) = 'blob' AND typeof(sealed) = 'blob'"
)
_OLD = f"{_WHOLE} AND (index_version < ? OR substr(sealed, 1, ?) <> ?)"


def count_old(
    database: sqlite3.Connection, keys: MapKeys, target: Target
) -> tuple[int, int]:
    """Count the rows that do not stand under the versions in use, and all rows.

    Raises:
        StorageError: the map cannot be read.
    """
    old = every = 0
    try:
        for table in _tables(database):
            statement = f"SELECT count(*) FILTER (WHERE {_OLD}), count(*) FROM "
            counts = database.execute(
                statement + table.name, _old_values(keys, target)
            ).fetchone()
            old, every = old + counts[0], every + counts[1]
    except sqlite3.Error as error:
        raise storage_error("the identity map", error) from error
    return old, every


def target_of(keys: MapKeys) -> Target:
    """Say which versions are in use.

    Raises:
        StorageError: none is.
    """
    return Target(keys.index.version_in_use(), keys.seal.version_in_use())


class Mover:
    """Moves the rows of one map; one at a time (its owner holds a lock)."""

    def __init__(
        self, path: Path, keys: MapKeys, connect: Connect = sqlite3.connect
    ) -> None:
        """Open a map.

        Args:
            path: the file.
            keys: they open under every version that stands there.
            connect: a seam for fault tests.
        """
        self._keys = keys
        self._database = open_database(path, connect=connect)
        try:
            list_versions_once(self._database)
            self._between_processes = FileLock(path.with_suffix(".lock"))
        except BaseException:
            self._database.close()
            raise

    def count_old(self) -> tuple[int, int]:
        """Count the rows that are left to be moved, and all rows.

        Raises:
            StorageError: the map cannot be read, or no version is in use.
        """
        return count_old(self._database, self._keys, target_of(self._keys))

    def admit(self) -> Target:
        """List the versions in use; from here on nobody makes a row under older ones.

        Raises:
            StorageError: the map cannot be written, or no version is in use.
        """
        with self._between_processes, transaction(self._database):
            self._keys.admit(self._database)
        return target_of(self._keys)

    def sweep(self, target: Target) -> Iterator[Page]:
        """Make old rows anew, page by page; nothing is written (`write`).

        Raises:
            IntegrityError: a row that was just sealed does not open.
            StorageError: the map cannot be read, or the vault does not answer.
        """
        old, values = _OLD, _old_values(self._keys, target)
        for table in _tables(self._database):
            misshapen = self._read(table, f"NOT ({_WHOLE})", ())
            if misshapen:
                yield Page(table.name, (), tuple(misshapen))
            rows = self._read(table, old, values)
            while rows:
                yield self._renew_all(table, rows, target)
                after = rows[-1].blind, rows[-1].surrogate
                later = f"{old} AND (blind, surrogate) > (?, ?)"
                rows = self._read(table, later, (*values, *after))

    def write(self, page: Page) -> tuple[Row, ...]:
        """Put the rows of a page in the place of the old ones, in one transaction.

        Returns:
            those that stay as they were, since something else is in their new place.

        Raises:
            StorageError: none was moved.
        """
        if not page.renewed:
            return ()
        statement = _REPLACE.format(page.table)
        stuck: list[Row] = []
        with self._between_processes, transaction(self._database):
            for fresh, row in page.renewed:
                was = (row.blind, row.surrogate, row.sealed)
                try:
                    written = self._database.execute(statement, (*fresh, *was))
                except sqlite3.IntegrityError:
                    stuck.append(row)
                else:
                    if written.rowcount != 1:
                        stuck.append(row)
        return tuple(stuck)

    def unlist(self, target: Target, still: frozenset[int]) -> None:
        """Forget versions that no row is left under; a sweep has found that.

        Raises:
            StorageError: the map cannot be written.
        """
        with self._between_processes, transaction(self._database):
            unlist(self._database, still=sorted(still), newest=target.index)

    def close(self) -> None:
        """Close the file."""
        self._database.close()
        self._between_processes.close()

    def _read(self, table: _Table, where: str, values: tuple[object, ...]) -> list[Row]:
        """Read a page of rows, in the order of their places."""
        statement = (
            f"SELECT {ROW} FROM {table.name} WHERE {where} "
            "ORDER BY blind, surrogate LIMIT ?"
        )
        try:
            found = self._database.execute(statement, (*values, PAGE_ROWS))
            return [Row(*one) for one in found]
        except sqlite3.Error as error:
            raise storage_error("the identity map", error) from error

    def _renew_all(self, table: _Table, rows: list[Row], target: Target) -> Page:
        renewed: list[tuple[Fresh, Row]] = []
        failed: list[Row] = []
        for row in rows:
            made = self._renew(table, row, target)
            if made is None:
                failed.append(row)
            else:
                renewed.append((made, row))
        # In the order of their new places, so that neighbours are written together.
        renewed.sort(key=lambda made: made[0][0])
        return Page(table.name, tuple(renewed), tuple(failed))

    def _renew(self, table: _Table, row: Row, target: Target) -> Fresh | None:
        """Index and seal a row anew; None where it is not what it must be."""
        match row:
            case Row(bytes(blind), int(version), bytes(surrogate), bytes(sealed)):
                pass
            case _:
                return None
        context = table.context + surrogate
        try:
            opened = self._keys.seal.open(sealed, context)
            indexed = table.indexed(surrogate, opened)
            was = self._keys.index.digest_under(version, indexed)
        except (IntegrityError, ConfigError):
            return None
        if not hmac.compare_digest(was, blind):
            return None
        fresh = self._keys.seal.seal(opened, context)
        if self._keys.seal.open(fresh, context) != opened:
            raise IntegrityError("a row that was just sealed opens to something else")
        newest = max(version, target.index)
        return self._keys.index.digest_under(newest, indexed), newest, fresh


def _tables(database: sqlite3.Connection) -> list[_Table]:
    return [one for one in _TABLES if not one.may_lack or has_table(database, one.name)]


def _old_values(keys: MapKeys, target: Target) -> tuple[object, ...]:
    beginning = keys.seal.beginning(target.seal)
    return target.index, len(beginning), beginning
