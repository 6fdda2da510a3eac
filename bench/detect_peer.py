"""The same rules and events by pySigma's SQLite backend, which is what Zircolite runs.

Zircolite flattens events into a table of SQLite and asks each rule of it as pySigma writes it.
The same is done here, in the environment of `make sigma`: JSON lines are loaded into a table in
memory with one column a field, and each rule is converted and asked. A rule that does not end
within its CPU time is stopped, and said. Zircolite itself is on no package index; it also takes
the underscores out of field names, so that rules must be rewritten for it, which is left out.

Ours is everything from the same JSON lines to episodes: decoding, rows, ids, windows.
"""

import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.clinic_leaves import leaves
from bench.detect_tail import ADVANCE_EVERY, LATENESS_US, ZONES, timed
from phitrail.detect.enrich import Zones
from phitrail.detect.row import Row, instant_of
from phitrail.detect.rule import read_rules
from phitrail.detect.tail import Tail
from phitrail.events.canonical import decode_leaf
from phitrail.events.codes import Log

PYTHON: Final = Path(__file__).parents[1] / ".venv" / "sigma" / "bin" / "python"
SINGLE: Final = """
title: Refused
id: 0d8ce2a4-54ae-44c2-b1a4-6f5a0b0d9b01
name: refused
logsource: {product: phitrail, service: audit}
detection:
  one: {event_type: phi_access_denied}
  condition: one
"""
CORRELATED: Final = """
title: Read
id: 0d8ce2a4-54ae-44c2-b1a4-6f5a0b0d9b02
name: read
logsource: {product: phitrail, service: audit}
detection:
  one: {event_type: phi_read}
  condition: one
---
title: Many reads
id: 0d8ce2a4-54ae-44c2-b1a4-6f5a0b0d9b03
correlation:
  type: event_count
  rules: [read]
  group-by: [user_id]
  timespan: 1h
  condition: {gt: 10}
"""
ASK: Final = """
import json, resource, sqlite3, sys
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection

def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

rule, limit = open(sys.argv[2]).read(), float(sys.argv[3])
used = cpu()
database = sqlite3.connect(":memory:")
rows = [json.loads(line) for line in open(sys.argv[1])]
fields = sorted({name for row in rows for name in row})
listed = ", ".join(f'"{name}" TEXT COLLATE NOCASE' for name in fields)
database.execute(f"CREATE TABLE logs (row_id INTEGER PRIMARY KEY, {listed})")
marks = ", ".join("?" * len(fields))
database.executemany(
    f"INSERT INTO logs VALUES (NULL, {marks})",
    ([v if isinstance(v := row.get(n), (str, int, float, type(None))) else json.dumps(v)
      for n in fields] for row in rows),
)
loaded = cpu() - used
backend = sqliteBackend()
backend.table = "logs"
backend.timestamp_field = "timestamp_utc"
queries = backend.convert(SigmaCollection.from_yaml(rule))
stop = cpu() + limit
database.set_progress_handler(lambda: cpu() > stop, 10_000)
found, failed = 0, ""
for query in queries:
    sql = query.replace("<TABLE_NAME>", "logs").replace("{table}", "logs")
    try:
        found += len(database.execute(sql).fetchall())
    except sqlite3.OperationalError as error:
        failed = str(error)
print(json.dumps({"loaded": loaded, "cpu": cpu() - used, "found": found, "failed": failed,
                  "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                  "sql": queries}))
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """What one rule took of them, or why it gave nothing."""

    load_s: float
    cpu_s: float
    found: int
    failed: str
    peak_mb: float


def has_peer() -> bool:
    """Say whether its environment is made."""
    return PYTHON.exists()


def write_lines(place: Path, count: int) -> None:
    """Write events as JSON, one a line: canonical leaves are."""
    with place.open("wb") as out:
        out.writelines(leaf + b"\n" for leaf in leaves(0, count, 300_000_000))


def ask_peer(rule: str, lines: Path, limit_s: float) -> Peer:
    """Let them find what a rule selects."""
    with tempfile.TemporaryDirectory(prefix="phitrail-bench-") as place:
        file = Path(place) / "rule.yml"
        file.write_text(rule)
        ran = subprocess.run(  # noqa: S603 - our own script
            [str(PYTHON), "-c", ASK, str(lines), str(file), str(limit_s)],
            capture_output=True,
            text=True,
            check=True,
        )
    told = json.loads(ran.stdout)
    return Peer(
        told["loaded"], told["cpu"], told["found"], told["failed"], told["peak"]
    )


def ask_tail(rule: str, lines: Path) -> tuple[float, int]:
    """Find the same from the same lines; give CPU seconds and episodes."""
    rules, zones = read_rules([("peer.yml", rule.encode())]).judged(), Zones(ZONES)
    tail, found = Tail(rules), set[int]()
    kept = []

    def judge() -> None:
        with lines.open("rb") as given:
            for number, line in enumerate(given, start=1):
                record = decode_leaf(line[:-1])
                at_us = instant_of(record)
                assert at_us is not None
                row = Row(record, at_us, zones)
                event_id = str(getattr(record, "event_id", ""))
                kept.extend(tail.take(Log.AUDIT, at_us, event_id, row, ref=number))
                if number % ADVANCE_EVERY == 0:
                    kept.extend(tail.advance(at_us - LATENESS_US))

    call: Callable[[], object] = judge
    _, used = timed(call)
    found.update(id(one) for one in kept if not one.is_joined)
    return used, len(found)
