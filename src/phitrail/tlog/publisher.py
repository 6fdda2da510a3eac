"""The publisher: what was acknowledged becomes tiles, sealed bundles and a checkpoint.

One round, for all logs together:
1. Read each log's head; go no further where newer keys than ours have signed it. Nothing
   new: only see that the public checkpoint is the newest.
   At start, refuse a journal that is behind the public checkpoint, and remove what a
   crash left half written.
2. Take the entries since the last checkpoint out of the journal, a chunk at a time.
3. Write full tiles and bundles, then the unfinished ones: all durable with two syncs.
4. Refuse to sign unless the tiles, extended from the last checkpoint's, give the root that
   the journal has at that size; unless the size grew; and unless every checkpoint in
   `state/outside/` is a prefix of this log.
5. Keep the signed checkpoint and drop what is no longer needed from the journal, in one
   transaction; the table refuses a second checkpoint of one size.
6. Put the checkpoint where readers look, last.

Whoever holds the lease publishes; everyone else waits for it. Tiles of a checkpoint are
never changed: partial ones are removed one round after the full one was published.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from phitrail.durable.database import transaction
from phitrail.durable.files import DurableFiles
from phitrail.errors import IntegrityError
from phitrail.tlog import layout
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.head import check_head
from phitrail.tlog.journal import Head, Journal
from phitrail.tlog.log_keys import LogKeys
from phitrail.tlog.note import sign_note
from phitrail.tlog.outside import (
    OutsideCheckpoint,
    check_not_behind,
    read_outside,
    read_public,
)
from phitrail.tlog.proof import root_at
from phitrail.tlog.tile import (
    TILE_HEIGHT,
    TILE_WIDTH,
    frame_entries,
    node_reader,
    split_bundle,
)
from phitrail.tlog.tile_edge import TileEdge

CHUNK_ENTRIES = 16_384


@dataclass(slots=True)
class _Published:
    """What stands published of one log, and the entries of its unfinished bundle."""

    edge: TileEdge
    note: bytes
    unfinished: list[bytes]
    bundle: str = ""
    superseded: list[str] = field(default_factory=list)
    needless: list[str] = field(default_factory=list)
    is_shown: bool = False


@dataclass(slots=True)
class _Round:
    """What one round adds to one log."""

    edge: TileEdge
    unfinished: list[bytes]
    note: bytes = b""
    bundle: str = ""


class Publisher:
    """Publishes the logs of one trail; used by one thread of the lease holder."""

    def __init__(
        self,
        journal: Journal,
        files: DurableFiles,
        keys: Mapping[str, LogKeys],
        outside: Path,
    ) -> None:
        self._journal = journal
        self._files = files
        self._keys = keys
        self._outside = outside
        self._published: dict[str, _Published] = {}

    def publish(self) -> dict[str, Checkpoint]:
        """Run one round; return the checkpoints that it made.

        Raises:
            IntegrityError: signing was refused; the message says why.
            StorageError: try again; what was signed already stands.
            OutcomeUnknownError: open the trail again.
        """
        if not self._published:
            for directory in ("public", "state/bundles"):
                self._files.remove_leftovers(directory)
        rounds: dict[str, _Round] = {}
        heads: dict[str, Head] = {}
        for log in self._keys:
            heads[log] = head = self._journal.head(log)
            self._keys[log].check_in_force(head.size, head.promise)
            published = self._published.get(log) or self._load(log)
            self._published[log] = published
            if head.size < published.edge.size:
                raise IntegrityError(
                    f"the journal of {log} has {head.size} entries, "
                    f"{published.edge.size} were published: it was cut or restored; "
                    "nothing is signed"
                )
            if head.size > published.edge.size:
                check_head(head, self._keys[log])
                rounds[log] = self._write(log, published, head)
        if rounds:
            self._sign(rounds, heads)
        for log in self._keys:
            self._show(log)
        return {
            log: Checkpoint(self._keys[log].origin, done.edge.size, heads[log].root)
            for log, done in rounds.items()
        }

    def fold(self) -> None:
        """Fold the journal's write-ahead log; nobody waits for it."""
        self._journal.fold()

    def close(self) -> None:
        """Close the publisher's connection."""
        self._journal.close()

    # --- step 2 and 3 ---

    def _write(self, log: str, published: _Published, head: Head) -> _Round:
        """Write the tiles and bundles between the last checkpoint and a head."""
        edge = published.edge.copy()
        unfinished = list(published.unfinished)
        keys = self._keys[log]
        at = edge.size
        while at < head.size:
            end = min(at + CHUNK_ENTRIES, head.size)
            entries = self._entries(log, at, end)
            tiles = edge.extend(map(hash_leaf, entries))
            first_bundle = at // TILE_WIDTH
            unfinished += entries
            bundles = {}
            while len(unfinished) >= TILE_WIDTH:
                bundles[layout.sealed_bundle(log, first_bundle)] = self._seal(
                    keys, first_bundle, unfinished[:TILE_WIDTH]
                )
                del unfinished[:TILE_WIDTH]
                first_bundle += 1
            at = end
            self._files.put_many(
                bundles,
                immutable={
                    layout.public_tile(log, *place): data
                    for place, data in tiles.items()
                },
            )
        return self._write_unfinished(log, keys, edge, unfinished)

    def _write_unfinished(
        self, log: str, keys: LogKeys, edge: TileEdge, unfinished: list[bytes]
    ) -> _Round:
        tiles = {
            layout.public_tile(log, *place): data
            for place, data in edge.partial_tiles().items()
        }
        bundles = {}
        if unfinished:
            index = edge.size // TILE_WIDTH
            path = layout.sealed_bundle(log, index, len(unfinished))
            bundles[path] = self._seal(keys, index, unfinished)
        self._files.put_many(bundles, immutable=tiles)
        return _Round(edge, unfinished, bundle="".join(bundles))

    def _seal(self, keys: LogKeys, index: int, entries: list[bytes]) -> bytes:
        return keys.seal(
            frame_entries(entries),
            layout.bundle_context(keys.origin, index, len(entries)),
        )

    def _entries(self, log: str, start: int, end: int) -> list[bytes]:
        return list(
            read_segments(self._journal, log, self._keys[log], start=start, end=end)
        )

    # --- step 4 to 6 ---

    def _sign(self, rounds: Mapping[str, _Round], heads: Mapping[str, Head]) -> None:
        for log, done in rounds.items():
            keys = self._keys[log]
            done.edge.check_root(heads[log].root, f"the journal of {log}")
            self._respect_outside(log, keys, done.edge.size)
            body = Checkpoint(keys.origin, done.edge.size, heads[log].root).body()
            done.note = sign_note(body, [keys.checkpoint])
        with transaction(self._journal.database):
            for log, done in rounds.items():
                self._refuse_two_histories(log)
                self._journal.insert_checkpoint(log, done.edge.size, done.note)
                self._journal.drop_segments(
                    log, done.edge.size // TILE_WIDTH * TILE_WIDTH
                )
        for log, done in rounds.items():
            self._published[log] = _finished(log, self._published[log], done)

    def _refuse_two_histories(self, log: str) -> None:
        newest = self._journal.newest_checkpoint(log)
        known = self._published[log].note
        if (newest[1] if newest else b"") != known:
            raise IntegrityError(
                f"another process published {log} under our lease; open the trail again"
            )

    def _show(self, log: str) -> None:
        """Put the newest checkpoint where readers look; then remove what is needless."""
        published = self._published[log]
        if published.note and not published.is_shown:
            self._files.replace(layout.public_checkpoint(log), published.note)
            published.is_shown = True
        while published.needless:
            self._files.remove(published.needless[-1])
            published.needless.pop()

    def _respect_outside(self, log: str, keys: LogKeys, size: int) -> None:
        for seen in read_outside(self._outside, keys.line):
            self._check_not_behind(log, seen, size)

    def _check_not_behind(self, log: str, seen: OutsideCheckpoint, size: int) -> None:
        root = None
        if seen.checkpoint.size <= size:
            node = node_reader(self._tile_reader(log), size)
            root = root_at(seen.checkpoint.size, node)
        check_not_behind(seen, size, root)

    # --- start ---

    def _load(self, log: str) -> _Published:
        """Read what stands published, and check it against its own checkpoint."""
        keys = self._keys[log]
        newest = self._journal.newest_checkpoint(log)
        size, note = newest or (0, b"")
        place = self._files.root / layout.public_checkpoint(log)
        shown = read_public(place, keys.line)
        if shown is not None:  # the journal may have been restored behind it
            check_not_behind(shown, size, None)
        if newest is None:
            return _Published(TileEdge(), b"", [])
        checkpoint = keys.line.open_own(note)
        if checkpoint.size != size:  # its row was moved
            raise IntegrityError(f"the kept checkpoint of {log} is another log's")
        edge = TileEdge.read(size, self._tile_reader(log))
        edge.check_root(checkpoint.root, f"the checkpoint of {log}")
        if shown is not None:
            self._check_not_behind(log, shown, size)
        start = size // TILE_WIDTH * TILE_WIDTH
        return _Published(edge, note, self._entries(log, start, size))

    def _tile_reader(self, log: str) -> Callable[[int, int, int], bytes]:
        def read(level: int, index: int, width: int) -> bytes:
            path = layout.public_tile(log, level, index, width)
            try:
                return self._files.read(path)
            except FileNotFoundError:
                raise IntegrityError(
                    f"{path} is missing; do not publish: run `phitrail verify` and "
                    "restore it from the archive"
                ) from None

        return read


def _finished(log: str, before: _Published, done: _Round) -> _Published:
    """Say what stands now, and what the round before left unfinished."""
    return _Published(
        done.edge,
        done.note,
        done.unfinished,
        done.bundle,
        superseded=_superseded(log, before, done),
        needless=[*before.needless, *before.superseded],
    )


def _superseded(log: str, before: _Published, done: _Round) -> list[str]:
    """List what the newest checkpoint made needless.

    The public log serves the unfinished tiles of every checkpoint until the full tile
    stands (tlog-tiles); sealed bundles are ours alone, and the newest one is enough.
    """
    paths = [before.bundle] if before.bundle != done.bundle else []
    for level, index, _ in before.edge.partial_tiles():
        if done.edge.size >> (TILE_HEIGHT * (level + 1)) > index:
            paths.append(layout.public_tile(log, level, index) + ".p")
            if level == 0:
                paths.append(layout.sealed_bundle(log, index) + ".p")
    return [path for path in paths if path]


def read_segments(
    journal: Journal, log: str, keys: LogKeys, *, start: int, end: int
) -> Iterator[bytes]:
    """Read the entries [start, end) of a log out of the journal, in order.

    Raises:
        IntegrityError: a segment is missing, damaged, or not where it belongs.
    """
    at = start
    for segment in journal.segments(log, start, end):
        if segment.first > at:
            break
        context = layout.segment_context(keys.origin, segment.first)
        entries = split_bundle(
            keys.open(segment.sealed, context), segment.count, at_most=segment.count
        )
        wanted = entries[at - segment.first : end - segment.first]
        yield from wanted
        at += len(wanted)
    if at < end:
        raise IntegrityError(
            f"the journal of {log} lacks entry {at}; restore it from the archive"
        )
