"""Proof that keys open what they must: some of everything that they sealed, opened.

One row of the identity map for each version of its index, held to its surrogate; of each log
the oldest and the newest entry, out of a bundle or the journal; one document. It reads, and
neither keeps nor shows what it opened.

It is a sample: that *every* row and entry opens is for `phitrail verify --deep`.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from phitrail.app import wiring
from phitrail.app.documents import DOCUMENTS, document_context
from phitrail.app.pins import JOURNAL, read_lines
from phitrail.durable.database import open_database, storage_error
from phitrail.durable.files import DurableFiles
from phitrail.errors import (
    ConfigError,
    IntegrityError,
    RefusedError,
    StorageError,
)
from phitrail.events.codes import Log
from phitrail.identity.map import CONTEXT
from phitrail.identity.surrogate import SALT_BYTES, check_opening
from phitrail.keys import names
from phitrail.keys.ring import KeyRing
from phitrail.keys.sealing import Sealer
from phitrail.tlog.journal import Journal
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.log_keys import LogKeys
from phitrail.tlog.note import Signer, VerifierKey
from phitrail.tlog.reader import LogReader


@dataclass(frozen=True, slots=True)
class Proof:
    """What was opened, of how much; and what did not open, each by its place."""

    identities: int
    identities_opened: int
    entries: Mapping[str, int]
    entries_opened: Mapping[str, int]
    documents: int
    documents_opened: int
    failures: tuple[str, ...]

    def facts(self) -> dict[str, object]:
        """Return the counts, as a report holds them."""
        return {
            "identities": self.identities,
            "identities_opened": self.identities_opened,
            "entries": dict(self.entries),
            "entries_opened": dict(self.entries_opened),
            "documents": self.documents,
            "documents_opened": self.documents_opened,
        }


def prove_that_it_opens(directory: Path, keys: KeyRing) -> Proof:
    """Open some of everything that the keys of a trail sealed.

    Raises:
        ConfigError: there is no trail here.
        StorageError: a database cannot be read.
    """
    failures: list[str] = []
    lines = read_lines(directory)
    log_keys = {log: _reading_keys(log, lines[log], keys) for log in Log}
    identities, identities_opened = _open_identities(directory, keys, failures)
    entries: dict[str, int] = {}
    entries_opened: dict[str, int] = {}
    for log in Log:
        size, opened = _open_entries(directory, log, log_keys[log], failures)
        entries[log.value], entries_opened[log.value] = size, opened
    documents, documents_opened = _open_document(
        directory, log_keys[Log.AUDIT], failures
    )
    return Proof(
        identities,
        identities_opened,
        entries,
        entries_opened,
        documents,
        documents_opened,
        tuple(failures),
    )


def _open_identities(
    directory: Path, keys: KeyRing, failures: list[str]
) -> tuple[int, int]:
    """Open one row for each version of the index key; count all rows."""
    seal, opened = Sealer(keys, names.IDENTITY_SEAL), 0
    try:
        with closing(
            open_database(directory / wiring.IDENTITY, read_only=True)
        ) as database:
            counts = dict(
                database.execute(
                    "SELECT index_version, count(*) FROM subject GROUP BY index_version"
                )
            )
            rows = [
                database.execute(
                    "SELECT surrogate, sealed FROM subject WHERE index_version = ? "
                    "LIMIT 1",
                    (version,),
                ).fetchone()
                for version in sorted(counts)
            ]
    except sqlite3.Error as error:
        raise storage_error("the identity map", error) from error
    for surrogate, sealed in rows:
        with _noting("a row of the identity map", failures):
            plain = seal.open(sealed, CONTEXT + surrogate)
            check_opening(surrogate, plain[:SALT_BYTES], plain[SALT_BYTES:])
            opened += 1
    return sum(counts.values()), opened


def _open_entries(
    directory: Path, log: Log, keys: LogKeys, failures: list[str]
) -> tuple[int, int]:
    """Open the oldest entry of a log and its newest."""
    opened = 0
    journal = Journal.open(directory / JOURNAL, read_only=True)
    with closing(
        LogReader(log.value, journal, DurableFiles(directory), keys)
    ) as reader:
        size = reader.size()
        for index in sorted({0, size - 1}):
            with _noting(f"entry {index} of {log}", failures):
                reader.entry(index)
                opened += 1
    return size, opened


def _open_document(
    directory: Path, keys: LogKeys, failures: list[str]
) -> tuple[int, int]:
    """Open one document, the first by name."""
    place, opened = directory / DOCUMENTS, 0
    digests = sorted(one.name for one in place.iterdir()) if place.is_dir() else []
    for digest in digests[:1]:
        with _noting(f"document {digest}", failures):
            text = keys.open((place / digest).read_bytes(), document_context(digest))
            if hashlib.sha256(text).hexdigest() != digest:
                raise IntegrityError("does not hash to its name")
            opened += 1
    return len(digests), opened


@contextmanager
def _noting(what: str, failures: list[str]) -> Iterator[None]:
    """Note what does not open, and go on: a report names all of it."""
    try:
        yield
    except (IntegrityError, ConfigError, RefusedError) as error:
        failures.append(f"{what}: {error}")


def _reading_keys(log: Log, line: KeyLine, keys: KeyRing) -> LogKeys:
    """Wire a log for reading alone: what would sign or seal refuses."""
    return LogKeys(
        origin=line.origin,
        checkpoint=_verifier(line.current.log_key),
        promise=_verifier(line.current.promise_key),
        seal=_no_sealing,
        open=Sealer(keys, names.bundle_key(log)).open,
        known_line=line,
    )


def _verifier(key: VerifierKey) -> Signer:
    return Signer(key.name, key.public_key, _no_signing)


def _no_signing(_: bytes) -> bytes:
    raise StorageError("a log that is read alone signs nothing")


def _no_sealing(_: bytes, __: bytes) -> bytes:
    raise StorageError("a log that is read alone seals nothing")
