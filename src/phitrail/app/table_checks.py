"""`verify --tables`: the tables' files against their manifests, the manifests against keys.

Each segment file must have its SHA-256, each manifest must open under its log's key, and no
table may be ahead of its log. DuckDB is not needed and not loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from phitrail.app.config import read_tenant
from phitrail.app.key_wiring import open_reading_ring
from phitrail.app.pins import JOURNAL
from phitrail.app.table_store import open_store
from phitrail.app.wiring import wire_log_keys
from phitrail.errors import IntegrityError
from phitrail.events.codes import Log
from phitrail.projection.segments import SegmentStore
from phitrail.tlog.journal import Journal


@dataclass(frozen=True, slots=True)
class TableCheck:
    """What a check of one log's tables found; nothing when they are sound."""

    log: Log
    size: int
    segments: int
    findings: tuple[str, ...]


def verify_tables(
    directory: Path, logs: Sequence[Log] = tuple(Log)
) -> tuple[TableCheck, ...]:
    """Check every segment file against its SHA-256, and the manifest against its seal.

    Raises:
        ConfigError: there is no trail, or a key is missing.
        StorageError: the journal cannot be read.
    """
    keys = wire_log_keys(read_tenant(directory).tenant, open_reading_ring(directory))
    journal = Journal.open(directory / JOURNAL, read_only=True)
    try:
        sizes = {log: journal.head(log.value).size for log in logs}
    finally:
        journal.close()
    return tuple(
        _check(open_store(directory, log, keys[log.value]), sizes[log]) for log in logs
    )


def _check(store: SegmentStore, log_size: int) -> TableCheck:
    try:
        manifest = store.load()
    except IntegrityError as error:
        return TableCheck(store.log, 0, 0, (str(error),))
    findings = []
    if manifest.size > log_size:
        findings.append(
            f"the {store.log} tables cover {manifest.size} entries, the log holds "
            f"{log_size}: the log was cut or restored"
        )
    for segment in manifest.segments:
        try:
            store.check_segment(segment)
        except IntegrityError as error:
            findings.append(str(error))
    return TableCheck(store.log, manifest.size, len(manifest.segments), tuple(findings))
