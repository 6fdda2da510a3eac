"""The bytes of a trail that a verification reads: tiles, opened bundles, journal, maps.

Everything is read as it stands, while writers may be at work, and nothing is written:
1. A tile or bundle that was unfinished a moment ago may be gone by now, for a wider one or
   the full one, which begins with the same entries.
2. What the journal says is read in one transaction, so that head and entries belong
   together.
3. Whatever is missing or does not open is an `IntegrityError`, which the verifier writes
   down; a disk that cannot be read is a `StorageError` and ends the verification.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from phitrail.app import wiring
from phitrail.app.key_check import check_register
from phitrail.app.key_register import REGISTER
from phitrail.app.key_wiring import open_reading_ring
from phitrail.app.pins import JOURNAL, read_lines, read_pins
from phitrail.durable.database import open_database, storage_error
from phitrail.durable.files import DurableFiles
from phitrail.errors import ConfigError, IntegrityError, StorageError, VaultError
from phitrail.events.codes import Log
from phitrail.evidence import continuation
from phitrail.evidence.derive import Source
from phitrail.evidence.entries import Knowledge, check_entries
from phitrail.evidence.findings import Check, Findings
from phitrail.evidence.keyring import (
    check_successions,
    successions_of,
)
from phitrail.evidence.verify import Outside
from phitrail.identity.aliases import count_damaged_aliases
from phitrail.identity.map import count_damaged, find_unexplained
from phitrail.identity.standing import hold_snapshot
from phitrail.keys import names
from phitrail.keys.mac import Mac
from phitrail.keys.ring import KeyRing
from phitrail.keys.sealing import Sealer
from phitrail.tlog import layout
from phitrail.tlog.hashing import HASH_BYTES, Hash, hash_leaf
from phitrail.tlog.journal import Journal
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.log_keys import LogKeys
from phitrail.tlog.publisher import CHUNK_ENTRIES, read_segments
from phitrail.tlog.reader import LogReader
from phitrail.tlog.receipt import Position
from phitrail.tlog.tile import TILE_WIDTH, frame_entries, split_bundle

_NEWEST = 8  # checkpoints to begin from, should the newest ones not open
_BROKEN = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_TRIES = 4  # a writer may replace an unfinished bundle between listing and reading


@dataclass(frozen=True, slots=True)
class Place:
    """Which log of which trail, and how far down to look; goes to other processes."""

    directory: Path
    log: str
    tenant: str
    has_keys: bool
    has_journal: bool
    is_deep: bool
    line: KeyLine | None = None


@dataclass(frozen=True, slots=True)
class OpenPlace:
    """A place with its files, and its journal and keys where they stand there."""

    source: Source
    journal: Journal | None
    keys: LogKeys | None


@contextmanager
def open_place(place: Place) -> Iterator[OpenPlace]:
    """Open what a verification reads of one log.

    Raises:
        ConfigError: a key is missing or damaged, or what a deep verification needs.
        VaultError: the vault of the keys does not answer, or refuses.
        StorageError: the journal or the identity map cannot be opened.
    """
    with ExitStack() as stack:
        keys = None
        if place.has_keys:
            local = _open_keys(place.directory)
            keys = wiring.wire_log_keys(place.tenant, local)[place.log]
        journal = None
        if place.has_journal:
            journal = Journal.open(place.directory / JOURNAL, read_only=True)
            stack.callback(journal.close)
        knowledge = None
        if place.is_deep and journal is not None:
            identity = open_database(place.directory / wiring.IDENTITY, read_only=True)
            stack.callback(identity.close)
            knowledge = _knowledge(journal, identity)
        files = _Files(place.directory, place.log, keys)
        source = Source(
            files.read_tile,
            files.widths_of,
            files.open_bundle if keys is not None else None,
            knowledge,
            successions_of(place.line) if place.line is not None else {},
        )
        yield OpenPlace(source, journal, keys)


def _open_keys(directory: Path) -> KeyRing:
    meanwhile = (
        "until then `phitrail verify --without-keys` verifies what was published, by "
        "hashes and signatures alone"
    )
    try:
        return open_reading_ring(directory)
    except VaultError as error:
        raise VaultError(
            f"{error}; {meanwhile}", is_refusal=error.is_refusal
        ) from error
    except ConfigError as error:
        raise ConfigError(f"{error}; {meanwhile}") from error


def _knowledge(journal: Journal, identity: sqlite3.Connection) -> Knowledge:
    def find_events(keys: Sequence[bytes]) -> Mapping[bytes, Position]:
        try:
            found = journal.find_events(keys)
        except sqlite3.Error as error:
            failure = storage_error("the journal", error)
            failure.__cause__ = error
            raise damage_or(failure) from error
        return {
            key: Position(stored.log, stored.index, stored.leaf_hash)
            for key, stored in found.items()
        }

    def unexplained(surrogates: Sequence[str]) -> Sequence[str]:
        try:
            return find_unexplained(identity, surrogates)
        except StorageError as error:
            raise damage_or(error) from error

    return Knowledge(find_events, unexplained)


class _Files:
    """The tiles and bundles of one log."""

    def __init__(self, directory: Path, log: str, keys: LogKeys | None) -> None:
        self._files = DurableFiles(directory)
        self._log = log
        self._keys = keys

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """Read a tile; where the unfinished one is gone, cut the full one."""
        for stored in (width, TILE_WIDTH):
            path = layout.public_tile(self._log, level, index, stored)
            try:
                tile = self._files.read(path)
            except FileNotFoundError:
                continue
            if len(tile) != stored * HASH_BYTES:
                raise IntegrityError("has not the length of its width")
            return tile[: width * HASH_BYTES]
        raise IntegrityError("is missing; restore it from the archive")

    def widths_of(self, level: int, index: int) -> list[int]:
        """List the widths under which a tile is stored unfinished."""
        return self._widths(layout.public_tile(self._log, level, index))

    def open_bundle(self, index: int, width: int) -> bytes:
        """Open a bundle; where the unfinished one is gone, cut a wider one."""
        for _ in range(_TRIES):
            for stored in (width, *self._wider(index, width)):
                path = layout.sealed_bundle(self._log, index, stored)
                try:
                    envelope = self._files.read(path)
                except FileNotFoundError:
                    continue
                bundle = self._open(envelope, index, stored)
                if stored == width:
                    return bundle
                return frame_entries(split_bundle(bundle, stored)[:width])
        raise IntegrityError("is missing; restore it from the archive")

    def _wider(self, index: int, width: int) -> list[int]:
        if width == TILE_WIDTH:
            return []
        stored = self._widths(layout.sealed_bundle(self._log, index))
        return [*(wider for wider in stored if wider > width), TILE_WIDTH]

    def _open(self, envelope: bytes, index: int, width: int) -> bytes:
        assert self._keys is not None  # noqa: S101 - the source has no opener without
        context = layout.bundle_context(self._keys.origin, index, width)
        return self._keys.open(envelope, context)

    def _widths(self, path: str) -> list[int]:
        place = self._files.root / f"{path}.p"
        if not place.is_dir():
            return []
        names = [stored.name for stored in place.iterdir()]
        return sorted(int(name) for name in names if name.isdecimal())


def read_journal(
    opened: OpenPlace, log: str, findings: Findings
) -> continuation.Journal | None:
    """Read what the journal says of a log now; what is wrong with it is a finding.

    Raises:
        StorageError: it cannot be read, and not because it is damaged.
    """
    journal = opened.journal
    if journal is None:
        return None
    try:
        journal.database.execute("BEGIN")
        try:
            return _read_snapshot(journal, opened, log, findings)
        finally:
            journal.database.execute("ROLLBACK")
    except IntegrityError as error:
        findings.add(Check.JOURNAL, "journal.db", str(error))
        return None
    except sqlite3.Error as error:
        failure = storage_error("the journal", error)
        failure.__cause__ = error
        note_damage(failure, findings)
        return None


def _read_snapshot(
    journal: Journal, opened: OpenPlace, log: str, findings: Findings
) -> continuation.Journal:
    newest = tuple(journal.newest_checkpoints(log, _NEWEST))
    try:
        stored = journal.head(log)
    except IntegrityError as error:
        findings.add(Check.HEAD, "journal.db", str(error))
        return continuation.Journal(newest, None)
    head = continuation.JournalHead(stored.size, stored.root, stored.promise)
    published = newest[0][0] if newest else 0
    tail = None
    if opened.keys is not None and newest and head.size >= published:
        tail = _read_tail(journal, opened, log, (published, head.size), findings)
    is_deep = opened.source.knowledge is not None
    events = journal.count_events(log) if is_deep else None
    return continuation.Journal(newest, head, tail, events)


def _read_tail(
    journal: Journal,
    opened: OpenPlace,
    log: str,
    span: tuple[int, int],
    findings: Findings,
) -> bytes | None:
    """Hash the journal's entries from the last full bundle on, a chunk at a time."""
    published, size = span
    start = published // TILE_WIDTH * TILE_WIDTH
    hashes: list[Hash] = []
    assert opened.keys is not None  # noqa: S101 - the caller has looked
    for at in range(start, size, CHUNK_ENTRIES):
        end = min(at + CHUNK_ENTRIES, size)
        try:
            entries = list(read_segments(journal, log, opened.keys, start=at, end=end))
        except IntegrityError as error:
            findings.add(Check.JOURNAL, f"entries {at} to {end - 1}", str(error))
            return None
        chunk = list(map(hash_leaf, entries))
        hashes += chunk
        new = max(published - at, 0)  # what was published is checked in its bundle
        known = opened.source.successions
        check_successions(at + new, entries[new:], known, findings)
        if opened.source.knowledge is not None:
            findings.extend(
                check_entries(
                    log, at + new, entries[new:], chunk[new:], opened.source.knowledge
                )
            )
    return b"".join(hashes)


def note_damage(error: StorageError, findings: Findings) -> None:
    """Note that the journal is damaged.

    Raises:
        StorageError: it is not; it could not be read for another reason.
    """
    failure = damage_or(error)
    if isinstance(failure, StorageError):
        raise failure
    findings.add(Check.JOURNAL, "journal.db", str(failure))


def damage_or(error: StorageError) -> StorageError | IntegrityError:
    """Tell a database that SQLite finds broken from one that it could not read."""
    name = getattr(error.__cause__, "sqlite_errorname", None) or ""
    if name.startswith(_BROKEN) or name == "SQLITE_ERROR":  # a table is not ours
        return IntegrityError(str(error))
    return error


def check_identity_map(directory: Path, findings: Findings) -> None:
    """Open every row of the identity map: is it what it must be for its surrogate?

    Raises:
        ConfigError: a key is missing or damaged.
        StorageError: the map cannot be read, and not because it is damaged.
    """
    try:
        with closing(
            open_database(directory / wiring.IDENTITY, read_only=True)
        ) as identity:
            hold_snapshot(identity)  # before the keys: none of its rows is newer
            keys = open_reading_ring(directory)
            index = Mac(keys, names.IDENTITY_INDEX).digest_under
            seal = Sealer(keys, names.IDENTITY_SEAL)
            damaged = count_damaged(identity, index=index, seal=seal)
            damaged += count_damaged_aliases(identity, index=index, seal=seal)
    except StorageError as error:
        failure = damage_or(error)
        if isinstance(failure, StorageError):
            raise
        findings.add(Check.IDENTITY, "identity.db", str(failure))
        return
    if damaged:
        findings.add(
            Check.IDENTITY,
            "identity.db",
            f"{damaged} rows do not open, or open to another surrogate or index: who "
            "stands behind them is lost; restore the map from the archive",
        )


def check_key_register(directory: Path, findings: Findings) -> None:
    """Hold the register of keys against what the audit log tells of them.

    Raises:
        ConfigError: a key is missing or damaged.
        StorageError: a file cannot be read.
    """
    pinned = read_pins(directory)[Log.AUDIT]
    keys = wiring.wire_log_keys(
        pinned.genesis.tenant, open_reading_ring(directory), read_lines(directory)
    )[Log.AUDIT.value]

    def open_reader() -> LogReader:
        journal = Journal.open(directory / JOURNAL, read_only=True)
        return LogReader(Log.AUDIT.value, journal, DurableFiles(directory), keys)

    where = Path(REGISTER).name
    try:
        checked = check_register(directory, open_reader)
    except (ConfigError, IntegrityError) as error:
        findings.add(Check.KEYS, where, str(error))
        return
    for difference in checked.differences:
        findings.add(Check.KEYS, where, difference)


def read_outside_files(directory: Path) -> list[Outside]:
    """Read the checkpoints that came back from outside and are kept in the trail.

    They lie on the log's own host: they may convict it and support nothing.

    Raises:
        StorageError: one cannot be read.
    """
    place = directory / wiring.OUTSIDE
    if not place.is_dir():
        return []
    try:
        return [
            Outside(f"{wiring.OUTSIDE}/{file.name}", file.read_bytes(), is_given=False)
            for file in sorted(place.iterdir())
        ]
    except OSError as error:
        raise StorageError(f"cannot read {place}: {error.strerror}") from error
