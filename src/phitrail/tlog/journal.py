"""The journal: one SQLite file that puts the entries of all logs in order.

It is the sequencer. A commit takes whatever waits, gives indexes, extends the right edge
of each log, and is durable when it returns. One journal carries all logs, so a record that
spans logs is one transaction.

Tables:
- `log`: the head of each log (size, root, right edge) and its newest promise.
- `segment`: entries not yet in a full, published bundle: one sealed row for each commit and
  log, framed as in a bundle. Rows go once their bundles are durable.
- `event`: which key (event id, part) stands where, with its leaf hash and the keyed hash of
  what the caller sent; kept as long as the log, for exactly-once.
- `checkpoint`: every checkpoint that was published.

Keys and hashes travel as one packed blob and are unpacked by SQL: a statement for a batch
instead of one for a row, because each statement gives up and retakes the interpreter lock.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from phitrail.durable.database import Connect, fold_wal, open_database, storage_error
from phitrail.errors import IntegrityError
from phitrail.tlog.hashing import HASH_BYTES, Hash
from phitrail.tlog.merkle import RightEdge

KEY_BYTES = 18
MAC_BYTES = 34
_EVENT = (str, int, bytes, bytes)
_CHECKPOINT = (int, bytes)

SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    name TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL,
    edge BLOB NOT NULL, promise BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segment (
    log TEXT NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
    sealed BLOB NOT NULL, UNIQUE (log, first)
);
CREATE TABLE IF NOT EXISTS event (
    key BLOB PRIMARY KEY, log TEXT NOT NULL, idx INTEGER NOT NULL,
    leaf_hash BLOB NOT NULL, mac BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoint (
    log TEXT NOT NULL, size INTEGER NOT NULL, note BLOB NOT NULL,
    PRIMARY KEY (log, size)
) WITHOUT ROWID
"""

_ROWS = (
    "WITH RECURSIVE place(n) AS "
    "(VALUES(0) UNION ALL SELECT n + 1 FROM place WHERE n + 1 < :count) "
)
_INSERT_EVENTS = (
    "INSERT INTO event "
    + _ROWS
    + f"SELECT substr(:keys, n * {KEY_BYTES} + 1, {KEY_BYTES}), :log, :first + n, "
    f"substr(:hashes, n * {HASH_BYTES} + 1, {HASH_BYTES}), "
    f"substr(:macs, n * {MAC_BYTES} + 1, {MAC_BYTES}) FROM place"
)
_FIND_EVENTS = (
    _ROWS + "SELECT key, log, idx, leaf_hash, mac FROM place CROSS JOIN event "
    f"ON event.key = substr(:keys, n * {KEY_BYTES} + 1, {KEY_BYTES})"
)


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log stands: its right edge, root and newest promise."""

    log: str
    edge: RightEdge
    root: Hash
    promise: bytes

    @property
    def size(self) -> int:
        """How many entries the log holds."""
        return self.edge.size


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """Where an event stands already, and the keyed hash of what its caller sent."""

    log: str
    index: int
    leaf_hash: Hash
    mac: bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """Sealed entries of one commit: `count` of them from index `first`."""

    first: int
    count: int
    sealed: bytes


class Journal:
    """The journal's statements; transactions are begun by whoever uses it."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database

    @classmethod
    def create(cls, path: Path, *, connect: Connect = sqlite3.connect) -> "Journal":
        """Open the journal, making its tables when it is new.

        Raises:
            StorageError: the file cannot be written.
        """
        return cls(
            open_database(path, schema=SCHEMA, connect=connect, fold_by_hand=True)
        )

    @classmethod
    def open(
        cls, path: Path, *, connect: Connect = sqlite3.connect, read_only: bool = False
    ) -> "Journal":
        """Open an existing journal.

        Raises:
            ConfigError: there is none.
            StorageError: it cannot be opened, or is damaged.
        """
        return cls(
            open_database(path, connect=connect, read_only=read_only, fold_by_hand=True)
        )

    def close(self) -> None:
        """Close the connection."""
        self.database.close()

    # --- heads ---

    def head(self, log: str, known: Head | None = None) -> Head:
        """Read the head of a log; `known` is returned when it still stands.

        Raises:
            IntegrityError: the stored edge does not give the stored root.
        """
        row = self._one(
            "SELECT size, root, edge, promise FROM log WHERE name = ?",
            (log,),
            (int, bytes, bytes, bytes),
        )
        if row is None:
            return Head(log, RightEdge(), RightEdge().root(), b"")
        size, root, edge_bytes, promise = row
        if known is not None and known.size == size and known.root == root:
            return known
        edge = RightEdge.from_bytes(size, edge_bytes)
        if edge.root() != root:
            raise IntegrityError(
                f"the journal's edge of {log} does not give its root at size {size}; "
                "do not append: restore the trail and run `phitrail verify`"
            )
        return Head(log, edge, Hash(root), promise)

    def store_head(self, head: Head) -> None:
        """Replace the head of a log."""
        self.database.execute(
            "INSERT OR REPLACE INTO log VALUES (?, ?, ?, ?, ?)",
            (head.log, head.size, head.root, head.edge.to_bytes(), head.promise),
        )

    # --- entries ---

    def find_events(self, keys: Sequence[bytes]) -> dict[bytes, StoredEvent]:
        """Find which of these keys stand in a log already."""
        if not keys:
            return {}
        rows = self.database.execute(
            _FIND_EVENTS, {"count": len(keys), "keys": b"".join(keys)}
        )
        return {
            key: StoredEvent(log, index, Hash(leaf_hash), mac)
            for key, log, index, leaf_hash, mac in _typed(rows, (bytes, *_EVENT))
        }

    def events_between(self, low: bytes, high: bytes) -> list[StoredEvent]:
        """Find the events whose keys lie in [low, high], in order."""
        return [
            StoredEvent(log, index, Hash(leaf_hash), mac)
            for log, index, leaf_hash, mac in self._all(
                "SELECT log, idx, leaf_hash, mac FROM event "
                "WHERE key BETWEEN ? AND ? ORDER BY key",
                (low, high),
                _EVENT,
            )
        ]

    def insert_entries(
        self,
        log: str,
        first: int,
        *,
        sealed: bytes,
        keys: Sequence[bytes],
        hashes: Sequence[Hash],
        macs: Sequence[bytes],
    ) -> None:
        """Store the entries of one commit to one log, from index `first`."""
        self.database.execute(
            "INSERT INTO segment VALUES (?, ?, ?, ?)", (log, first, len(keys), sealed)
        )
        self.database.execute(
            _INSERT_EVENTS,
            {
                "count": len(keys),
                "log": log,
                "first": first,
                "keys": b"".join(keys),
                "hashes": b"".join(hashes),
                "macs": b"".join(macs),
            },
        )

    def segments(self, log: str, start: int, end: int) -> Iterator[Segment]:
        """Read the segments that hold entries of [start, end), in order."""
        yield from (
            Segment(first, count, sealed)
            for first, count, sealed in self._all(
                "SELECT first, count, sealed FROM segment WHERE log = ? AND first < ? "
                "AND first + count > ? ORDER BY first",
                (log, end, start),
                (int, int, bytes),
            )
        )

    def drop_segments(self, log: str, end: int) -> None:
        """Drop segments that lie wholly before index `end`."""
        self.database.execute(
            "DELETE FROM segment WHERE log = ? AND first + count <= ?", (log, end)
        )

    def count_events(self, log: str) -> int:
        """Count the rows of a log in the table of events."""
        row = self._one("SELECT count(*) FROM event WHERE log = ?", (log,), (int,))
        return int(row[0]) if row else 0

    # --- checkpoints ---

    def newest_checkpoint(self, log: str) -> tuple[int, bytes] | None:
        """Read the newest checkpoint of a log: its size and note."""
        row = self._one(
            "SELECT size, note FROM checkpoint WHERE log = ? "
            "ORDER BY size DESC LIMIT 1",
            (log,),
            _CHECKPOINT,
        )
        return None if row is None else (row[0], row[1])

    def checkpoints(self, log: str) -> Iterator[tuple[int, bytes]]:
        """Read every checkpoint of a log, the smallest first."""
        yield from self._all(
            "SELECT size, note FROM checkpoint WHERE log = ? ORDER BY size",
            (log,),
            _CHECKPOINT,
        )

    def newest_checkpoints(self, log: str, count: int) -> list[tuple[int, bytes]]:
        """Read the newest few checkpoints, the newest first: size and note of each."""
        return [
            (size, note)
            for size, note in self._all(
                "SELECT size, note FROM checkpoint WHERE log = ? "
                "ORDER BY size DESC LIMIT ?",
                (log, count),
                _CHECKPOINT,
            )
        ]

    def checkpoints_between(
        self, log: str, above: int, up_to: int
    ) -> list[tuple[int, bytes]]:
        """Read the checkpoints of sizes above one and up to another, smallest first."""
        return [
            (size, note)
            for size, note in self._all(
                "SELECT size, note FROM checkpoint WHERE log = ? AND size > ? "
                "AND size <= ? ORDER BY size",
                (log, above, up_to),
                _CHECKPOINT,
            )
        ]

    def insert_checkpoint(self, log: str, size: int, note: bytes) -> None:
        """Keep a checkpoint; a second one of the same size is refused by the table."""
        self.database.execute(
            "INSERT INTO checkpoint VALUES (?, ?, ?)", (log, size, note)
        )

    def fold(self) -> None:
        """Fold the write-ahead log into the database.

        Raises:
            StorageError: the database could not be written.
        """
        fold_wal(self.database)

    def _one(
        self, statement: str, values: tuple[object, ...], types: tuple[type, ...]
    ) -> tuple[Any, ...] | None:
        rows = self._all(statement, values, types)
        return rows[0] if rows else None

    def _all(
        self, statement: str, values: tuple[object, ...], types: tuple[type, ...]
    ) -> list[tuple[Any, ...]]:
        try:
            rows = self.database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            if self.database.in_transaction:
                raise
            raise storage_error("the journal", error) from error
        return _typed(rows, types)


def _typed(
    rows: Iterable[tuple[Any, ...]], types: tuple[type, ...]
) -> list[tuple[Any, ...]]:
    """Check that rows hold what we wrote: SQLite itself stores anything anywhere.

    Raises:
        IntegrityError: a value is of another type.
    """
    checked = list(rows)
    for row in checked:
        if tuple(map(type, row)) != types:
            raise IntegrityError(
                "a row of the journal does not hold what was written: restore the "
                "journal from the archive and run `phitrail verify`"
            )
    return checked
