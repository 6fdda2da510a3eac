"""Watches the quality of models while the trail is open: a regression is an alert.

Whoever publishes looks once an hour at all streams: the newest version of each use case and
the one before it, in every metric, decided together. What is found goes into the security
log through the door that everybody uses (`quality.alerts`).

1. A look is as of a full hour. Its verdicts follow from the log and that time; no file
   remembers anything, so a process that takes over says nothing twice.
2. What stands already is read from the security log itself.
3. A look over a long log takes long: the next one waits twenty times as long as the last
   took. DuckDB is loaded once the quality log holds something, and not before.
"""

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import Final

from phitrail.app import clock
from phitrail.app.wiring import Trail
from phitrail.errors import InputError, PhitrailError, StorageError
from phitrail.events.codes import Log

LOOK_EVERY_S: Final = 60.0
REST: Final = 20
FOUNDING_ROWS: Final = 1


def hour_of(now: datetime) -> datetime:
    """Give the full hour that a look is as of."""
    return now.replace(minute=0, second=0, microsecond=0)


class QualityWatcher:
    """Looks at the quality of one trail's models while its process publishes."""

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
        self._looked_at: datetime | None = None
        self._stop = threading.Event()
        self.failure: PhitrailError | None = None
        self._thread = threading.Thread(
            target=self._run, name="phitrail quality", daemon=True
        )

    def start(self) -> None:
        """Begin to look, where policy says so."""
        if self._trail.policy.quality.is_watched:
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
                    self._tick(clock.now())
            except (StorageError, InputError):
                pass  # tried again at the next look
            except PhitrailError as error:
                self.failure = error
                return
            took_s = (clock.monotonic_us() - begun_us) / 1_000_000
            wait_s = max(self._look_every_s, REST * took_s)

    def _tick(self, now: datetime) -> None:
        hour = hour_of(now)
        if hour == self._looked_at or not self._has_entries():
            return
        from phitrail.app.quality_look import watch_quality  # noqa: PLC0415 - DuckDB

        watch_quality(self._trail, hour, now=now)
        self._looked_at = hour

    def _has_entries(self) -> bool:
        with closing(self._trail.journal()) as journal:
            return journal.head(Log.QUALITY.value).size > FOUNDING_ROWS
