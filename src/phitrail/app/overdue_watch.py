"""Says what did not happen in time, once, while the trail is open (`app.overdue`).

Whoever publishes looks every minute. What was told already is known from the log itself: the
id of an event follows from what it says, so no file remembers it, a process that begins anew
or takes over tells nothing a second time, and a crash loses nothing.

1. What is open is kept in memory (`app.overdue_ledger`): a look reads what is new. The first
   one reads all rows; the next one waits twenty times as long as a look took.
2. DuckDB is loaded where a log holds more than its founding, and not before. While nothing is
   new, nothing is opened.
3. What a tenant's lists no longer admit is left out of an event, and the event is told.

4. Lists of the house that cannot be read (`app.facts`) are told here too.

A trail that nobody has open is not watched; the next one who opens it tells what was missed.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from typing import Final

from phitrail.app import clock
from phitrail.app.overdue import without_terms
from phitrail.app.overdue_ledger import Ledger
from phitrail.app.wiring import Trail
from phitrail.errors import ConflictError, InputError, PhitrailError, StorageError
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import Log
from phitrail.events.ids import uuid_bytes

LOOK_EVERY_S: Final = 60.0
REST: Final = 20
RECORDED_AT_ONCE: Final = 200
FOUNDING_ROWS: Final = 1
_FIRST_PART = b"\x00\x00"


class OverdueWatcher:
    """Looks at what is open in one trail while its process publishes."""

    def __init__(
        self,
        trail: Trail,
        *,
        is_publishing: Callable[[], bool],
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._trail = trail
        self._is_publishing = is_publishing
        self._look_every_s = look_every_s
        self._ledger = Ledger(trail.policy)
        self._stop = threading.Event()
        self.failure: PhitrailError | None = None
        self._thread = threading.Thread(
            target=self._run, name="phitrail overdue", daemon=True
        )

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Stop; a look under way is finished first."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        wait_s = self._look_every_s
        while not self._stop.wait(wait_s):
            begun_us = clock.monotonic_us()
            try:
                if self._is_publishing():
                    self.look(clock.now())
            except (StorageError, InputError):
                pass  # tried again at the next look
            except PhitrailError as error:
                self.failure = error
                return
            took_s = (clock.monotonic_us() - begun_us) / 1_000_000
            wait_s = max(self._look_every_s, REST * took_s)

    def look(self, now: datetime) -> int:
        """Record what was not told yet; return how many events that were.

        Raises:
            ConfigError: the volume is not what policy requires.
            InputError: the tables took too long to answer.
            IntegrityError: a log is shorter than its tables.
            StorageError: a file cannot be read, or nothing was recorded.
        """
        events = self.news(now)
        for at in range(0, len(events), RECORDED_AT_ONCE):
            chunk = events[at : at + RECORDED_AT_ONCE]
            self._record(chunk, now)
            self._ledger.forget(chunk)
        return len(events)

    def news(self, now: datetime) -> list[CallerRecord]:
        """Make the events that say what was not told yet; nothing is recorded.

        Raises:
            ConfigError: the volume is not what policy requires.
            InputError: the tables took too long to answer.
            IntegrityError: a log is shorter than its tables.
            StorageError: a file cannot be read.
        """
        sizes = self._sizes()
        if all(size <= FOUNDING_ROWS for size in sizes.values()):
            return []
        if not self._ledger.has_all(sizes):
            from phitrail.app.tables import open_tables  # noqa: PLC0415 - loads DuckDB

            with open_tables(self._trail, now) as tables:
                self._ledger.read(tables, now)
        return self._untold([*self._ledger.due(now), *self._trail.facts.unreadable()])

    def _sizes(self) -> dict[Log, int]:
        with closing(self._trail.journal()) as journal:
            return {
                log: journal.head(log.value).size for log in (Log.AUDIT, Log.SECURITY)
            }

    def _untold(self, events: Sequence[CallerRecord]) -> list[CallerRecord]:
        if not events:
            return []
        keys = [uuid_bytes(one.event_id or "") + _FIRST_PART for one in events]
        with closing(self._trail.journal()) as journal:
            told = journal.find_events(keys)
        pairs = list(zip(events, keys, strict=True))
        self._ledger.forget(one for one, key in pairs if key in told)
        return [one for one, key in pairs if key not in told]

    def _record(self, events: Sequence[CallerRecord], now: datetime) -> None:
        try:
            self._trail.recorder.record_many(events, now)
        except (ConflictError, InputError):
            for one in events:
                self._record_one(one, now)

    def _record_one(self, event: CallerRecord, now: datetime) -> None:
        try:
            self._trail.recorder.record(event, now)
        except ConflictError:
            return  # told meanwhile by somebody who saw other rows of it
        except InputError:
            self._trail.recorder.record(without_terms(event), now)
