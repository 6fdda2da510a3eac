"""Heartbeats of a source: it lives, and so far its numbers have come.

The opening is recorded before anything else, the closing after everything else. A
heartbeat that the log does not take is tried again at the next beat; that it is missing
shows as silence, which is what it is.
"""

import threading
from contextlib import suppress

from phitrail.app import clock
from phitrail.app.sources import open_epoch
from phitrail.app.wiring import Trail
from phitrail.capture.source import Source
from phitrail.errors import StorageError


class SourceKeeper:
    """Opens an epoch, beats while the trail is open, and closes the epoch."""

    def __init__(self, trail: Trail, source: Source) -> None:
        self._trail = trail
        self._source = source
        self._interval_s = trail.policy.source_heartbeat_s
        self._stop = threading.Event()
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
            with suppress(StorageError):  # the epoch then shows as not closed
                now = clock.now()
                self._trail.recorder.record(self._source.closing(now), now)

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            with suppress(StorageError):
                now = clock.now()
                self._trail.recorder.record(self._source.heartbeat(now), now)
