"""Heartbeats of a source: it lives, and so far its numbers have come.

The opening is recorded before anything else, the closing after everything else. A
heartbeat that the log does not take is tried again at the next beat; that it is missing
shows as silence, which is what it is. A log that does not verify ends the beating; `failure`
says why.
"""

import threading
from collections.abc import Callable
from datetime import datetime

from phitrail.app import clock
from phitrail.app.sources import open_epoch
from phitrail.app.wiring import Trail
from phitrail.capture.source import Source
from phitrail.errors import PhitrailError, StorageError
from phitrail.events.audit import CallerEvent


class SourceKeeper:
    """Opens an epoch, beats while the trail is open, and closes the epoch."""

    def __init__(self, trail: Trail, source: Source) -> None:
        self._trail = trail
        self._source = source
        self._interval_s = trail.policy.source_heartbeat_s
        self._stop = threading.Event()
        self.failure: PhitrailError | None = None
        self._thread = threading.Thread(
            target=self._run, name="phitrail heartbeat", daemon=True
        )

    def start(self) -> None:
        """Record the opening, then begin to beat.

        Raises:
            StorageError: the opening is not recorded.
        """
        open_epoch(self._trail, self._source)
        self._thread.start()

    def close(self) -> None:
        """Stop beating and record the closing, if the log still takes it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
            self._tell(self._source.closing)

    def _run(self) -> None:
        while self.failure is None and not self._stop.wait(self._interval_s):
            self._tell(self._source.heartbeat)

    def _tell(self, make: Callable[[datetime], CallerEvent]) -> None:
        """Record an event of the epoch; what the log does not take is missing, and shows."""
        now = clock.now()
        try:
            self._trail.recorder.record(make(now), now)
        except StorageError:
            return  # tried again at the next beat; without a closing the epoch stays open
        except PhitrailError as error:
            self.failure = error
