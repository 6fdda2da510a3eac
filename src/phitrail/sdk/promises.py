"""What an application was promised, and whether it was kept: asked at each next contact.

1. Each receipt is noted in memory at its acknowledgement: nothing is written or computed
   on that path. A thread of its own takes them to the store (`sdk.promise_store`) every few
   seconds, and `close` does: a crash loses at most the newest seconds of this memory, never
   a record.
2. A contact is `connect`, each such round, and `close`. Each log must then continue the
   newest promise and the newest checkpoint that were kept, and hold each kept entry at its
   index with its leaf hash (`tlog.promised`). What leaves the store was checked before: an
   entry goes once a checkpoint that was checked covers it, a promise once it was checked.
3. A trail that takes the place of another one is a broken promise too.
4. A broken promise is written, with both notes, beside the store; the log is told too,
   where it still takes records; and the caller gets an `IntegrityError` that says where.
   The store keeps what was promised: the same is found again until somebody decides.
5. Where records may wait in a spool, a log that is down is no error of ours: the first
   contact is then made when it is back. What is spooled was not promised, and is noted when
   it was replayed.
"""

import hashlib
import os
import re
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from phitrail.errors import InputError, IntegrityError, PhitrailError, StorageError
from phitrail.events.codes import EventType, Outcome, Severity
from phitrail.events.ids import format_time
from phitrail.events.security import SecurityEvent
from phitrail.sdk import clock
from phitrail.sdk.backend import Backend
from phitrail.sdk.promise_review import (
    KEPT_ENTRIES,
    review_log,
    review_receipt,
    sort_by_log,
)
from phitrail.sdk.promise_store import (
    KeptLog,
    KeptTrail,
    PromiseStore,
    sync_directory,
)
from phitrail.tlog.promised import BrokenPromise
from phitrail.tlog.receipt import Receipt

CONTACT_EVERY_S = 2.0


class Promises:
    """The promises that one open trail was given; safe to use from many threads."""

    def __init__(self, backend: Backend, directory: Path) -> None:
        self._backend = backend
        self._store = PromiseStore(directory, backend.trail_id)
        self._pending: deque[Receipt] = deque(maxlen=KEPT_ENTRIES)
        self._contact = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="phitrail-promises", daemon=True
        )
        self._may_be_down = False
        self._is_first_due = False
        self.failure: IntegrityError | None = None

    def start(self, *, may_be_down: bool = False) -> None:
        """Ask what became of earlier promises, then keep the ones to come.

        Args:
            may_be_down: whether a log that cannot be read is waited for (rule 5).

        Raises:
            IntegrityError: a promise was broken; the message says where the evidence is.
            StorageError: the store cannot be read or written.
        """
        self._may_be_down = may_be_down
        try:
            self._contact_if_up(is_first=True)
        except BaseException:
            self._stop.set()
            self._store.close()
            raise
        self._thread.start()

    def note(self, receipts: Iterable[Receipt]) -> None:
        """Remember what was acknowledged just now; what is spooled promises nothing."""
        self._pending.extend(one for one in receipts if not one.is_spooled)

    def _contact_if_up(self, *, is_first: bool = False) -> None:
        try:
            self.contact(is_first=is_first or self._is_first_due)
        except StorageError:
            if not self._may_be_down:
                raise
            self._is_first_due |= is_first
        else:
            self._is_first_due = False

    def contact(self, *, is_first: bool = False) -> None:
        """Hold the logs to what they promised, and keep what they promised since.

        Raises:
            IntegrityError: a promise was broken; the message says where the evidence is.
            StorageError: the store or the trail cannot be read or written.
        """
        with self._contact, self._store.held():
            earlier = self._store.read()
            if earlier is None or earlier.place != self._backend.place:
                self._check_place()
            taken = [self._pending.popleft() for _ in range(len(self._pending))]
            kept = dict(earlier.logs) if earlier is not None else {}
            try:
                broken = self._review(kept, taken, is_first=is_first)
                now_kept = KeptTrail(self._backend.trail_id, self._backend.place, kept)
                if now_kept != earlier:
                    self._store.write(now_kept)
            except PhitrailError:
                self._pending.extendleft(reversed(taken))
                raise
            if broken:
                self.report(broken)

    def _review(
        self, kept: dict[str, KeptLog], taken: Sequence[Receipt], *, is_first: bool
    ) -> list[BrokenPromise]:
        """Look at each log and say in `kept` what is to be kept of it."""
        fresh = sort_by_log(taken)
        broken: list[BrokenPromise] = []
        for log, origin in self._backend.origins.items():
            nothing = KeptLog(origin)
            kept[log], found = review_log(
                log,
                kept.get(log, nothing),
                fresh.get(log, nothing),
                self._backend,
                is_first=is_first,
            )
            broken += [found] if found is not None else []
        return broken

    def close(self) -> None:
        """Take what is pending to the store; calling it again is harmless.

        Raises:
            IntegrityError: a promise was broken.
            StorageError: what is pending could not be kept.
        """
        if self._stop.is_set():
            return
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            self._contact_if_up()
        finally:
            self._store.close()

    def _run(self) -> None:
        while not self._stop.wait(CONTACT_EVERY_S):
            if not self._pending and not self._is_first_due:
                continue
            try:
                self._contact_if_up()
            except IntegrityError as error:
                self.failure = error
                return
            except StorageError:
                continue  # `close` tries again, and says so

    def _check_place(self) -> None:
        """Refuse a trail that stands where another one made promises (rule 3)."""
        backend = self._backend
        found = self._store.read_earlier(backend.place)
        if found is None:
            return
        path, earlier = found
        self.report(
            [
                BrokenPromise(
                    held.origin,
                    (held.promise or held.checkpoint).encode(),
                    self._backend.show_durable(log).note,
                    f"another trail stands where {held.origin} made a promise",
                    format_time(clock.now()),
                )
                for log, held in earlier.logs.items()
            ],
            path,
        )

    def report(
        self, broken: Sequence[BrokenPromise], store: Path | None = None
    ) -> NoReturn:
        """Write the evidence, tell the log, tell the caller (rule 4).

        Args:
            broken: what was found; at least one.
            store: the file that remembers it, where it is not this trail's own.

        Raises:
            IntegrityError: always; it says where the evidence is.
        """
        places = [self._write_evidence(one) for one in broken]
        first = broken[0]
        raise IntegrityError(
            f"{first.failed}. Both of its notes are in {places[0]}: keep that file off "
            "this host and see `phitrail verify --receipt`; nothing was repaired. Once "
            f"that is explained, move {store or self._store.path} away to begin anew"
        )

    def _write_evidence(self, broken: BrokenPromise) -> Path:
        """Write the evidence once, however often the same is found."""
        directory = self._store.directory
        name = re.sub(r"[^A-Za-z0-9.-]", "_", broken.origin)
        for path in directory.glob(f"broken-promise-{name}-*.json"):
            try:
                seen = BrokenPromise.from_json(path.read_bytes())
            except (InputError, OSError):
                continue
            if (seen.promised, seen.position) == (broken.promised, broken.position):
                return path
        moment = re.sub(r"[^0-9TZ]", "", broken.found_at)
        path = directory / f"broken-promise-{name}-{moment}.json"
        data = broken.to_json() + b"\n"
        try:
            with path.open("xb") as file:  # evidence is never written over
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            sync_directory(directory)
        except OSError as error:
            raise IntegrityError(
                f"{broken.failed}. The evidence could not be written to {path}: "
                f"{error.strerror}; keep this copy of the trail and "
                f"{self._store.path}"
            ) from error
        self._tell_log(broken, data)
        return path

    def _tell_log(self, broken: BrokenPromise, evidence: bytes) -> None:
        """Record the failure where the log still takes it; the caller is told anyway."""
        now = clock.now()
        event = SecurityEvent(
            event_type=EventType.INTEGRITY_FAILED,
            timestamp_utc=format_time(now),
            severity=Severity.CRITICAL,
            outcome=Outcome.FAILED,
            object_id=f"promise:{broken.origin.rsplit('/', 1)[-1]}",
            object_digest=hashlib.sha256(evidence).hexdigest(),
            service_component="phitrail-sdk",
        )
        try:
            self._backend.record_many((event,), now)
        except PhitrailError:
            return


def demand(receipt: Receipt, backend: Backend, promises: Promises | None) -> None:
    """Hold the logs to one receipt whose entries are published.

    Raises:
        InputError: the receipt is not of this trail.
        IntegrityError: the promise was broken, or another one before.
    """
    if promises is not None and promises.failure is not None:
        raise promises.failure
    broken = review_receipt(receipt, backend)
    if broken and promises is not None:
        promises.report(broken)
    if broken:
        raise IntegrityError(
            f"{broken[0].failed}. No receipts are kept, so no evidence was written: keep "
            "this receipt and a copy of the trail, and see `phitrail verify --receipt`"
        )
