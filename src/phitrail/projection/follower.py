"""The follower: reads a log behind its writers and keeps the tables up to it.

1. It reads committed entries, published or not, so a row can be asked for milliseconds
   after its commit. Nobody who records waits for it.
2. The tail is what no segment covers yet, folded in memory. It is closed into a segment
   once it holds `CLOSE_ROWS` entries or has been open for an hour.
3. Eight adjacent segments of one level are joined into one of the next, up to a million
   rows.
4. The cursor is where the manifest ends. Files are durable before the manifest names
   them, and carry their range in their name: a crash at any step leaves the tables as they
   were before or after it, and the same step done again gives the same rows.
5. Rebuilding throws the segments away and folds the log again, in ranges that may be
   folded by several processes.

One follower writes at a time (whoever holds the lock of the tables); any number of readers
may fold a tail of their own with `Tail`.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final, Protocol

import pyarrow as pa

from phitrail.errors import IntegrityError
from phitrail.events.codes import Log
from phitrail.projection.fold import TEXT_LEAVES, Folder, leaf_text
from phitrail.projection.segment_file import join_segments, write_segment
from phitrail.projection.segments import Manifest, Segment, SegmentStore

CLOSE_ROWS: Final = 65_536
CLOSE_AFTER: Final = timedelta(hours=1)
REBUILT_ROWS: Final = 131_072
JOINED_ROWS: Final = 1_048_576
JOIN_COUNT: Final = 8
FOLD_ENTRIES: Final = 65_536
FOLD_BYTES: Final = 56 << 20


class Entries(Protocol):
    """What is read of a log: `tlog.reader.LogReader`, or leaves made for a benchmark."""

    def size(self) -> int:
        """Count the durable entries, published or not."""

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """Read the leaves [start, end)."""


class Tail:
    """The committed entries of a log from an index on, folded as they come."""

    def __init__(self, entries: Entries, folder: Folder, first: int) -> None:
        self.first = first
        self._entries = entries
        self._folder = folder
        self._parts: list[pa.Table] = []
        self._end = first

    def read(self, end: int) -> pa.Table:
        """Return the rows of [first, end); what was folded before is kept."""
        if end > self._end:
            self._parts += read_range(self._entries, self._folder, self._end, end)
            self._end = end
        whole = pa.concat_tables(self._parts) if self._parts else self._folder.empty()
        return whole.slice(0, end - self.first)


class Follower:
    """Keeps the segments of one log; used by one thread that holds the tables' lock."""

    def __init__(
        self,
        entries: Entries,
        folder: Folder,
        store: SegmentStore,
        *,
        close_rows: int = CLOSE_ROWS,
        joined_rows: int = JOINED_ROWS,
    ) -> None:
        self._entries = entries
        self._folder = folder
        self._store = store
        self._close_rows = close_rows
        self._joined_rows = joined_rows
        self._manifest: Manifest | None = None
        self._superseded: list[Segment] = []
        self._open_since: datetime | None = None

    @property
    def log(self) -> Log:
        """The log that is followed."""
        return self._store.log

    def advance(self, now: datetime, *, close: bool = False) -> Manifest:
        """Close and join what is due; with `close` the tail is closed in any case.

        Joining is what takes long; `joined_rows` says how far this follower goes.

        Raises:
            IntegrityError: the log is shorter than its tables, or a segment was changed.
            StorageError: nothing was kept of this step.
            OutcomeUnknownError: make a new follower.
        """
        manifest = self._begin()
        size = self._entries.size()
        if size < manifest.size:
            raise IntegrityError(
                f"the {self.log} log holds {size} entries, its tables {manifest.size}: "
                "the log was cut or restored; run `phitrail verify`, then `log rebuild`"
            )
        while size - manifest.size >= self._close_rows:
            end = min(size, manifest.size + max(self._close_rows, REBUILT_ROWS))
            manifest = self._close(manifest, end)
        if size == manifest.size:
            self._open_since = None
        elif close or now - (self._open_since or now) >= CLOSE_AFTER:
            manifest = self._close(manifest, size)
            self._open_since = None
        else:
            self._open_since = self._open_since or now
        return self._join(manifest)

    def _begin(self) -> Manifest:
        """Read the cursor once, and remove what a crash or the last joining left."""
        if self._manifest is None:
            self._manifest = self._store.load()
            self._store.generation = self._manifest.generation
            self._store.check_present(self._manifest)
            self._store.remove_strays(self._manifest)
        elif self._superseded:
            self._store.remove_strays(self._manifest)
        self._superseded = []
        return self._manifest

    def _close(self, manifest: Manifest, end: int) -> Manifest:
        segment = build_segment(
            self._entries, self._folder, self._store, manifest.size, end
        )
        return self._commit((*manifest.segments, segment))

    def _join(self, manifest: Manifest) -> Manifest:
        while (run := self._joinable(manifest.segments)) is not None:
            joined = join_segments(self._store, self._folder.connection, run)
            kept = [s for s in manifest.segments if s not in run]
            manifest = self._commit(tuple(sorted([*kept, joined], key=_first)))
            self._superseded += run
        return manifest

    def _joinable(self, segments: tuple[Segment, ...]) -> tuple[Segment, ...] | None:
        for at in range(len(segments) - JOIN_COUNT + 1):
            run = segments[at : at + JOIN_COUNT]
            is_level = len({segment.level for segment in run}) == 1
            if is_level and run[-1].end - run[0].first <= self._joined_rows:
                return run
        return None

    def _commit(self, segments: tuple[Segment, ...]) -> Manifest:
        manifest = Manifest(
            log=self.log, generation=self._store.generation, segments=segments
        )
        self._store.commit(manifest)
        self._manifest = manifest
        return manifest


def build_segment(
    entries: Entries, folder: Folder, store: SegmentStore, first: int, end: int
) -> Segment:
    """Fold the entries [first, end) into a segment; it counts once a manifest names it.

    Raises:
        IntegrityError: an entry is missing, altered or of an unknown kind.
        StorageError: nothing was kept.
        OutcomeUnknownError: files may stand that no manifest names.
    """
    folded = pa.concat_tables(read_range(entries, folder, first, end))
    return write_segment(store, folder.connection, first, folded)


def replace_all(store: SegmentStore, segments: Iterable[Segment]) -> Manifest:
    """Make segments that are folded anew the ones that count (a rebuild).

    The segments are made while they are taken, under a generation of their own, so the old
    files stand until the new manifest does. No follower of these tables may be at work.
    """
    store.generation = next_generation(store)
    manifest = Manifest(
        log=store.log, generation=store.generation, segments=tuple(segments)
    )
    store.commit(manifest)
    store.remove_strays(manifest)
    return manifest


def next_generation(store: SegmentStore) -> int:
    """Give the generation of a rebuild: above that of every file that stands."""
    return 1 + max(store.generations(), default=0)


def ranges(size: int, rows: int = REBUILT_ROWS) -> list[tuple[int, int]]:
    """Cut [0, size) into the ranges of a rebuild."""
    return [(first, min(first + rows, size)) for first in range(0, size, rows)]


def read_range(
    entries: Entries, folder: Folder, first: int, end: int
) -> list[pa.Table]:
    """Fold the entries [first, end), some ten thousand at a time."""
    parts: list[pa.Table] = []
    waiting: list[pa.Array] = []
    folded, held = first, 0
    for at in range(first, end, TEXT_LEAVES):
        stop = min(at + TEXT_LEAVES, end)
        text = leaf_text(_read(entries, at, stop))
        waiting.append(text)
        held += text.nbytes
        if stop == end or stop - folded >= FOLD_ENTRIES or held >= FOLD_BYTES:
            parts.append(folder.fold_texts(folded, waiting))
            waiting, folded, held = [], stop, 0
    return parts


def _read(entries: Entries, start: int, end: int) -> list[bytes]:
    """Read a few; again if the publisher moved them into bundles meanwhile."""
    try:
        return list(entries.entries(start, end))
    except IntegrityError:
        return list(entries.entries(start, end))


def _first(segment: Segment) -> int:
    return segment.first
