"""A trail's directory as it lies there, or a copy of it, to be counted in (`app.key_uses`).

Nothing is written. A database that lies beside no write-ahead log is opened as one that
never changes, so that a copy on a medium that cannot be written is read as well, and SQLite
leaves no file in it. What a copy lacks (keys, identity map) is not in it.
"""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phitrail.app.pins import read_pins
from phitrail.durable.database import open_database, storage_error
from phitrail.errors import ConfigError, IntegrityError, StorageError
from phitrail.events.codes import Log


@dataclass(frozen=True, slots=True)
class Copy:
    """The directory of a trail (`is_backup`: a copy of it)."""

    directory: Path
    is_backup: bool = False

    @property
    def label(self) -> str:
        """How its places are told from those of the trail itself."""
        return f"backup {self.directory}: " if self.is_backup else ""

    def database(self, path: str) -> sqlite3.Connection | None:
        """Open a database for reading; None where there is none.

        Raises:
            StorageError: it cannot be opened.
        """
        place = self.directory / path
        if not place.exists():
            return None
        journal = place.with_name(place.name + "-wal")
        is_still = self.is_backup and not (
            journal.exists() and journal.stat().st_size > 0
        )
        return open_database(
            place,
            connect=_connect_still if is_still else sqlite3.connect,
            read_only=True,
        )

    def rows(
        self, path: str, table: str, select: str, values: Sequence[object] = ()
    ) -> list[tuple[Any, ...]]:
        """Read rows of a table; none where there is no such table.

        Raises:
            StorageError: they cannot be read.
        """
        database = self.database(path)
        if database is None:
            return []
        with closing(database):
            try:
                known = database.execute(
                    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?",
                    (table,),
                ).fetchone()
                if known is None:
                    return []
                return database.execute(select, tuple(values)).fetchall()
            except sqlite3.Error as error:
                raise storage_error(path, error) from error

    def files(self, path: str, *, named: str | None = None) -> list[Path]:
        """List the files below a directory, or those of one name; none where it is absent.

        Raises:
            StorageError: it cannot be listed.
        """
        found: list[Path] = []

        def stop(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):  # one may go meanwhile
                raise error

        try:
            for place, _, names in os.walk(self.directory / path, onerror=stop):
                found += [Path(place, one) for one in names if named in (None, one)]
        except OSError as error:
            raise StorageError(
                f"cannot list {self.directory / path}: {error.strerror}"
            ) from error
        return sorted(found)

    def head_of(self, place: Path, size_bytes: int) -> bytes | None:
        """Read how a file begins; None where it went meanwhile.

        Raises:
            StorageError: it cannot be read.
        """
        try:
            with place.open("rb", buffering=0) as file:
                return file.read(size_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"cannot read {place}: {error.strerror}") from error


def check_copy(backup: Path, directory: Path) -> None:
    """Check that a directory is a copy of a trail.

    Raises:
        ConfigError: it is none, or another trail's.
    """
    ours = read_pins(directory)
    try:
        theirs = read_pins(backup)
        is_ours = all(ours[log].genesis == theirs[log].genesis for log in Log)
    except (ConfigError, IntegrityError):
        is_ours = False
    if not is_ours:
        raise ConfigError(
            f"{backup} holds no copy of this trail's directory; bring it, or correct "
            "--backup or keys.backups of policy.yaml"
        )


def _connect_still(place: str, **options: Any) -> sqlite3.Connection:  # noqa: ANN401
    """Open a database that nobody changes (sqlite.org/uri.html, `immutable`)."""
    database: sqlite3.Connection = sqlite3.connect(f"{place}&immutable=1", **options)
    return database
