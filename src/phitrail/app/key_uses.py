"""What still stands under each version of a key: counted, before anybody lets it go.

1. Every envelope and every keyed hash says its version, so nothing is opened to count it,
   but the entries of a log that carry hashes of texts or raters: reading those is recorded
   as one `audit_log_read` (`read_uses`).
2. What moves from the journal into a bundle meanwhile is counted twice rather than not at
   all: the journal is read first.
3. What cannot be read is an error, never a zero: a key may be destroyed on this count.
4. Copies of the trail (`keys.backups`, `--backup`) are counted as the trail is, and nothing
   is written in them. What stands in archives that nobody named is not known here.

A signing key protects no record: counted is what cannot be verified without its public half.
Keys of users and departments, and the one of format-preserving encryption, protect nothing
yet.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from phitrail.app.config import Policy
from phitrail.app.documents import DOCUMENTS
from phitrail.app.key_uses_copies import Copy, check_copy
from phitrail.app.key_wiring import KEYS, current_register
from phitrail.app.pins import JOURNAL, read_lines
from phitrail.app.reading import record_read
from phitrail.app.wiring import IDENTITY, Trail
from phitrail.durable.files import TEMPORARY_SUFFIX
from phitrail.errors import IntegrityError
from phitrail.events.codes import Log
from phitrail.identity.fact_store import FACTS
from phitrail.keys.key_file import read_key_file
from phitrail.keys.names import (
    IDEMPOTENCY,
    IDENTITY_INDEX,
    IDENTITY_SEAL,
    RATER,
    TEXT_HASH,
    WRAPPING,
    KeyId,
    KeyKind,
    bundle_key,
    checkpoint_key,
    promise_key,
)
from phitrail.keys.ring import KeyRing
from phitrail.keys.sealing import HEADER_BYTES, Sealer, read_header
from phitrail.projection.segments import TABLES

OPENS_ENTRIES: Final = frozenset({TEXT_HASH, RATER})
"""Keys whose hashes stand inside entries."""
_VERSION_BYTES = 2

Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class UsePlace:
    """How many of what stand under one version of a key in one place."""

    place: str
    what: str
    count: int


@dataclass(frozen=True, slots=True)
class Uses:
    """What stands under one version of a key: every place that was looked at, zeros too."""

    key_id: KeyId
    places: tuple[UsePlace, ...]

    @property
    def total(self) -> int:
        """How many things stand under it."""
        return sum(one.count for one in self.places)


@dataclass(frozen=True, slots=True)
class Counted:
    """What of one kind stands in one place, by version of the key."""

    place: str
    what: str
    by_version: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is counted: a key, in one copy of a trail.

    Attributes:
        name: of the key.
        copy: the trail's directory, or a copy of it.
        trail: the trail's own directory.
        ring: its keys.
        progress: told how much of a long count is done.
    """

    name: str
    copy: Copy
    trail: Path
    ring: KeyRing
    progress: Progress

    def counted(self, place: str, what: str, found: Mapping[int, int]) -> Counted:
        """Say what was found in a place of this copy."""
        return Counted(self.copy.label + place, what, found)


def count_uses(
    directory: Path,
    ring: KeyRing,
    key_id: KeyId,
    *,
    backups: Sequence[Path] = (),
    progress: Progress = lambda _done, _total: None,
) -> Uses:
    """Count what stands under one version of a key; nothing is recorded.

    Args:
        directory: the trail.
        ring: its keys.
        key_id: which version.
        backups: copies of the trail's directory (`backups_of`).
        progress: told how much of a long count is done.

    Raises:
        ConfigError: a backup is no copy of this trail.
        IntegrityError: an envelope, entry or table is damaged.
        StorageError: something cannot be read.
    """
    found = _count(directory, ring, key_id.name, backups, progress)
    return _uses_of(key_id, found)


def count_versions(
    directory: Path,
    ring: KeyRing,
    name: str,
    *,
    backups: Sequence[Path] = (),
    progress: Progress = lambda _done, _total: None,
) -> tuple[Uses, ...]:
    """Count what stands under each version of a key, the oldest first.

    Raises:
        ConfigError: a backup is no copy of this trail.
        IntegrityError: an envelope, entry or table is damaged.
        StorageError: something cannot be read.
    """
    found = _count(directory, ring, name, backups, progress)
    known = {one.version for one in current_register(directory).versions(name)}
    known |= {version for one in found for version in one.by_version}
    return tuple(_uses_of(KeyId(name, version), found) for version in sorted(known))


def read_uses(
    trail: Trail,
    name: str,
    *,
    backups: Sequence[Path] = (),
    by: str,
    now: datetime,
    progress: Progress = lambda _done, _total: None,
) -> tuple[Uses, ...]:
    """Count as `count_versions` does, for a person: where entries are opened, on record.

    Raises:
        ConfigError: a backup is no copy of this trail.
        IntegrityError: an envelope, entry or table is damaged.
        StorageError: something cannot be read, or the read could not be recorded.
    """
    uses = count_versions(
        trail.directory, trail.keys, name, backups=backups, progress=progress
    )
    if name in OPENS_ENTRIES:
        record_read(
            trail,
            Log.QUALITY if name == RATER else Log.AUDIT,
            by=by,
            reason_code="key_uses",
            result_count=sum(one.total for one in uses),
            object_id=name,
            now=now,
        )
    return uses


def backups_of(
    directory: Path, policy: Policy, given: Iterable[Path] = ()
) -> tuple[Path, ...]:
    """List the copies that policy.yaml names, then those that are given, each once."""
    named = [directory / one for one in policy.keys.backups]  # absolute stays absolute
    return tuple(dict.fromkeys(one.resolve() for one in (*named, *given)))


def _uses_of(key_id: KeyId, found: Iterable[Counted]) -> Uses:
    places = (
        UsePlace(one.place, one.what, one.by_version.get(key_id.version, 0))
        for one in found
    )
    return Uses(key_id, tuple(places))


def _count(
    directory: Path,
    ring: KeyRing,
    name: str,
    backups: Sequence[Path],
    progress: Progress,
) -> list[Counted]:
    copies = [Copy(directory)]
    for one in backups:
        check_copy(one, directory)
        copies.append(Copy(one, is_backup=True))
    return [
        counted
        for copy in copies
        for counted in count_places(Asked(name, copy, directory, ring, progress))
    ]


def count_places(asked: Asked) -> Iterator[Counted]:
    """Count one place after the other, in an order that misses nothing.

    Raises:
        IntegrityError: an envelope, entry or table is damaged.
        StorageError: something cannot be read.
    """
    counter = _counters().get(asked.name)
    if counter is not None:
        yield from counter(asked)


def _counters() -> dict[str, Callable[[Asked], Iterator[Counted]]]:
    counters: dict[str, Callable[[Asked], Iterator[Counted]]] = {
        IDENTITY_INDEX: _indexed_identities,
        IDENTITY_SEAL: _sealed_identities,
        IDEMPOTENCY: _journal_macs,
        TEXT_HASH: _hashes,
        RATER: _hashes,
        WRAPPING: _wrapped_files,
    }
    for log in Log:
        counters[bundle_key(log)] = partial(_sealed_of_log, log)
        counters[checkpoint_key(log)] = partial(_signed_of_log, log)
        counters[promise_key(log)] = partial(_signed_of_log, log)
    return counters


# --- envelopes ---


def _sealed_of_log(log: Log, asked: Asked) -> Iterator[Counted]:
    yield asked.counted(
        "journal",
        f"{log} commits that are in no bundle yet",
        _sealed_rows(asked, JOURNAL, "segment", f"log = '{log}'"),
    )
    bundles = asked.copy.files(f"state/bundles/{log}")
    yield asked.counted(f"{log} log", "bundles", _sealed_files(asked, bundles))
    manifest = asked.copy.files(f"{TABLES}/{log}", named="manifest")
    yield asked.counted("tables", f"{log} manifest", _sealed_files(asked, manifest))
    if log is Log.AUDIT:
        documents = asked.copy.files(DOCUMENTS)
        yield asked.counted("documents", "texts", _sealed_files(asked, documents))
        facts = asked.copy.files(FACTS)
        yield asked.counted("facts", "tables and index", _sealed_files(asked, facts))


def _sealed_identities(asked: Asked) -> Iterator[Counted]:
    for table, what in (("subject", "subjects"), ("alias", "aliases")):
        found = _sealed_rows(asked, IDENTITY, table, "true")
        yield asked.counted("identity map", what, found)


def _sealed_files(asked: Asked, places: Sequence[Path]) -> Counter[int]:
    found: Counter[int] = Counter()
    for done, place in enumerate(places, start=1):
        if not place.name.endswith(TEMPORARY_SUFFIX):
            head = asked.copy.head_of(place, HEADER_BYTES)
            if head is not None:  # it went meanwhile: another one stands in its place
                found += _version_of(asked.name, head, 1, place.name)
        asked.progress(done, len(places))
    return found


def _sealed_rows(asked: Asked, path: str, table: str, where: str) -> Counter[int]:
    """Count sealed rows by how they begin: as many groups as there are versions."""
    length = len(Sealer(asked.ring, asked.name).beginning(1))
    rows = asked.copy.rows(
        path,
        table,
        f"SELECT substr(sealed, 1, {length}), count(*) FROM {table} "
        f"WHERE {where} GROUP BY 1",
    )
    found: Counter[int] = Counter()
    for head, count in rows:
        found += _version_of(asked.name, head, count, table)
    return found


def _version_of(name: str, head: object, count: int, where: str) -> Counter[int]:
    under = None
    if isinstance(head, bytes):
        with suppress(IntegrityError):
            under = read_header(head)
    if under is None:
        raise IntegrityError(
            f"{where}: holds what is no sealed envelope, so its key is not known; run "
            "`phitrail verify`"
        )
    return Counter({under[1]: count}) if under[0] == name else Counter()


# --- keyed hashes, signatures, key files ---


def _indexed_identities(asked: Asked) -> Iterator[Counted]:
    found: Counter[int] = Counter()
    for table, what in (("subject", "subjects"), ("alias", "aliases")):
        rows = asked.copy.rows(
            IDENTITY,
            table,
            f"SELECT index_version, count(*) FROM {table} GROUP BY 1",
        )
        found.update(dict(rows))
        yield asked.counted("identity map", what, dict(rows))
    # While one that is looked under is gone, nobody is found. A re-key takes it off.
    listed = asked.copy.rows(
        IDENTITY, "standing", "SELECT version FROM standing WHERE key = 'index'"
    )
    idle = {version: 1 for (version,) in listed if not found[version]}
    yield asked.counted("identity map", "versions looked under in vain", idle)


def _journal_macs(asked: Asked) -> Iterator[Counted]:
    """Count what callers sent, by the version that each keyed hash begins with.

    Entries that no caller sent (genesis, successions) have version 0.
    """
    rows = asked.copy.rows(
        JOURNAL,
        "event",
        f"SELECT log, substr(mac, 1, {_VERSION_BYTES}), count(*) FROM event "
        "GROUP BY 1, 2",
    )
    for log in Log:
        found = {
            int.from_bytes(head): count for name, head, count in rows if name == log
        }
        found.pop(0, None)
        yield asked.counted("journal", f"{log} events", found)


def _hashes(asked: Asked) -> Iterator[Counted]:
    from phitrail.app.key_uses_hashes import (  # noqa: PLC0415 - loads DuckDB
        count_hashes,
    )

    for log, column, found in count_hashes(
        asked.name, asked.copy, asked.trail, asked.ring, asked.progress
    ):
        yield asked.counted(f"{log} log", column, found)


def _signed_of_log(log: Log, asked: Asked) -> Iterator[Counted]:
    """Count what one pair of keys after the other vouches for, in sizes of the log."""
    heads = asked.copy.rows(
        JOURNAL, "log", "SELECT size FROM log WHERE name = ?", (log.value,)
    )
    size = heads[0][0] if heads else 0
    line = read_lines(asked.trail)[log]
    terms = {
        version: range(max(one.first, 1), min(one.last or size, size) + 1)
        for version, one in enumerate(line.tenures, start=1)
    }
    entries = {version: len(term) for version, term in terms.items()}
    yield asked.counted(f"{log} log", "entries that it signed for", entries)
    if asked.name == checkpoint_key(log):
        kept = {
            version: asked.copy.rows(
                JOURNAL,
                "checkpoint",
                "SELECT count(*) FROM checkpoint WHERE log = ? AND size >= ? AND size < ?",
                (log.value, term.start, term.stop),
            )
            for version, term in terms.items()
        }
        counts = {version: rows[0][0] if rows else 0 for version, rows in kept.items()}
        yield asked.counted("journal", f"{log} checkpoints", counts)


def _wrapped_files(asked: Asked) -> Iterator[Counted]:
    found: Counter[int] = Counter()
    vault = asked.ring.vault
    for place in asked.copy.files(KEYS):
        if place.suffix != ".json" or place.name.startswith(f"{WRAPPING}."):
            continue
        file = read_key_file(place)
        if file.vault != vault.kind:
            continue  # of a vault that the trail was in before
        try:
            found[vault.wrapping_version(file.held)] += 1
        except IntegrityError:
            if file.kind is not KeyKind.SIGN:  # one that signs may stand in the vault
                raise
    yield asked.counted("keys", "key files", found)
