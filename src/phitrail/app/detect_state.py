"""`state/detect.db`: how far detection is, what it remembers, and how well it runs.

1. `snapshot` is where the tail stood at some place of the logs. `batch` lists what was judged
   since, and in which pieces: the rows of three logs have no order of their own, so the order
   in which they were judged is durable before an alert of theirs is recorded. Whoever begins
   anew judges the same pieces again and makes the same alerts.
2. `coverage` says for each rule which time it judged, how many windows, and how many alerts
   it made; `gap` where it could not. `standing` is what `status` shows.
3. What the tail remembers names users and addresses, so the snapshot is sealed as the audit
   log's entries are: a copy of the disk without the keys says nothing of anybody.
4. Nothing here is evidence: without the file, detection begins anew where the logs begin.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phitrail.durable.database import open_database, storage_error, transaction
from phitrail.errors import IntegrityError
from phitrail.events.codes import Log
from phitrail.tlog.log_keys import LogKeys

DETECT = "state/detect.db"
DETECT_LOCK = "state/detect.lock"
KEPT_GAPS = 1_000
MINUTE_US = 60_000_000
_CONTEXT = b"phitrail/detect-snapshot/v1"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS snapshot (
    one INTEGER PRIMARY KEY CHECK (one = 1), audit INTEGER NOT NULL,
    security INTEGER NOT NULL, quality INTEGER NOT NULL, clock_us INTEGER NOT NULL,
    tail BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS batch (
    number INTEGER PRIMARY KEY, audit INTEGER NOT NULL, security INTEGER NOT NULL,
    quality INTEGER NOT NULL, clock_us INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS coverage (
    rule_id TEXT PRIMARY KEY, digest TEXT NOT NULL, since_us INTEGER NOT NULL,
    until_us INTEGER NOT NULL, windows INTEGER NOT NULL, alerts INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gap (
    number INTEGER PRIMARY KEY, reason TEXT NOT NULL, from_us INTEGER NOT NULL,
    until_us INTEGER NOT NULL, rows INTEGER NOT NULL, rule_id TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS standing (
    one INTEGER PRIMARY KEY CHECK (one = 1), looked_at TEXT NOT NULL,
    audit INTEGER NOT NULL, security INTEGER NOT NULL, quality INTEGER NOT NULL,
    watermark_us INTEGER NOT NULL, failure TEXT NOT NULL, rules_error TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS rule_file (
    name TEXT PRIMARY KEY, data BLOB NOT NULL
) WITHOUT ROWID
"""
_IS_MADE = "SELECT 1 FROM sqlite_master WHERE name = 'rule_file'"


@dataclass(frozen=True, slots=True)
class Batch:
    """Up to where each log was judged, and the clock of the log then (microseconds)."""

    ends: tuple[int, ...]
    clock_us: int

    def end(self, log: Log) -> int:
        """Say up to which index a log was judged."""
        return self.ends[_LOGS.index(log)]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What one rule judged: from when to when, how many windows, how many alerts."""

    rule_id: str
    digest: str
    since_us: int
    until_us: int
    windows: int
    alerts: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A time that was not judged in full as it came, why, and how many rows.

    `rule_id` is the rule that it is a gap of; empty where it is one of all.
    """

    reason: str
    from_us: int
    until_us: int
    rows: int
    rule_id: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How detection stands: when it last looked, how far it is, what went wrong."""

    looked_at: str
    batch: Batch
    watermark_us: int
    failure: str = ""
    rules_error: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What `rule list` and `status` show."""

    standing: Standing
    coverage: Mapping[str, Coverage]
    gaps: tuple[Gap, ...]


_LOGS = tuple(Log)
NOWHERE = Batch((0,) * len(_LOGS), 0)


class DetectState:
    """The database; used by the one who holds the lock of detection."""

    def __init__(self, directory: Path, keys: LogKeys) -> None:
        """Open it, or make it.

        Args:
            directory: the trail.
            keys: what seals and opens the entries of the audit log.

        Raises:
            StorageError: it cannot be opened.
        """
        self._seal, self._open = keys.seal, keys.open
        self._database = open_database(directory / DETECT, schema=_SCHEMA)

    def close(self) -> None:
        """Close it."""
        self._database.close()

    def snapshot(self) -> tuple[Batch, bytes] | None:
        """Read where the tail stood, and what it remembered.

        Raises:
            IntegrityError: it was altered, or its key is not here.
        """
        row = self._one("SELECT audit, security, quality, clock_us, tail FROM snapshot")
        if row is None:
            return None
        try:
            return Batch(tuple(row[:3]), row[3]), self._open(row[4], _CONTEXT)
        except IntegrityError as error:
            raise IntegrityError(
                f"{DETECT}: what detection remembers does not open ({error}); keep a copy "
                "as evidence, then remove the file: everything is judged anew, and no "
                "alert is recorded twice"
            ) from error

    def batches(self) -> tuple[Batch, ...]:
        """List what was judged since, in order."""
        rows = self._all(
            "SELECT audit, security, quality, clock_us FROM batch ORDER BY number"
        )
        return tuple(Batch(tuple(row[:3]), row[3]) for row in rows)

    def intend(self, batches: Iterable[Batch]) -> None:
        """Make it durable in which pieces rows are judged, before alerts are recorded.

        Raises:
            StorageError: it was not kept.
        """
        with transaction(self._database):
            self._database.executemany(
                "INSERT INTO batch (audit, security, quality, clock_us) "
                "VALUES (?, ?, ?, ?)",
                [(*one.ends, one.clock_us) for one in batches],
            )

    def keep_snapshot(self, at: Batch, tail: bytes) -> None:
        """Keep what the tail remembers; the alerts up to here are in the log.

        Raises:
            StorageError: it was not kept.
        """
        sealed = self._seal(tail, _CONTEXT)
        with transaction(self._database):
            self._database.execute("DELETE FROM batch")
            self._database.execute(
                "INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?, ?, ?, ?)",
                (*at.ends, at.clock_us, sealed),
            )

    def report(
        self, standing: Standing, coverage: Iterable[Coverage], gaps: Iterable[Gap]
    ) -> None:
        """Keep how detection stands.

        Raises:
            StorageError: it was not kept.
        """
        with transaction(self._database):
            self._database.execute(
                "INSERT OR REPLACE INTO standing VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
                (
                    standing.looked_at,
                    *standing.batch.ends,
                    standing.watermark_us,
                    standing.failure,
                    standing.rules_error,
                ),
            )
            self._database.execute("DELETE FROM coverage")
            self._database.executemany(
                "INSERT INTO coverage VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (c.rule_id, c.digest, c.since_us, c.until_us, c.windows, c.alerts)
                    for c in coverage
                ],
            )
            for gap in gaps:
                self._keep_gap(gap)
            self._database.execute(
                "DELETE FROM gap WHERE number <= "
                f"(SELECT MAX(number) FROM gap) - {KEPT_GAPS}"
            )

    def _keep_gap(self, gap: Gap) -> None:
        """Keep a gap; one that follows another of its kind within a minute lengthens it."""
        longer = self._database.execute(
            "UPDATE gap SET from_us = MIN(from_us, ?1), until_us = MAX(until_us, ?2), "
            "rows = rows + ?3 WHERE number = (SELECT MAX(number) FROM gap "
            "WHERE reason = ?4 AND rule_id = ?5) "
            "AND from_us <= ?2 + ?6 AND until_us >= ?1 - ?6",
            (gap.from_us, gap.until_us, gap.rows, gap.reason, gap.rule_id, MINUTE_US),
        )
        if not longer.rowcount:
            self._database.execute(
                "INSERT INTO gap (reason, from_us, until_us, rows, rule_id) "
                "VALUES (?, ?, ?, ?, ?)",
                (gap.reason, gap.from_us, gap.until_us, gap.rows, gap.rule_id),
            )

    def standing(self) -> Standing | None:
        """Read how detection stood when it was last kept."""
        return _standing(self._database)

    def coverage(self) -> dict[str, Coverage]:
        """Read what each rule judged."""
        return _coverage(self._database)

    def rule_files(self) -> tuple[tuple[str, bytes], ...]:
        """Read the newest rule files of the house that could be read."""
        rows = self._all("SELECT name, data FROM rule_file ORDER BY name")
        return tuple((name, data) for name, data in rows)

    def keep_rule_files(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Keep rule files that could be read, for the day on which others cannot.

        Raises:
            StorageError: they were not kept.
        """
        with transaction(self._database):
            self._database.execute("DELETE FROM rule_file")
            self._database.executemany("INSERT INTO rule_file VALUES (?, ?)", files)

    def _one(self, statement: str) -> tuple[Any, ...] | None:
        rows = self._all(statement)
        return rows[0] if rows else None

    def _all(self, statement: str) -> list[tuple[Any, ...]]:
        return _rows(self._database, statement)


def read_report(directory: Path) -> Report | None:
    """Read how detection of a trail stands; None where it never ran.

    Raises:
        StorageError: its file cannot be read.
    """
    if not (directory / DETECT).exists():
        return None
    with closing(open_database(directory / DETECT, read_only=True)) as database:
        if not _rows(database, _IS_MADE):
            return None  # somebody makes it at this moment
        standing = _standing(database)
        if standing is None:
            return None
        gaps = _rows(
            database, "SELECT reason, from_us, until_us, rows, rule_id FROM gap"
        )
        return Report(standing, _coverage(database), tuple(Gap(*row) for row in gaps))


def _standing(database: sqlite3.Connection) -> Standing | None:
    rows = _rows(database, "SELECT * FROM standing")
    if not rows:
        return None
    _, looked_at, audit, security, quality, watermark, failure, wrong = rows[0]
    batch = Batch((audit, security, quality), 0)
    return Standing(looked_at, batch, watermark, failure, wrong)


def _coverage(database: sqlite3.Connection) -> dict[str, Coverage]:
    rows = _rows(database, "SELECT * FROM coverage")
    return {row[0]: Coverage(*row) for row in rows}


def _rows(database: sqlite3.Connection, statement: str) -> list[tuple[Any, ...]]:
    try:
        return database.execute(statement).fetchall()
    except sqlite3.Error as error:
        raise storage_error("the state of detection", error) from error
