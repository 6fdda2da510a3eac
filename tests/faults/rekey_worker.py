"""A re-key, or somebody who records beside it, in a process of its own.

`rekey TRAIL AT PAGE`: re-keys in pages of so many rows, and kills itself (SIGKILL) before
the statement with that number on the map; prints how many rows it moved when it comes to
its end. `resolve TRAIL FIRST`: asks for known and for new patients in turn, past any cache,
until its standard input ends; prints a number and a surrogate a line.
"""

import os
import signal
import sqlite3
import sys
import threading
from itertools import count
from pathlib import Path
from typing import Any

from tests.trails import NOW

from phitrail.app.key_rekey import rekey_identity
from phitrail.app.wiring import open_trail
from phitrail.durable.database import Connect
from phitrail.identity import rekey as pages

KNOWN = 1000
"""Every second question is about one of so many patients."""


def dying_connect(at: int) -> Connect:
    """Connect to SQLite so that this process dies before a statement."""
    steps = count()

    class Dying(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if next(steps) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().execute(sql, *values)

    def connect(*args: Any, **named: Any) -> sqlite3.Connection:
        return sqlite3.connect(*args, **named, factory=Dying)

    return connect


def rekey(directory: Path, at: int, page: int) -> None:
    """Re-key, or die."""
    pages.PAGE_ROWS = page
    trail = open_trail(directory)
    done = rekey_identity(trail, by="officer-1", now=NOW, connect=dying_connect(at))
    trail.close()
    print(done.rows, done.failed)  # noqa: T201 - the answer


def resolve(directory: Path, first: int) -> None:
    """Ask until told to stop."""
    trail = open_trail(directory)
    told = threading.Thread(target=sys.stdin.read, daemon=True)
    told.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for step in count():
        number = step % KNOWN if step % 2 else first + step
        trail.identity._cache.clear()
        (surrogate,) = trail.identity.resolve([("mrn", f"M-{number}")])
        sys.stdout.write(f"{number} {surrogate}\n")
        if not told.is_alive():
            break
    sys.stdout.flush()
    trail.close()


if __name__ == "__main__":
    what, where, *numbers = sys.argv[1:]
    if what == "rekey":
        rekey(Path(where), int(numbers[0]), int(numbers[1]))
    else:
        resolve(Path(where), int(numbers[0]))
