"""Reading one log: entries, proofs, and where an event stands.

Entries come from sealed bundles once they are published and from the journal before.
What is read is checked: an entry that does not hash to its place in the tree is never
given out. Reading takes no lock and delays no writer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from phitrail.durable.files import DurableFiles
from phitrail.errors import InputError, IntegrityError, UnverifiableError
from phitrail.tlog import layout
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import (
    HASH_BYTES,
    Hash,
    hash_leaf,
    hash_leaves,
    hash_node,
)
from phitrail.tlog.journal import Journal
from phitrail.tlog.log_keys import LogKeys
from phitrail.tlog.promised import Shown
from phitrail.tlog.proof import inclusion_proof
from phitrail.tlog.publisher import read_segments
from phitrail.tlog.receipt import Position
from phitrail.tlog.tile import TILE_WIDTH, node_reader, split_bundle


@dataclass(frozen=True, slots=True)
class Proven:
    """An entry's inclusion in a checkpoint that was published."""

    index: int
    leaf_hash: Hash
    checkpoint: Checkpoint
    note: bytes
    proof: tuple[Hash, ...]


class LogReader:
    """Reads one log; `journal` is a connection of the reading thread's own."""

    def __init__(
        self, log: str, journal: Journal, files: DurableFiles, keys: LogKeys
    ) -> None:
        self.log = log
        self._journal = journal
        self._files = files
        self._keys = keys

    def close(self) -> None:
        """Close the connection that this reader was given."""
        self._journal.close()

    def size(self) -> int:
        """Count the durable entries, published or not."""
        return self._journal.head(self.log).size

    def published(self) -> tuple[Checkpoint, bytes] | None:
        """Return the newest checkpoint and its signed note."""
        newest = self._journal.newest_checkpoint(self.log)
        if newest is None:
            return None
        return self._keys.line.open_own(newest[1]), newest[1]

    def show_published(self) -> Shown | None:
        """Show the newest checkpoint and the tree under it; nothing before the first.

        Raises:
            IntegrityError: its signature does not verify.
        """
        published = self.published()
        if published is None:
            return None
        checkpoint, note = published
        return Shown(note, checkpoint, node_reader(self._read_tile, checkpoint.size))

    def show_durable(self) -> Shown:
        """Show the head, its promise, and the tree under it, published or not.

        The entries that are not published yet are read and hashed.

        Raises:
            IntegrityError: the head, its promise or an entry is missing or altered.
        """
        database = self._journal.database
        database.execute("BEGIN")
        try:
            head = self._journal.head(self.log)
            newest = self._journal.newest_checkpoint(self.log)
            published = min(newest[0] if newest is not None else 0, head.size)
            tail = [
                hash_leaf(entry)
                for entry in read_segments(
                    self._journal,
                    self.log,
                    self._keys,
                    start=published,
                    end=head.size,
                )
            ]
        finally:
            database.execute("ROLLBACK")
        promised = self._keys.line.open_promise(head.promise)
        if (promised.size, promised.root) != (head.size, head.root):
            raise IntegrityError(f"the head of {self.log} is not what was promised")
        node = node_reader(self._read_tile, published)
        return Shown(head.promise, promised, _continued(node, published, tail))

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """Read the leaves [start, end), each as it was hashed.

        Raises:
            InputError: the range is not in the log.
            IntegrityError: an entry is missing or is not what its place says.
        """
        if not 0 <= start <= end <= self.size():
            raise InputError.for_field(
                "index", f"must be within the log of {self.size()} entries"
            )
        at = start
        while at < end:
            in_bundles = min(end, self._in_bundles())
            if at >= in_bundles:
                yield from self._in_journal(at, end)
                return
            while at < in_bundles:
                index = at // TILE_WIDTH
                stop = min(in_bundles, (index + 1) * TILE_WIDTH)
                bundle = self._bundle(index)
                yield from bundle[at % TILE_WIDTH : stop - index * TILE_WIDTH]
                at = stop

    def entry(self, index: int) -> bytes:
        """Read one leaf.

        Raises:
            InputError: there is no such index.
            IntegrityError: it is missing or altered.
        """
        return next(self.entries(index, index + 1))

    def _in_bundles(self) -> int:
        """Count the entries that stand in full, published bundles."""
        newest = self._journal.newest_checkpoint(self.log)
        return newest[0] // TILE_WIDTH * TILE_WIDTH if newest is not None else 0

    def _in_journal(self, start: int, end: int) -> Iterator[bytes]:
        """Read entries from the journal, or from bundles that took them meanwhile."""
        try:
            entries = list(
                read_segments(self._journal, self.log, self._keys, start=start, end=end)
            )
        except IntegrityError:
            if self._in_bundles() <= start:
                raise
            yield from self.entries(start, end)
        else:
            yield from entries

    def _bundle(self, index: int) -> list[bytes]:
        try:
            envelope = self._files.read(layout.sealed_bundle(self.log, index))
            tile = self._files.read(layout.public_tile(self.log, 0, index))
        except FileNotFoundError as error:
            raise IntegrityError(
                f"{self.log}: bundle or tile {index} is missing; restore it from the "
                "archive"
            ) from error
        context = layout.bundle_context(self._keys.origin, index, TILE_WIDTH)
        entries = split_bundle(self._keys.open(envelope, context), TILE_WIDTH)
        hashes = b"".join(hash_leaves(entries))
        if hashes != tile:
            raise IntegrityError(
                f"{self.log}: bundle {index} does not hash to its tile; entries "
                f"{index * TILE_WIDTH} to {index * TILE_WIDTH + 255} were altered"
            )
        return entries

    def prove(self, index: int) -> Proven:
        """Prove that an entry is in the newest checkpoint.

        Raises:
            UnverifiableError: the entry is durable, not yet published.
            IntegrityError: a tile is missing or damaged.
        """
        published = self.published()
        if published is None or index >= published[0].size:
            raise UnverifiableError(
                f"{self.log} entry {index} is durable and not yet in a checkpoint; "
                "try again in a second, or run `phitrail status`"
            )
        checkpoint, note = published
        node = node_reader(self._read_tile, checkpoint.size)
        return Proven(
            index,
            node(0, index),
            checkpoint,
            note,
            tuple(inclusion_proof(index, checkpoint.size, node)),
        )

    def _read_tile(self, level: int, index: int, width: int) -> bytes:
        """Read a tile; where the partial one is gone, cut the full one."""
        try:
            return self._files.read(layout.public_tile(self.log, level, index, width))
        except FileNotFoundError:
            pass
        try:
            full = self._files.read(layout.public_tile(self.log, level, index))
        except FileNotFoundError as error:
            raise IntegrityError(
                f"{self.log}: tile {level}/{index} is missing; restore it from the "
                "archive"
            ) from error
        return full[: width * HASH_BYTES]


def _continued(
    node: Callable[[int, int], Hash], size: int, tail: list[Hash]
) -> Callable[[int, int], Hash]:
    """Answer nodes of a tree that goes on behind `size` with the leaf hashes of `tail`."""

    def continued(level: int, index: int) -> Hash:
        if (index + 1) << level <= size:
            return node(level, index)
        if level == 0:
            return tail[index - size]
        left = continued(level - 1, 2 * index)
        return hash_node(left, continued(level - 1, 2 * index + 1))

    return continued


def find_event(journal: Journal, event_id: bytes) -> list[Position]:
    """Say where the parts of an event stand; nothing when it is in no log."""
    low, high = event_id + b"\x00\x00", event_id + b"\xff\xff"
    return [
        Position(stored.log, stored.index, stored.leaf_hash)
        for stored in journal.events_between(low, high)
    ]
