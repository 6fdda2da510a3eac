"""What runs beside the writers: the publisher's tick, on one thread of one process.

Each tick first renews what the vault of the keys admits for a while (`keys.ring`), so that
whoever records does not wait for that.

Whoever holds the lease publishes; the others try to get it each tick, so that the death of
the holder is noticed by the kernel and repaired within one tick. A refusal to sign stops
the pipeline for good and is kept as `failure`; nothing is passed over.
"""

import threading

from phitrail.app.wiring import Trail
from phitrail.durable.lock import FileLock
from phitrail.errors import IntegrityError, OutcomeUnknownError, StorageError
from phitrail.tlog.publisher import Publisher

FOLD_EVERY_TICKS = 4


class Pipeline:
    """Publishes every interval while it holds the lease."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._interval_s = trail.policy.publish_interval_s
        self._lease: FileLock = trail.lease()
        self._publisher: Publisher | None = None
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._round = threading.Condition()
        self._rounds = 0
        self.failure: Exception | None = None
        self.last_error: StorageError | None = None
        self._thread = threading.Thread(
            target=self._run, name="phitrail publisher", daemon=True
        )

    def start(self) -> None:
        """Begin to tick."""
        self._thread.start()

    @property
    def is_publishing(self) -> bool:
        """Whether this process holds the lease and goes on publishing."""
        return self._publisher is not None and self.failure is None

    def publish_now(self, timeout_s: float) -> None:
        """Ask for a round now and wait until one has ended, at most `timeout_s`.

        Raises:
            IntegrityError: the publisher refuses to sign; the message says why.
            StorageError: it cannot write, or no round ended in time.
        """
        with self._round:
            target = self._rounds + 2  # the round under way may have begun too early

            def is_done() -> bool:
                self._wake.set()
                return self._rounds >= target or self.failure is not None

            is_in_time = self._round.wait_for(is_done, timeout_s)
        if self.failure is not None:
            raise self.failure
        if self.last_error is not None:
            raise self.last_error
        if not is_in_time:
            raise StorageError(
                f"nothing was published within {timeout_s:g} s; try again, or see "
                "`phitrail status`"
            )

    def close(self) -> None:
        """Publish once more if the lease is ours, then stop."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._publisher is not None:
            self._publisher.close()
        self._lease.close()

    def _run(self) -> None:
        while True:
            is_last = self._stop.is_set()
            self._wake.clear()
            try:
                self._tick()
            except OutcomeUnknownError as error:
                self._reopen()
                self.last_error = error
            except StorageError as error:
                self.last_error = error
            except IntegrityError as error:
                self._end(error)
                return
            except Exception as error:  # noqa: BLE001 - kept as `failure`, raised to callers
                self._end(error)
                return
            with self._round:
                self._rounds += 1
                self._round.notify_all()
            if is_last:
                return
            # Somebody who waits sets `_wake` again before the round that serves him.
            self._wake.wait(self._interval_s)

    def _tick(self) -> None:
        self._trail.keys.keep_warm()
        if self._publisher is None:
            if not self._lease.try_acquire():
                self.last_error = None  # whoever holds the lease publishes
                return
            self._publisher = self._trail.publisher()
        self._publisher.publish()
        if self._rounds % FOLD_EVERY_TICKS == 0:
            self._publisher.fold()
        self.last_error = None

    def _reopen(self) -> None:
        """After a write of unknown outcome, read everything from the disk again."""
        if self._publisher is not None:
            self._publisher.close()
        self._publisher = None
        self._lease.release()

    def _end(self, error: Exception) -> None:
        with self._round:
            self.failure = error
            self._round.notify_all()
