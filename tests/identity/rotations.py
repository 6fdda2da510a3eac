"""Keys of a map that are rotated, and processes that learn of it late, without a clock."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from phitrail.durable.database import Connect
from phitrail.events.codes import IdentifierClass
from phitrail.events.protected import Protected
from phitrail.identity.aliases import Alias, Aliases, count_damaged_aliases
from phitrail.identity.map import IdentityMap, SubjectKey, count_damaged
from phitrail.identity.rekey import Mover
from phitrail.identity.standing import MapKeys
from phitrail.keys.mac import Mac
from phitrail.keys.names import IDENTITY_INDEX, IDENTITY_SEAL
from phitrail.keys.ring import KeyRing
from phitrail.keys.sealing import Sealer

TENANT = "clinic.example"
SSN = IdentifierClass.SSN


class Rotations:
    """Every version of both keys of one map, as the register would have them."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[int, Protected[bytes]]] = {
            IDENTITY_INDEX: {},
            IDENTITY_SEAL: {},
        }
        for name in self.secrets:
            self.rotate(name)

    def rotate(self, name: str) -> None:
        """Add a version; the same one for the same number."""
        versions = self.secrets[name]
        number = max(versions, default=0) + 1
        versions[number] = Protected(f"{name}-{number}".encode().ljust(32, b"."))

    def destroy(self, name: str, version: int) -> None:
        """Take a version away for good."""
        del self.secrets[name][version]

    def ring(self) -> KeyRing:
        """Give the keys as they are now, as one process holds them from here on."""
        return KeyRing.of({name: dict(kept) for name, kept in self.secrets.items()})

    def count_damaged(self, path: Path) -> int:
        """Count damaged rows of both tables, as a verification does."""
        ring = self.ring()
        index, seal = (
            Mac(ring, IDENTITY_INDEX).digest_under,
            Sealer(ring, IDENTITY_SEAL),
        )
        with closing(sqlite3.connect(path)) as database:
            return count_damaged(database, index=index, seal=seal) + (
                count_damaged_aliases(database, index=index, seal=seal)
            )


class Process:
    """One process that has a map open; it knows the keys of when it last read them."""

    def __init__(
        self, path: Path, rotations: Rotations, connect: Connect = sqlite3.connect
    ) -> None:
        self._rotations = rotations
        self.refreshed = 0
        ring = rotations.ring()
        self.keys = MapKeys(
            Mac(ring, IDENTITY_INDEX), Sealer(ring, IDENTITY_SEAL), self.refresh
        )
        self.identity = IdentityMap(
            path, tenant=TENANT, keys=self.keys, connect=connect
        )
        self.aliases = Aliases(
            path, tenant=TENANT, identity=self.identity, keys=self.keys, connect=connect
        )

    def refresh(self) -> None:
        """Read the keys anew."""
        self.refreshed += 1
        ring = self._rotations.ring()
        self.keys.index = Mac(ring, IDENTITY_INDEX)
        self.keys.seal = Sealer(ring, IDENTITY_SEAL)

    def resolve(self, subject: SubjectKey) -> str:
        """Give the surrogate of a subject; make one if need be."""
        return self.identity.resolve([subject])[0]

    def remember(self, subject: SubjectKey, ssn: str) -> None:
        """Keep the number of a patient."""
        self.aliases.remember([Alias(subject, SSN, ssn)])

    def bears(self, subject: SubjectKey, ssn: str) -> bool:
        """Say whether somebody bears a number, and it is this patient."""
        return self.aliases.is_other_patient(
            SSN, ssn, []
        ) and not self.aliases.is_other_patient(SSN, ssn, [subject])

    def close(self) -> None:
        """Close what is open."""
        self.aliases.close()
        self.identity.close()


def after_a_look(steps: list[Callable[[], object]]) -> Connect:
    """Connect so that each step happens once, just after a question was answered."""

    class Late(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            found = super().execute(sql, *values)
            if sql.startswith("SELECT listed") and steps:
                steps.pop()()
            return found

    def connect(*args: Any, **named: Any) -> sqlite3.Connection:
        return sqlite3.connect(*args, **named, factory=Late)

    return connect


def rekey(path: Path, rotations: Rotations) -> int:
    """Move every row in one go; say how many were moved."""
    process = Process(path, rotations)
    try:
        with closing(Mover(path, process.keys)) as mover:
            return move_all(mover)
    finally:
        process.close()


def move_all(mover: Mover) -> int:
    """Sweep once over everything that is left."""
    target, moved, still = mover.admit(), 0, set[int]()
    for page in mover.sweep(target):
        left = (*mover.write(page), *page.failed)
        moved += len(page.renewed) + len(page.failed) - len(left)
        still |= {row.version for row in left if isinstance(row.version, int)}
    mover.unlist(target, frozenset(still))
    return moved


def rows(path: Path, table: str = "subject") -> list[tuple[bytes, int, bytes, bytes]]:
    """Read the rows of a table in the order of their surrogates."""
    with closing(sqlite3.connect(path)) as database:
        database.text_factory = bytes
        return database.execute(f"SELECT * FROM {table} ORDER BY surrogate").fetchall()


def listed(path: Path) -> list[tuple[str, int]]:
    """Read the versions that a map lists."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT key, version FROM standing").fetchall()
