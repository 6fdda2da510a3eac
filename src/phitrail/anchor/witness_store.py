"""What a witness has cosigned, durable: checked and set before anyone sees an answer.

One SQLite file. A request is answered inside one write transaction: the head is read, the
answer decided, the new head written and synced; then the answer goes out. So two requests
at once, in one process or several, cannot both continue one head, and a witness that dies
in between has cosigned something that nobody saw, which binds it all the same.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from phitrail.anchor.witness_state import (
    Answer,
    WitnessedHead,
    WitnessedLog,
    answer_request,
)
from phitrail.durable.database import open_database, transaction
from phitrail.errors import OutcomeUnknownError
from phitrail.tlog.hashing import Hash
from phitrail.tlog.note import Signer, VerifierKey, parse_vkey

REFUSED_AT_MOST = 256

SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    origin TEXT NOT NULL, vkey TEXT NOT NULL, PRIMARY KEY (origin, vkey)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS head (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL,
    time_s INTEGER NOT NULL, note BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused (
    number INTEGER PRIMARY KEY, origin TEXT NOT NULL, time_s INTEGER NOT NULL,
    note BLOB NOT NULL, UNIQUE (origin, note)
);
"""


class WitnessStore:
    """The state of one witness; safe to use from many threads."""

    def __init__(self, path: Path, signer: Signer) -> None:
        self._signer = signer
        self._path = path
        self._one_at_a_time = threading.Lock()
        self._database = open_database(path, schema=SCHEMA)

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def add_log(self, origin: str, vkey: VerifierKey) -> None:
        """Watch a log, or admit one more key of it.

        Raises:
            StorageError: nothing was kept.
        """
        with self._writing():
            self._database.execute(
                "INSERT OR IGNORE INTO log VALUES (?, ?)", (origin, str(vkey))
            )

    def answer(self, body: bytes, *, time_s: int) -> Answer:
        """Answer one `add-checkpoint`; what it says is durable when this returns.

        Raises:
            StorageError: nothing was cosigned.
            OutcomeUnknownError: kept or not; nobody saw the cosignature.
        """
        with self._writing():
            answer = answer_request(body, self._find_log, self._signer, time_s=time_s)
            if answer.head is not None:
                head = answer.head
                self._database.execute(
                    "INSERT OR REPLACE INTO head VALUES (?, ?, ?, ?, ?)",
                    (answer.origin, head.size, head.root, head.time_s, head.note),
                )
            if answer.refused:
                self._keep_refused(answer, time_s)
        return answer

    def newest(self, origin_hash: str) -> Answer:
        """Give the newest cosigned checkpoint of a log, by SHA-256 of its origin in hex.

        Raises:
            StorageError: the state cannot be read.
        """
        with self._writing():
            rows = self._database.execute("SELECT origin, note FROM head").fetchall()
        for origin, note in rows:
            if hashlib.sha256(origin.encode()).hexdigest() == origin_hash:
                return Answer(HTTPStatus.OK, note)
        return Answer(HTTPStatus.NOT_FOUND, b"nothing was cosigned of that log\n")

    def heads(self) -> list[tuple[str, int]]:
        """List the logs that are watched, with the size that was cosigned last.

        Raises:
            StorageError: the state cannot be read.
        """
        with self._writing():
            rows = self._database.execute(
                "SELECT DISTINCT log.origin, coalesce(head.size, 0) FROM log "
                "LEFT JOIN head USING (origin) ORDER BY log.origin"
            ).fetchall()
        return [(origin, size) for origin, size in rows]

    def refused(self, origin: str) -> list[bytes]:
        """List the signed checkpoints of a log that do not continue its history.

        Raises:
            StorageError: the state cannot be read.
        """
        with self._writing():
            rows = self._database.execute(
                "SELECT note FROM refused WHERE origin = ? ORDER BY number", (origin,)
            ).fetchall()
        return [note for (note,) in rows]

    def _find_log(self, origin: str) -> WitnessedLog | None:
        keys = self._database.execute(
            "SELECT vkey FROM log WHERE origin = ? ORDER BY vkey", (origin,)
        ).fetchall()
        if not keys:
            return None
        row = self._database.execute(
            "SELECT size, root, time_s, note FROM head WHERE origin = ?", (origin,)
        ).fetchone()
        head = None
        if row is not None:
            head = WitnessedHead(row[0], Hash(row[1]), row[2], row[3])
        return WitnessedLog(tuple(parse_vkey(vkey) for (vkey,) in keys), head)

    def _keep_refused(self, answer: Answer, time_s: int) -> None:
        (count,) = self._database.execute(
            "SELECT count(*) FROM refused WHERE origin = ?", (answer.origin,)
        ).fetchone()
        if count < REFUSED_AT_MOST:
            self._database.execute(
                "INSERT OR IGNORE INTO refused (origin, time_s, note) VALUES (?, ?, ?)",
                (answer.origin, time_s, answer.refused),
            )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._one_at_a_time:
            try:
                with transaction(self._database):
                    yield
            except OutcomeUnknownError:
                # What is on disk is known only to who reads it anew.
                self._database.close()
                self._database = open_database(self._path, schema=SCHEMA)
                raise
