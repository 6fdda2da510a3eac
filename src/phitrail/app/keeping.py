"""Keeps the tables close behind the log, on a thread of its own beside the publisher.

It wakes every few seconds and looks at sizes only; DuckDB is loaded when something is due
for the first time, so a program that records little never pays for it. What goes wrong
here stops this stage and nothing else: the log does not need its tables. `failure` says
what it was; a segment that was changed is also recorded as `integrity_failed`.
"""

import threading
from datetime import datetime, timedelta

from phitrail.app import clock
from phitrail.app.table_store import open_store
from phitrail.app.wiring import Trail
from phitrail.errors import IntegrityError, PhitrailError, StorageError
from phitrail.events.codes import EventType, Log, Outcome, Severity
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.security import SecurityEvent

LOOK_EVERY_S = 5.0
DUE_ROWS = 65_536
DUE_AFTER = timedelta(hours=1)


class TableKeeper:
    """Advances the tables of one trail when they are due."""

    def __init__(self, trail: Trail, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._trail = trail
        self._look_every_s = look_every_s
        self._pending_since: dict[Log, datetime] = {}
        self._stop = threading.Event()
        self.failure: PhitrailError | None = None
        self._thread = threading.Thread(
            target=self._run, name="phitrail tables", daemon=True
        )

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Stop; a segment that is being written is finished first."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._look_every_s):
            try:
                self.look(clock.now())
            except StorageError:
                continue  # tried again at the next look
            except PhitrailError as error:
                self._end(error)
                return

    def look(self, now: datetime) -> bool:
        """Advance the tables if something is due; say whether anything was.

        Raises:
            ConfigError: the volume is not what policy requires.
            IntegrityError: a log is shorter than its tables, or a segment was changed.
            StorageError: a file cannot be read or written.
        """
        due = [log for log in Log if self._is_due(log, now)]
        if due:
            from phitrail.app.tables import advance_tables  # noqa: PLC0415 - loads DuckDB

            advance_tables(self._trail, now, close_rows=1)
            self._pending_since.clear()
        return bool(due)

    def _is_due(self, log: Log, now: datetime) -> bool:
        store = open_store(self._trail.directory, log, self._trail.log_keys[log.value])
        journal = self._trail.journal()
        try:
            pending = journal.head(log.value).size - store.load().size
        finally:
            journal.close()
        if pending <= 0:
            self._pending_since.pop(log, None)
            return pending < 0
        since = self._pending_since.setdefault(log, now)
        return pending >= DUE_ROWS or now - since >= DUE_AFTER

    def _end(self, error: PhitrailError) -> None:
        self.failure = error
        if isinstance(error, IntegrityError):
            now = clock.now()
            self._trail.recorder.record(
                SecurityEvent(
                    event_type=EventType.INTEGRITY_FAILED,
                    event_id=new_uuid7(now),
                    timestamp_utc=format_time(now),
                    severity=Severity.HIGH,
                    outcome=Outcome.FAILED,
                    object_id="tables",
                    service_component="phitrail",
                ),
                now,
            )
