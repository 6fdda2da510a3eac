"""Failing the N-th step of a run, in two kinds, for every N until no N is reached.

*Lost*: the step fails and has not happened. *Kept*: it has happened and fails all the same,
as when the answer of a disk is lost. A crash or an error leaves before or after, nothing
else (sqlite's ioerr.test, sunlight's TestSequenceErrors).
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from phitrail.durable.files import DurableFiles

ResultT = TypeVar("ResultT")


class Kind(StrEnum):
    """What had happened when the step failed."""

    LOST = "lost"
    KEPT = "kept"


@dataclass(slots=True)
class Fault:
    """Fails the step with number `at`, once; counts them all."""

    kind: Kind
    at: int
    steps: int = 0
    is_armed: bool = True

    @property
    def was_reached(self) -> bool:
        """Say whether the step came."""
        return self.steps > self.at

    def run(self, step: Callable[[], ResultT], error: Exception) -> ResultT:
        """Run one step, or fail it."""
        if not self.is_armed:
            return step()
        number, self.steps = self.steps, self.steps + 1
        if number != self.at:
            return step()
        if self.kind is Kind.KEPT:
            step()
        raise error


class FaultyFiles(DurableFiles):
    """Files whose N-th write, sync, rename or removal fails."""

    def __init__(self, root: Path, fault: Fault) -> None:
        super().__init__(root)
        self._fault = fault

    def _run(self, step: Callable[[], None]) -> None:
        self._fault.run(step, OSError(5, "Input/output error"))

    def write(self, path: str, data: bytes) -> None:
        """Write, or fail."""
        self._run(lambda: super(FaultyFiles, self).write(path, data))

    def sync(self, places: list[Path]) -> None:
        """Sync, or fail."""
        self._run(lambda: super(FaultyFiles, self).sync(places))

    def rename(self, source: str, target: str) -> None:
        """Rename, or fail."""
        self._run(lambda: super(FaultyFiles, self).rename(source, target))

    def unlink(self, path: str) -> None:
        """Remove, or fail."""
        self._run(lambda: super(FaultyFiles, self).unlink(path))


def faulty_connect(fault: Fault) -> Callable[..., sqlite3.Connection]:
    """Connect to SQLite so that the N-th statement fails, BEGIN and COMMIT included."""

    class Faulty(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            return fault.run(
                lambda: super(Faulty, self).execute(sql, *values),
                sqlite3.OperationalError("disk I/O error"),
            )

    def connect(*args: Any, **named: Any) -> sqlite3.Connection:
        return sqlite3.connect(*args, **named, factory=Faulty)

    return connect
