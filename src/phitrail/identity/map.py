"""The identity map: one sealed row for each subject, durable before a leaf names it.

1. A row is found by its blind index, HMAC-SHA256(index key, subject): equal identifiers
   meet, and the file shows nobody who they are. Which versions of that key stand in the
   file, and how a subject is found across them, is `identity.standing`.
2. Identifier and salt are sealed; the surrogate stands in clear, as it does in leaves.
3. A new row is committed (fsync) before its surrogate is given out. An identity without a
   leaf is harmless, a leaf without an identity is a defect.
4. Two processes may meet at one subject: whoever makes a row has looked again within the
   same transaction, the loser reads the winner's row.
5. A map that was lost is not made anew: known patients would get second surrogates.

A cache in memory maps identifiers to surrogates; it lives and dies with the process.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from phitrail.durable.database import (
    Connect,
    open_database,
    storage_error,
    transaction,
)
from phitrail.durable.lock import FileLock
from phitrail.durable.queue import GroupCommit
from phitrail.errors import ConfigError, IntegrityError
from phitrail.events.canonical import check_identifier
from phitrail.identity.standing import (
    ROW,
    TABLE,
    MapKeys,
    Seal,
    list_versions_once,
    only_listed,
)
from phitrail.identity.surrogate import (
    SALT_BYTES,
    check_opening,
    compute_surrogate,
    parse_surrogate,
    subject_bytes,
    written_surrogate,
)

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS subject (
    blind BLOB PRIMARY KEY,
    index_version INTEGER NOT NULL,
    surrogate BLOB NOT NULL UNIQUE,
    sealed BLOB NOT NULL
) WITHOUT ROWID;
{TABLE}
"""
CACHE_SUBJECTS = 262_144
CONTEXT = b"phitrail/identity/v1|"

SubjectKey: TypeAlias = tuple[str, str]
"""(system, identifier), opened: never stored, never shown"""


def create_identity_map(path: Path) -> None:
    """Make an empty map, for a new trail; a lost one is never made anew.

    Raises:
        StorageError: the file cannot be written.
    """
    open_database(path, schema=SCHEMA).close()


class IdentityMap:
    """Gives surrogates for identifiers, making new rows where needed; thread-safe."""

    def __init__(
        self,
        path: Path,
        *,
        tenant: str,
        keys: MapKeys,
        connect: Connect = sqlite3.connect,
    ) -> None:
        self._tenant = tenant
        self._keys = keys
        self._asking = Lock()
        with ExitStack() as opened:
            self._database = open_database(path, connect=connect)
            opened.callback(self._database.close)
            list_versions_once(self._database)
            self._questions = open_database(path, connect=connect, read_only=True)
            opened.callback(self._questions.close)
            self._between_processes = FileLock(path.with_suffix(".lock"))
            opened.pop_all()
        self._cache: dict[SubjectKey, str] = {}
        self._queue: GroupCommit[tuple[SubjectKey, ...], tuple[str, ...]] = GroupCommit(
            self._commit, name="the identity map"
        )

        self.cached: Callable[[SubjectKey], str | None] = self._cache.get
        """The surrogate of a subject that this process has met, or `None`."""

    def resolve(self, subjects: Sequence[SubjectKey]) -> tuple[str, ...]:
        """Return the surrogates of subjects, 43 characters each, in order.

        Raises:
            InputError: an identifier is empty, too long or has control characters.
            StorageError: a new row could not be made durable.
        """
        _check(subjects)
        return self._remember(subjects, self._queue.submit(tuple(subjects)))

    async def resolve_async(self, subjects: Sequence[SubjectKey]) -> tuple[str, ...]:
        """Do as `resolve`, on the running event loop.

        Raises:
            InputError: an identifier is empty, too long or has control characters.
            StorageError: a new row could not be made durable.
        """
        _check(subjects)
        found = await self._queue.submit_async(tuple(subjects))
        return self._remember(subjects, found)

    def find(self, subject: SubjectKey) -> str | None:
        """Return the surrogate of a subject that has one; never make one.

        Raises:
            InputError: the identifier is empty, too long or has control characters.
            StorageError: the map cannot be read.
        """
        _check((subject,))
        with self._asking:
            found = self._find(self._questions, subject)
        return None if found is None else written_surrogate(found)

    def _remember(
        self, keys: Sequence[SubjectKey], surrogates: tuple[str, ...]
    ) -> tuple[str, ...]:
        if len(self._cache) > CACHE_SUBJECTS:
            self._cache.clear()
        self._cache.update(zip(keys, surrogates, strict=True))
        return surrogates

    def _commit(
        self, items: Sequence[tuple[SubjectKey, ...]]
    ) -> Sequence[tuple[str, ...] | Exception]:
        """Find or make the rows of one batch; runs on the writer thread alone."""
        found: dict[SubjectKey, bytes] = {}
        unmet: list[SubjectKey] = []
        for key in {key for keys in items for key in keys}:
            known = self._find(self._database, key)
            if known is None:
                unmet.append(key)
            else:
                found[key] = known
        if unmet:
            with self._between_processes, transaction(self._database):
                version = self._keys.admit(self._database)
                for key in unmet:
                    known = self._find(self._database, key)
                    found[key] = known or self._insert(key, version)
        return [tuple(written_surrogate(found[key]) for key in keys) for keys in items]

    def _find(self, database: sqlite3.Connection, key: SubjectKey) -> bytes | None:
        subject = subject_bytes(self._tenant, *key)
        found = self._keys.find(database, "subject", subject, 1)
        return found[0] if found else None

    def _insert(self, key: SubjectKey, version: int) -> bytes:
        subject, salt = subject_bytes(self._tenant, *key), os.urandom(SALT_BYTES)
        surrogate = compute_surrogate(salt, subject)
        blind = self._keys.index.digest_under(version, subject)
        sealed = self._keys.seal.seal(salt + subject, CONTEXT + surrogate)
        self._database.execute(
            "INSERT INTO subject VALUES (?, ?, ?, ?)",
            (blind, version, surrogate, sealed),
        )
        return surrogate

    def missing(self, surrogates: Sequence[str]) -> list[str]:
        """Return those surrogates that no row explains.

        Raises:
            StorageError: the map cannot be read.
        """
        with self._asking:
            return find_unexplained(self._questions, surrogates)

    def close(self) -> None:
        """Commit what waits and close the file."""
        self._queue.close()
        self._questions.close()
        self._database.close()
        self._between_processes.close()


def _check(subjects: Sequence[SubjectKey]) -> None:
    for _, identifier in subjects:
        check_identifier(identifier, "records")


def count_damaged(
    database: sqlite3.Connection,
    *,
    index: Callable[[int, bytes], bytes],
    seal: Seal,
) -> int:
    """Count the rows that do not open to their own surrogate and blind index.

    One under a version that the file does not list cannot be found: it counts too.

    Args:
        database: an identity map.
        index: the blind index of a subject under a version of its key.
        seal: opens the rows.

    Raises:
        StorageError: the map cannot be read.
    """
    index = only_listed(database, index)
    try:
        rows = database.execute(f"SELECT {ROW} FROM subject")
        return sum(not _is_whole(row, index, seal) for row in rows)
    except sqlite3.Error as error:
        raise storage_error("the identity map", error) from error


def _is_whole(
    row: tuple[object, ...], index: Callable[[int, bytes], bytes], seal: Seal
) -> bool:
    match row:
        case (bytes(blind), int(version), bytes(surrogate), bytes(sealed)):
            try:
                opened = seal.open(sealed, CONTEXT + surrogate)
                salt, subject = opened[:SALT_BYTES], opened[SALT_BYTES:]
                check_opening(surrogate, salt, subject)
                return index(version, subject) == blind
            except (IntegrityError, ConfigError):
                return False
        case _:
            return False


def find_unexplained(
    database: sqlite3.Connection, surrogates: Sequence[str]
) -> list[str]:
    """Return those surrogates that no row of an identity map explains.

    Raises:
        StorageError: the map cannot be read.
    """
    try:
        return [
            written
            for written in surrogates
            if database.execute(
                "SELECT 1 FROM subject WHERE surrogate = ?",
                (parse_surrogate(written),),
            ).fetchone()
            is None
        ]
    except sqlite3.Error as error:
        raise storage_error("the identity map", error) from error
