"""The appender: entries in, receipts out, durable in between.

One commit, in this order:
1. Hold the lock between processes and begin the transaction: one history, however many
   processes append.
2. Read the heads of the logs touched. A head that another process moved is read anew and
   checked against its root and promise (`tlog.head`); where it was signed by newer keys
   than ours, nothing is appended (ADR 0007).
3. Look up all keys. The same key with the same keyed hash is a retry and gets its first
   place; with another hash it is a conflict, and nothing of that item is appended. The
   conflict says what stands there: only who has the content can tell a retry that was
   hashed under another version of the key (`capture.idempotency`).
4. Give indexes in the order of arrival, extend the edges, seal the entries.
5. Sign one promise for each log touched.
6. Commit. Only then does anyone learn of an index.

An import contract names who may use this module: the recorder and wiring.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from phitrail.durable.database import transaction
from phitrail.durable.lock import FileLock
from phitrail.durable.queue import GroupCommit
from phitrail.errors import ConflictError
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.entry import Entry, Item, Sequenced
from phitrail.tlog.head import check_moved
from phitrail.tlog.journal import Head, Journal, StoredEvent
from phitrail.tlog.layout import segment_context
from phitrail.tlog.log_keys import LogKeys
from phitrail.tlog.merkle import RightEdge
from phitrail.tlog.note import sign_note
from phitrail.tlog.receipt import Position
from phitrail.tlog.tile import frame_entries


@dataclass(slots=True)
class _Batch:
    """What one commit adds to one log."""

    edge: RightEdge
    first: int
    entries: list[Entry] = field(default_factory=list)


class Appender:
    """Appends items (groups of entries that stand or fall together); thread-safe."""

    def __init__(
        self, journal: Journal, lock_path: Path, keys: Mapping[str, LogKeys]
    ) -> None:
        self._journal = journal
        self._keys = keys
        self._lock = FileLock(lock_path)
        self._heads: dict[str, Head] = {}
        self._queue: GroupCommit[Item, Sequenced] = GroupCommit(
            self._commit, name="the log"
        )

    def append(self, item: Item) -> Sequenced:
        """Append entries as one; return once they are durable.

        Raises:
            ConflictError: a key stands there already with other content.
            StorageError: nothing was kept.
            OutcomeUnknownError: kept or not, nobody knows.
        """
        return self._queue.submit(item)

    def append_async(self, item: Item) -> Awaitable[Sequenced]:
        """Do as `append`, on the running event loop.

        Raises:
            ConflictError: a key stands there already with other content.
            StorageError: nothing was kept.
            OutcomeUnknownError: kept or not, nobody knows.
        """
        return self._queue.submit_async(item)

    def close(self) -> None:
        """Commit what waits, then close the journal."""
        self._queue.close()
        self._journal.close()
        self._lock.close()

    def _commit(self, items: Sequence[Item]) -> Sequence[Sequenced | Exception]:
        """Commit one batch; runs on the writer thread alone."""
        with self._lock, transaction(self._journal.database):
            touched = {entry.log for item in items for entry in item}
            heads = {log: self._head(log) for log in touched}
            known = self._journal.find_events(
                list(dict.fromkeys(entry.key for item in items for entry in item))
            )
            batches: dict[str, _Batch] = {}
            outcomes = [self._place(item, known, heads, batches) for item in items]
            for log, batch in batches.items():
                heads[log] = self._store(log, batch)
        self._heads.update(heads)
        promises = {log: head.promise for log, head in heads.items()}
        return [
            outcome
            if isinstance(outcome, Exception)
            else Sequenced(
                outcome, {place.log: promises[place.log] for place in outcome}
            )
            for outcome in outcomes
        ]

    def _head(self, log: str) -> Head:
        """Read a head; wiring checked the first one, others may have moved it since."""
        known, keys = self._heads.get(log), self._keys[log]
        head = self._journal.head(log, known)
        if known is None:
            keys.check_in_force(head.size, head.promise)
        elif head is not known:
            check_moved(head, known, keys)
        return head

    def _place(
        self,
        item: Item,
        known: dict[bytes, StoredEvent],
        heads: Mapping[str, Head],
        batches: dict[str, _Batch],
    ) -> tuple[Position, ...] | ConflictError:
        """Give each entry of an item its place: its first one if it has one."""
        for entry in item:
            stored = known.get(entry.key)
            if stored is not None and stored.mac != entry.mac:
                event_id = _event_id(entry.key)
                return ConflictError(
                    f"event {event_id} stands at {stored.log} {stored.index} with "
                    "other content; use a new event_id",
                    event_id=event_id,
                    stored=_other_macs(item, known),
                )
            if stored is None and entry.at is not None:
                index = heads[entry.log].size
                if entry.log in batches:
                    index += len(batches[entry.log].entries)
                if index != entry.at:
                    return ConflictError(
                        f"{entry.log} has {index} entries by now, not {entry.at}; "
                        "look at it again",
                        event_id=_event_id(entry.key),
                    )
        positions: list[Position] = []
        for entry in item:
            stored = known.get(entry.key)
            if stored is None:
                batch = batches.get(entry.log)
                if batch is None:
                    edge = heads[entry.log].edge.copy()
                    batch = batches[entry.log] = _Batch(edge, edge.size)
                index = batch.first + len(batch.entries)
                batch.entries.append(entry)
                stored = known[entry.key] = StoredEvent(
                    entry.log, index, entry.leaf_hash, entry.mac
                )
            positions.append(Position(stored.log, stored.index, stored.leaf_hash))
        return tuple(positions)

    def _store(self, log: str, batch: _Batch) -> Head:
        """Store what a commit adds to one log and sign the new head's promise."""
        keys = self._keys[log]
        entries = batch.entries
        hashes = [entry.leaf_hash for entry in entries]
        batch.edge.extend(hashes)
        root = batch.edge.root()
        self._journal.insert_entries(
            log,
            batch.first,
            sealed=keys.seal(
                frame_entries((entry.leaf for entry in entries), at_most=len(entries)),
                segment_context(keys.origin, batch.first),
            ),
            keys=[entry.key for entry in entries],
            hashes=hashes,
            macs=[entry.mac for entry in entries],
        )
        promise = sign_note(
            Checkpoint(keys.origin, batch.edge.size, root).body(),
            [keys.promise],
            is_checked=False,  # wiring checked the key against genesis
        )
        head = Head(log, batch.edge, root, promise)
        self._journal.store_head(head)
        return head


def _other_macs(item: Item, known: Mapping[bytes, StoredEvent]) -> dict[str, bytes]:
    """Say what stands under the ids of an item with another keyed hash."""
    return {
        _event_id(entry.key): known[entry.key].mac
        for entry in item
        if entry.key in known and known[entry.key].mac != entry.mac
    }


def _event_id(key: bytes) -> str:
    digits = key[:16].hex()
    return "-".join(
        (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    )
