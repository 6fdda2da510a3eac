"""The same questions asked of a plain JSON-lines log with Python, and of SQLite.

Both get what their users would give them: the JSON lines are searched as bytes before any
line is parsed; the SQLite database has the indexes that the questions need.
"""

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

BATCH = 50_000


def scan_patient(lines: Path, surrogate: str) -> int:
    """Count the entries that touch a patient and those of their accesses: two scans."""
    wanted = surrogate.encode()
    with lines.open("rb") as file:
        found = [json.loads(line) for line in file if wanted in line]
    accesses = {e["access_id"].encode() for e in found if "access_id" in e}
    with lines.open("rb") as file:
        return sum(line[14:50] in accesses or wanted in line for line in file)


def scan_user_day(lines: Path, user: str, day: str) -> int:
    """Count the entries of a user on a day."""
    who, when = f'"user_id":"{user}"'.encode(), f'"timestamp_utc":"{day}'.encode()
    with lines.open("rb") as file:
        return sum(who in line and when in line for line in file)


def scan_aggregate(lines: Path) -> int:
    """Count and sum by use case and month."""
    counts: Counter[tuple[str | None, str]] = Counter()
    tokens: Counter[tuple[str | None, str]] = Counter()
    with lines.open("rb") as file:
        for line in file:
            event = json.loads(line)
            key = (event.get("use_case"), event.get("timestamp_utc", "")[:7])
            counts[key] += 1
            tokens[key] += event.get("output_tokens", 0)
    return len(counts)


def fill_sqlite(lines: Path, place: Path) -> float:
    """Load the lines into an indexed database; return seconds."""
    began = time.perf_counter()
    database = sqlite3.connect(place)
    database.executescript(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-200000;"
        "CREATE TABLE event (idx INTEGER PRIMARY KEY, access_id TEXT, ts TEXT, "
        "user_id TEXT, use_case TEXT, event_type TEXT, outcome TEXT, "
        "output_tokens INTEGER, leaf BLOB);"
        "CREATE TABLE touched (patient TEXT, idx INTEGER)"
    )
    parsed = _parsed(lines)
    while batch := list(islice(parsed, BATCH)):
        database.executemany(
            "INSERT INTO event VALUES (?,?,?,?,?,?,?,?,?)",
            [
                (
                    n,
                    e.get("access_id"),
                    e.get("timestamp_utc"),
                    e.get("user_id"),
                    e.get("use_case"),
                    e.get("event_type"),
                    e.get("outcome"),
                    e.get("output_tokens"),
                    line,
                )
                for n, e, line in batch
            ],
        )
        database.executemany(
            "INSERT INTO touched VALUES (?,?)",
            [(p, n) for n, e, _ in batch for p in {r[0] for r in e.get("records", ())}],
        )
    database.executescript(
        "CREATE INDEX by_patient ON touched (patient);"
        "CREATE INDEX by_access ON event (access_id);"
        "CREATE INDEX by_user ON event (user_id, ts)"
    )
    database.commit()
    database.close()
    return time.perf_counter() - began


def _parsed(lines: Path) -> Iterator[tuple[int, Any, bytes]]:
    with lines.open("rb") as file:
        for n, line in enumerate(file):
            yield n, json.loads(line), line


PATIENT_SQL = (
    "WITH found AS (SELECT e.idx, e.access_id FROM touched t JOIN event e USING (idx) "
    "WHERE t.patient = ?) SELECT idx, leaf FROM event WHERE idx IN (SELECT idx FROM found) "
    "UNION SELECT idx, leaf FROM event WHERE access_id IN (SELECT access_id FROM found)"
)
USER_DAY_SQL = "SELECT idx, leaf FROM event WHERE user_id = ? AND ts >= ? AND ts < ?"
AGGREGATE_SQL = (
    "SELECT use_case, substr(ts, 1, 7), count(*), sum(output_tokens) FROM event "
    "GROUP BY 1, 2"
)
