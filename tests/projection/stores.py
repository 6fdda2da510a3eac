"""Tables of a list of leaves, and what a plain scan of the same leaves says."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pyarrow as pa
from tests.projection.leaves import ListedEntries

from phitrail.durable.files import DurableFiles
from phitrail.events.canonical import decode_leaf
from phitrail.events.codes import Log
from phitrail.keys.names import bundle_key
from phitrail.keys.ring import KeyRing
from phitrail.keys.sealing import Sealer
from phitrail.projection.fold import Folder, connect
from phitrail.projection.follower import Tail
from phitrail.projection.rows import INDEX, RECORDS, columns_of, row_of
from phitrail.projection.segments import Manifest, ManifestSeal, SegmentStore
from phitrail.projection.tables import LogState, Tables


def make_folder(log: Log = Log.AUDIT) -> Folder:
    """Make a folder with a connection of its own."""
    return Folder(log, connect(threads=1, memory_mb=256))


@cache
def shared_folder(log: Log) -> Folder:
    """Give one folder for all tests that only read with it."""
    return make_folder(log)


def make_store(
    directory: Path,
    log: Log = Log.AUDIT,
    files: DurableFiles | None = None,
) -> SegmentStore:
    """Make a store under real keys; the same directory gives the same keys."""
    keys_at = directory / "keys"
    keys = (
        KeyRing.load(keys_at)
        if keys_at.exists()
        else KeyRing.create(keys_at, created_at="2026-01-01T00:00:00.000Z")[0]
    )
    sealer = Sealer(keys, bundle_key(log))
    seal = ManifestSeal(sealer.seal, sealer.open, b"tables of a test")
    return SegmentStore(log, files or DurableFiles(directory), seal)


def open_tables(
    directory: Path,
    store: SegmentStore,
    entries: ListedEntries,
    manifest: Manifest | None = None,
) -> Tables:
    """Open what stands on disk, and the tail after it; the other logs are empty."""
    manifest = manifest or store.load()
    tail = Tail(entries, shared_folder(store.log), manifest.size).read(entries.size())
    states = [store_state(store, manifest, tail)]
    states += [
        LogState(log, (), store.directory, None, 0)
        for log in Log
        if log is not store.log
    ]
    spill = directory / "spill"
    return Tables.open(states, connect(threads=1, memory_mb=256, spill=spill))


def store_state(store: SegmentStore, manifest: Manifest, tail: pa.Table) -> LogState:
    """Put a manifest's files and a tail together."""
    size = manifest.size + tail.num_rows
    return LogState(store.log, manifest.segments, store.directory, tail, size)


def scan(log: Log, leaves: Sequence[bytes]) -> list[dict[str, object]]:
    """Say what the rows of leaves are, one by one, without DuckDB."""
    return [row_of(log, n, decode_leaf(leaf)) for n, leaf in enumerate(leaves)]


def plain(value: object) -> object:
    """Make lists tuples, and an empty one the same as none."""
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value) or None
    return value


def rows_of_tables(tables: Tables, log: Log) -> list[dict[str, object]]:
    """Read the whole table of a log, by index."""
    names = [c.name for c in columns_of(log) if c.name != RECORDS]
    table = tables.ask(f"SELECT {', '.join(names)} FROM {log} ORDER BY {INDEX}")
    return [{k: plain(v) for k, v in row.items()} for row in table.to_pylist()]


def rows_of_scan(log: Log, leaves: Sequence[bytes]) -> list[dict[str, object]]:
    """Say what `rows_of_tables` must give."""
    return [
        {k: plain(v) for k, v in row.items() if k != RECORDS}
        for row in scan(log, leaves)
    ]


def touched_of_tables(tables: Tables) -> list[tuple[object, ...]]:
    """Read the table of records touched."""
    table = tables.ask("SELECT idx, patient, record, resource_type FROM audit_records")
    return sorted(tuple(row.values()) for row in table.to_pylist())


def touched_of_scan(leaves: Sequence[bytes]) -> list[tuple[object, ...]]:
    """Say what `touched_of_tables` must give."""
    touched: list[tuple[object, ...]] = []
    for row in scan(Log.AUDIT, leaves):
        records = row[RECORDS]
        assert records is None or isinstance(records, tuple)
        touched += [(row[INDEX], *triple) for triple in records or ()]
    return sorted(touched)
