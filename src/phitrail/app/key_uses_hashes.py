"""Keyed hashes of texts and raters, counted by column and version of their key.

They stand inside entries. What the tables cover is read from them, once each segment was
held against its SHA-256 and the manifest against its seal; the entries after that are
opened one by one, as all are where there are no tables. Which columns hold keyed hashes is
what the record types say, so a field that is added is counted by itself.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from phitrail.app.config import read_policy, read_tenant
from phitrail.app.key_uses_copies import Copy
from phitrail.app.pins import JOURNAL, read_lines
from phitrail.app.spill import spilling
from phitrail.app.table_store import open_store
from phitrail.app.tables import check_volume
from phitrail.app.wiring import wire_log_keys
from phitrail.durable.files import DurableFiles
from phitrail.errors import IntegrityError, StorageError
from phitrail.events.canonical import decode_leaf
from phitrail.events.codes import Log
from phitrail.events.shapes import KeyedHash
from phitrail.keys.names import RATER
from phitrail.keys.ring import KeyRing
from phitrail.projection.rows import KINDS_OF_LOG
from phitrail.projection.segments import Manifest, SegmentStore
from phitrail.projection.tables import MEMORY_MB, THREADS, LogState, Tables
from phitrail.tlog.journal import Journal
from phitrail.tlog.log_keys import LogKeys
from phitrail.tlog.reader import LogReader

TRIES: Final = 3
"""How often tables are read again that another process joins at that moment."""
COUNTED_WITHIN_S: Final = 3_600.0
_RATERS: Final = frozenset({"rater"})
_TOLD_EVERY: Final = 4_096

Found = dict[str, Counter[int]]
"""Column -> version of the key -> how many hashes."""


@cache
def hash_columns(log: Log, name: str) -> Mapping[str, bool]:
    """List the columns of a log with hashes under a key, and whether each holds many."""
    columns: dict[str, bool] = {}
    for kind in KINDS_OF_LOG[log]:
        struct = getattr(kind, "__origin__", kind)
        for field in msgspec.structs.fields(struct):
            is_many = field.type == tuple[KeyedHash, ...]
            is_hash = is_many or field.type == KeyedHash | None
            if is_hash and (field.name in _RATERS) == (name == RATER):
                columns[field.name] = is_many
    return columns


def count_hashes(
    name: str,
    copy: Copy,
    trail: Path,
    ring: KeyRing,
    progress: Callable[[int, int], None],
) -> Iterator[tuple[Log, str, Counter[int]]]:
    """Count the keyed hashes under a key: by log, column and version.

    Args:
        name: of the key.
        copy: the trail's directory, or a copy of it.
        trail: the trail's own directory.
        ring: its keys.
        progress: told how many entries are read, and of how many.

    Raises:
        ConfigError: policy requires an encrypted volume and none can be seen.
        IntegrityError: a table or an entry is damaged.
        StorageError: something cannot be read.
    """
    if not copy.is_backup:
        is_required = read_policy(trail).tables_need_encrypted_volume
        check_volume(trail, is_required=is_required)
    keys = wire_log_keys(read_tenant(trail).tenant, ring, read_lines(trail))
    for log in Log:
        columns = hash_columns(log, name)
        database = copy.database(JOURNAL) if columns else None
        if database is None:
            yield from ((log, column, Counter()) for column in columns)
            continue
        files = DurableFiles(copy.directory)
        with closing(
            LogReader(log.value, Journal(database), files, keys[log.value])
        ) as reader:
            found = _of_log(
                log, columns, reader, copy, trail, keys[log.value], progress
            )
        yield from ((log, column, counts) for column, counts in found.items())


def _of_log(
    log: Log,
    columns: Mapping[str, bool],
    reader: LogReader,
    copy: Copy,
    trail: Path,
    keys: LogKeys,
    progress: Callable[[int, int], None],
) -> Found:
    store = open_store(copy.directory, log, keys)
    manifest, found = count_in_tables(log, columns, store, trail)
    size = reader.size()
    if manifest.size > size:
        raise IntegrityError(
            f"the {log} tables cover {manifest.size} entries, the log holds {size}: the "
            "log was cut or restored"
        )
    for at, leaf in enumerate(reader.entries(manifest.size, size), manifest.size + 1):
        record = decode_leaf(leaf)
        for column, is_many in columns.items():
            value = getattr(record, column, None)
            for written in value or () if is_many else (value,):
                if written is not None:
                    found[column][version_of(written)] += 1
        if at % _TOLD_EVERY == 0 or at == size:
            progress(at, size)
    return found


def version_of(written: str) -> int:
    """Read the version of the key out of a written hash (ADR 0001)."""
    return int(written.split(":", 2)[1])


def count_in_tables(
    log: Log, columns: Mapping[str, bool], store: SegmentStore, trail: Path
) -> tuple[Manifest, Found]:
    """Count in the segments, as one manifest lists them.

    Raises:
        IntegrityError: a segment was changed.
        StorageError: one cannot be read.
    """
    manifest = store.load()
    for _ in range(TRIES - 1):
        try:
            return manifest, _select(log, columns, store, manifest, trail)
        except (IntegrityError, StorageError):
            newer = store.load()
            if newer == manifest:
                raise
            manifest = newer
    return manifest, _select(log, columns, store, manifest, trail)


def _select(
    log: Log,
    columns: Mapping[str, bool],
    store: SegmentStore,
    manifest: Manifest,
    trail: Path,
) -> Found:
    found: Found = {column: Counter() for column in columns}
    if not manifest.segments:
        return found
    state = LogState(log, manifest.segments, store.directory, None, manifest.size)
    for segment in manifest.segments:
        store.check_segment(segment)
    files = [file for segment in manifest.segments for file in segment.events]
    with spilling(trail, threads=THREADS, memory_mb=MEMORY_MB) as connection:
        tables = Tables.open([state], connection)
        for column, is_many in columns.items():
            value = f"unnest({column})" if is_many else column
            source = tables.events(log, files, [column])
            rows = tables.select(
                "SELECT split_part(written, ':', 2)::INTEGER AS version, "
                f"count(*) AS count FROM (SELECT {value} AS written FROM {source}) "
                "WHERE written IS NOT NULL GROUP BY version",
                timeout_s=COUNTED_WITHIN_S,
            )
            for row in rows.to_pylist():
                found[column][row["version"]] = row["count"]
    return found
