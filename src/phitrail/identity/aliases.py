"""By which numbers and addresses else a patient is known, so that another's are recognised.

A patient stands in the identity map under one identifier. An access may say which SSN, MRN,
member id, e-mail address and phone number its patients have; each stands here as an alias.
The one question that is answered: is this the identifier of somebody else?

1. A row is found by its blind index, HMAC-SHA256(index key, [domain, tenant, class, spelled
   value]), under whichever version of that key it stands (`identity.standing`); the value
   stands sealed beside it, so that rows can be indexed anew under another one. The file
   shows nobody what it holds. Names are never kept.
2. A row is committed (fsync) before the access that brought it goes on.
3. An identifier may be borne by several patients, as the phone of a household is. It is
   another's where somebody bears it and none of the patients asked about does. One that more
   than `MOST_BEARERS` bear, as the phone of a ward, names nobody.
4. In memory stand blind indexes of rows that are known to be there, under whichever
   version, never a value.
5. Where patients are named by their MRN, the identity map itself knows them too.

A row without a leaf is harmless. Aliases are never taken back: a number that was corrected
stays one that a patient had.
"""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from phitrail.durable.database import (
    Connect,
    open_database,
    storage_error,
    transaction,
)
from phitrail.durable.lock import FileLock
from phitrail.durable.queue import GroupCommit
from phitrail.errors import ConfigError, InputError, IntegrityError
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import IdentifierClass
from phitrail.identity.map import IdentityMap, SubjectKey
from phitrail.identity.spelling import spell
from phitrail.identity.standing import ROW, MapKeys, Seal, has_table, only_listed
from phitrail.identity.surrogate import parse_surrogate

TABLE = """
CREATE TABLE IF NOT EXISTS alias (
    blind BLOB NOT NULL,
    index_version INTEGER NOT NULL,
    surrogate BLOB NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (blind, surrogate)
) WITHOUT ROWID
"""
DOMAIN = "phitrail/alias/v1"
CONTEXT = b"phitrail/alias/v1|"
MOST_BEARERS = 8
KNOWN_ROWS = 262_144


@dataclass(frozen=True, slots=True)
class Alias:
    """One identifier of one patient, opened: on its way to its keyed hash."""

    patient: SubjectKey = field(repr=False)
    kind: IdentifierClass
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Row:
    """What a row is made of, by its index when it was asked for."""

    blind: bytes
    surrogate: bytes
    plain: bytes = field(repr=False)

    @property
    def key(self) -> tuple[bytes, bytes]:
        return self.blind, self.surrogate


class Aliases:
    """Remembers whose identifiers are whose, by keyed hash; thread-safe."""

    def __init__(
        self,
        path: Path,
        *,
        tenant: str,
        identity: IdentityMap,
        keys: MapKeys,
        mrn_system: str | None = None,
        connect: Connect = sqlite3.connect,
    ) -> None:
        """Open the aliases in an identity map; the first one makes their table.

        Args:
            path: the file of the identity map, which must be there.
            tenant: whose patients they are.
            identity: the map itself, open.
            keys: those of the map.
            mrn_system: the system of the map whose identifiers are MRNs, if one is.
            connect: a seam for fault tests.
        """
        self._tenant = tenant
        self._identity = identity
        self._keys = keys
        self._mrn_system = mrn_system
        self._known: set[tuple[bytes, bytes]] = set()
        self._asking = Lock()
        with ExitStack() as opened:
            self._database = open_database(path, connect=connect)
            opened.callback(self._database.close)
            _make_table(self._database)
            self._questions = open_database(path, connect=connect, read_only=True)
            opened.callback(self._questions.close)
            self._between_processes = FileLock(path.with_suffix(".lock"))
            opened.pop_all()
        self._queue: GroupCommit[tuple[_Row, ...], None] = GroupCommit(
            self._commit, name="the aliases of patients"
        )

    def remember(self, aliases: Sequence[Alias]) -> None:
        """Keep whose identifiers these are; durable on return.

        Raises:
            InputError: a patient's identifier is empty, too long or has control
                characters.
            StorageError: a row could not be made durable.
        """
        fresh = self._fresh(aliases, self._identity.resolve(_patients(aliases)))
        if fresh:
            self._queue.submit(fresh)
            self._note(fresh)

    async def remember_async(self, aliases: Sequence[Alias]) -> None:
        """Do as `remember`, on the running event loop.

        Raises:
            InputError: a patient's identifier is empty, too long or has control
                characters.
            StorageError: a row could not be made durable.
        """
        surrogates = await self._identity.resolve_async(_patients(aliases))
        fresh = self._fresh(aliases, surrogates)
        if fresh:
            await self._queue.submit_async(fresh)
            self._note(fresh)

    def is_other_patient(
        self, kind: IdentifierClass, value: str, patients: Collection[SubjectKey]
    ) -> bool:
        """Say whether an identifier is borne by somebody, and by none of these patients.

        Raises:
            StorageError: the map cannot be read.
        """
        bearers = self._bearers(kind, value)
        if not bearers or len(bearers) > MOST_BEARERS:
            return False
        return bearers.isdisjoint(self._surrogates(patients))

    def close(self) -> None:
        """Commit what waits and close the file."""
        self._queue.close()
        self._questions.close()
        self._database.close()
        self._between_processes.close()

    def _surrogates(self, patients: Collection[SubjectKey]) -> set[bytes]:
        identity = self._identity
        found = (identity.cached(one) or identity.find(one) for one in patients)
        return {parse_surrogate(written) for written in found if written is not None}

    def _bearers(self, kind: IdentifierClass, value: str) -> set[bytes]:
        spelled = spell(kind, value)
        bearers: set[bytes] = set()
        if spelled is not None:
            plain = _plain(self._tenant, kind, spelled)
            with self._asking:
                found = self._keys.find(
                    self._questions, "alias", plain, MOST_BEARERS + 1
                )
            bearers = set(found)
        if kind is IdentifierClass.MRN and self._mrn_system is not None:
            written = self._find_subject((self._mrn_system, value.strip()))
            if written is not None:
                bearers.add(parse_surrogate(written))
        return bearers

    def _find_subject(self, subject: SubjectKey) -> str | None:
        try:
            return self._identity.find(subject)
        except InputError:  # too long or not printable: nobody is called that
            return None

    def _fresh(
        self, aliases: Sequence[Alias], surrogates: Sequence[str]
    ) -> tuple[_Row, ...]:
        """Make the rows that are not known to be there."""
        rows: dict[tuple[bytes, bytes], _Row] = {}
        index = self._keys.index
        version = index.version_in_use() if aliases else 0
        for alias, written in zip(aliases, surrogates, strict=True):
            spelled = spell(alias.kind, alias.value)
            if spelled is None:
                continue
            plain = _plain(self._tenant, alias.kind, spelled)
            blind = index.digest_under(version, plain)
            row = _Row(blind, parse_surrogate(written), plain)
            if row.key not in self._known:
                rows[row.key] = row
        return tuple(rows.values())

    def _note(self, rows: Sequence[_Row]) -> None:
        if len(self._known) > KNOWN_ROWS:
            self._known.clear()
        self._known.update(row.key for row in rows)

    def _commit(self, items: Sequence[tuple[_Row, ...]]) -> Sequence[None]:
        """Insert the rows of one batch; runs on the writer thread alone."""
        wanted = {row.key: row for rows in items for row in rows}
        missing = [row for row in wanted.values() if not self._stands(row)]
        if missing:
            with self._between_processes, transaction(self._database):
                version = self._keys.admit(self._database)
                for row in missing:
                    if not self._stands(row):
                        self._insert(row, version)
        return [None] * len(items)

    def _stands(self, row: _Row) -> bool:
        return bool(
            self._keys.find(self._database, "alias", row.plain, 1, row.surrogate)
        )

    def _insert(self, row: _Row, version: int) -> None:
        blind = self._keys.index.digest_under(version, row.plain)
        sealed = self._keys.seal.seal(row.plain, CONTEXT + row.surrogate)
        self._database.execute(
            "INSERT INTO alias VALUES (?, ?, ?, ?)",
            (blind, version, row.surrogate, sealed),
        )


def count_damaged_aliases(
    database: sqlite3.Connection,
    *,
    index: Callable[[int, bytes], bytes],
    seal: Seal,
) -> int:
    """Count the aliases that do not open to their own blind index.

    A map in which no guard ever kept one has none.

    Raises:
        StorageError: the map cannot be read.
    """
    try:
        if not has_table(database, "alias"):
            return 0
        index = only_listed(database, index)
        rows = database.execute(f"SELECT {ROW} FROM alias")
        return sum(not _is_whole(row, index, seal) for row in rows)
    except sqlite3.Error as error:
        raise storage_error("the identity map", error) from error


def _is_whole(
    row: tuple[object, ...], index: Callable[[int, bytes], bytes], seal: Seal
) -> bool:
    match row:
        case (bytes(blind), int(version), bytes(surrogate), bytes(sealed)):
            try:
                return index(version, seal.open(sealed, CONTEXT + surrogate)) == blind
            except (IntegrityError, ConfigError):
                return False
        case _:
            return False


def _make_table(database: sqlite3.Connection) -> None:
    if not has_table(database, "alias"):
        with transaction(database):
            database.execute(TABLE)


def _patients(aliases: Sequence[Alias]) -> list[SubjectKey]:
    return [alias.patient for alias in aliases]


def _plain(tenant: str, kind: IdentifierClass, spelled: str) -> bytes:
    return encode_canonical([DOMAIN, tenant, kind.value, spelled])
