"""A place for logs that may be down for a while: what it cannot take goes to a spool.

1. A record goes to the log. Where the log is down (`StorageError`; also where nobody knows
   whether it was kept), it goes to the spool (`capture.spool`), and the receipt says
   `is_spooled`: it promises nothing. What is refused (input, conflict) and what does not
   verify is never spooled.
2. While anything waits there, new records go behind it, so that their order holds.
3. A thread takes what waits to the log as soon as that takes records again, oldest first,
   through the same door and under the same event ids: what a crash lets it give twice is
   one event. It begins at once when a spool is found that a dead process left.
4. The trail is opened again where its writer no longer knows what is on disk, or where
   another file stands in its journal's place; a source then begins another epoch. While it is
   down, aliases of patients are not kept and other patients are not looked up.
5. What the log refuses at the replay, since the id stands there with other content, is
   recorded by the door as that conflict and counted; a term that was taken off its list
   keeps the replay waiting until it is back.
"""

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec

from phitrail.capture.spool import Spool, SpoolRow
from phitrail.capture.text_hash import TextHasher
from phitrail.errors import (
    ConfigError,
    ConflictError,
    InputError,
    IntegrityError,
    OutcomeUnknownError,
    PhitrailError,
    StorageError,
)
from phitrail.events.canonical import CALLER_KINDS, CallerRecord
from phitrail.events.codes import EventType, Outcome, Severity
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.security import SecurityEvent
from phitrail.identity.aliases import Alias
from phitrail.sdk import clock
from phitrail.sdk.backend import Backend, FindOthers
from phitrail.sdk.offline import Offline
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.promised import Shown
from phitrail.tlog.receipt import Receipt

EVENTS_AT_ONCE = 200
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


class Spooling:
    """A backend in front of another one, with a spool for the time that it is down."""

    def __init__(
        self, offline: Offline, spool: Spool, open_log: Callable[[], Backend]
    ) -> None:
        self._offline = offline
        self._spool = spool
        self._open_log = open_log
        self._log: Backend | None = None
        self._stood: tuple[int, int] | None = None
        self._is_tired = False
        self._is_closed = False
        self._due = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="phitrail-spool", daemon=True
        )
        self.failure: IntegrityError | None = None
        self.last_error: PhitrailError | None = None
        self.on_receipts: Callable[[tuple[Receipt, ...]], None] = lambda _: None

    def open(self) -> None:
        """Open the log if it is there to be opened.

        Raises:
            ConfigError: a file of the trail is missing or wrong.
            IntegrityError: the log does not verify.
        """
        with suppress(StorageError):
            self._reopen()

    def start(self) -> None:
        """Begin to replay what waits, and what will."""
        if self._is_due:
            self._due.set()
        self._thread.start()

    # --- what a trail is asked ---

    @property
    def hasher(self) -> TextHasher:
        """Hashes texts under the tenant's key."""
        return self._offline.hasher

    @property
    def trail_id(self) -> str:
        """The id that genesis gave the trail."""
        return self._offline.trail_id

    @property
    def place(self) -> str:
        """Where the trail stands."""
        return self._offline.place

    @property
    def origins(self) -> Mapping[str, str]:
        """The origin of each log, by its name."""
        return self._offline.origins

    @property
    def is_down(self) -> bool:
        """Whether records go to the spool at present."""
        return self._is_due or self._log is None

    def rater_hash(self, rater: str) -> str:
        """Return the keyed hash that stands for a rater.

        Raises:
            InputError: it is no text that has bytes.
        """
        return self._offline.rater_hash(rater)

    def record_many(
        self,
        records: Sequence[CallerRecord],
        now: datetime,
        times: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[Receipt, ...]:
        """Record events as one; return once they are durable in the log or the spool.

        Raises:
            InputError: names the field and the rule.
            ConflictError: an event id stands there with other content.
            StorageError: nothing was recorded: the spool's bounds are reached.
            IntegrityError: the log or the spool does not verify.
        """
        records = _named(records, now)
        log = self._direct()
        if log is not None:
            try:
                return log.record_many(records, now, times)
            except IntegrityError as error:
                self._fail(error)
                raise
            except StorageError as error:
                self._note(error)
        self._offline.rehearse(records, now)
        try:
            self._spool.append(records, now)
        finally:
            self._due.set()
        return _spooled(records)

    async def record_many_async(
        self, records: Sequence[CallerRecord], now: datetime
    ) -> tuple[Receipt, ...]:
        """Do as `record_many`, on the running event loop.

        Raises:
            InputError: names the field and the rule.
            ConflictError: an event id stands there with other content.
            StorageError: nothing was recorded: the spool's bounds are reached.
            IntegrityError: the log or the spool does not verify.
        """
        records = _named(records, now)
        log = self._direct()
        if log is not None:
            try:
                return await log.record_many_async(records, now)
            except IntegrityError as error:
                self._fail(error)
                raise
            except StorageError as error:
                self._note(error)
        self._offline.rehearse(records, now)
        try:
            await self._spool.append_async(records, now)
        finally:
            self._due.set()
        return _spooled(records)

    def remember(self, aliases: Sequence[Alias]) -> None:
        """Keep aliases of patients where the log takes them; it may be down.

        Raises:
            InputError: an identifier of a patient is empty, too long or not printable.
        """
        log = self._direct()
        if log is not None:
            try:
                log.remember(aliases)
            except StorageError as error:
                self._note(error)

    async def remember_async(self, aliases: Sequence[Alias]) -> None:
        """Do as `remember`, on the running event loop.

        Raises:
            InputError: an identifier of a patient is empty, too long or not printable.
        """
        log = self._direct()
        if log is not None:
            try:
                await log.remember_async(aliases)
            except StorageError as error:
                self._note(error)

    def other_patients(self) -> FindOthers | None:
        """Give the look-up of other patients; None while the log is down."""
        log = self._direct()
        return None if log is None else log.other_patients()

    def publish(self, timeout_s: float) -> None:
        """Publish what is durable in the log now.

        Raises:
            IntegrityError: the publisher refuses to sign.
            StorageError: it cannot write, or the log is down.
        """
        self._reached().publish(timeout_s)

    def is_published(self, receipt: Receipt) -> bool:
        """Say whether a checkpoint covers every entry of a receipt.

        Raises:
            IntegrityError: the publisher refuses to sign.
            StorageError: the log is down.
        """
        return not receipt.is_spooled and self._reached().is_published(receipt)

    def open_note(self, log: str, note: bytes) -> Checkpoint | None:
        """Verify a checkpoint or promise of a log; None where it is disowned.

        Raises:
            IntegrityError: it does not verify.
            StorageError: the log is down.
        """
        return self._reached().open_note(log, note)

    def show_published(self, log: str) -> Shown | None:
        """Show a log up to its newest checkpoint; nothing before the first.

        Raises:
            IntegrityError: the checkpoint does not verify.
            StorageError: the log is down.
        """
        return self._reached().show_published(log)

    def show_durable(self, log: str) -> Shown:
        """Show a log up to its head, published or not.

        Raises:
            IntegrityError: an entry is missing or altered.
            StorageError: the log is down.
        """
        return self._reached().show_durable(log)

    def witnessed_size(self, log: str) -> int | None:
        """Say up to which size a witness cosigned a log; None without a witness.

        Raises:
            IntegrityError: evidence that was kept does not verify.
            StorageError: the log is down.
        """
        return self._reached().witnessed_size(log)

    def quality_metrics(
        self, window: timedelta, now: datetime
    ) -> dict[str, float | int | None]:
        """Give the nine classic metrics of a window that ends now; empty without any.

        Raises:
            StorageError: the log is down; what waits in the spool is not measured.
        """
        return self._reached().quality_metrics(window, now)

    def ask_witnesses(self) -> None:
        """Ask the witnesses now, where this process publishes."""
        if self._log is not None:
            self._log.ask_witnesses()

    def close(self) -> None:
        """Try once more to replay what waits, then close; a second call is harmless.

        Raises:
            IntegrityError: the publisher refused to sign; everything is closed.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._stop.set()
        self._due.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            if self._spool.rows and self.failure is None:
                self._attempt()
            if self._log is not None:
                self._log.close()
        finally:
            self._spool.close()

    # --- the log and what waits for it ---

    @property
    def _is_due(self) -> bool:
        return self._spool.rows > 0 or self._is_tired or self._log is None

    def _direct(self) -> Backend | None:
        """Return the log where a record may go to it at once."""
        if self._is_closed:
            raise StorageError("the trail is closed")
        if self.failure is not None:
            raise self.failure
        return None if self._is_due else self._log

    def _reached(self) -> Backend:
        if self._log is None:
            raise StorageError(
                "the log is down; what is recorded goes to the spool until it is back"
            )
        return self._log

    def _note(self, error: StorageError) -> None:
        """Remember why the log did not take a record, and whether to open it again."""
        self.last_error = error
        cause = error.__cause__
        self._is_tired |= isinstance(error, OutcomeUnknownError) or not (
            cause is None or isinstance(cause, sqlite3.Error | OSError)
        )
        self._due.set()

    def _fail(self, error: IntegrityError) -> None:
        if self.failure is None:
            self.failure = error

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while self.failure is None:
            self._due.wait()
            if self._stop.is_set():
                return
            if self._attempt():
                pause_s = FIRST_PAUSE_S
                self._due.clear()
                if self._is_due or self._stop.is_set():  # it came since the last look
                    self._due.set()
                continue
            self._stop.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _attempt(self) -> bool:
        """Try to empty the spool into the log; say whether that was done."""
        try:
            if self._log is None or self._must_reopen():
                self._reopen()
            self._drain()
        except IntegrityError as error:
            self._fail(error)
        except StorageError as error:
            self._note(error)
        except (ConfigError, InputError) as error:
            self.last_error = error
            self._is_tired = True  # files are read anew when it is opened
        else:
            self.last_error = None
            return True
        return False

    def _must_reopen(self) -> bool:
        stands = self._offline.standing()
        return self._is_tired or (stands is not None and stands != self._stood)

    def _reopen(self) -> None:
        """Open the log, having closed it where it was open.

        Raises:
            ConfigError: a file of the trail is missing or wrong.
            IntegrityError: the log does not verify.
            StorageError: it is down still.
        """
        old, self._log = self._log, None
        if old is not None:
            with suppress(StorageError):
                old.close()
        self._stood = self._offline.standing()
        self._log = self._open_log()
        self._is_tired = False

    def _drain(self) -> None:
        while self._spool.rows:
            try:
                rows = self._spool.next_rows(EVENTS_AT_ONCE)
            except IntegrityError as error:
                tell_log(self._reached(), self._spool.spool_id, error)
                raise
            self._replay(rows)

    def _replay(self, rows: Sequence[SpoolRow]) -> None:
        """Record what rows hold, then forget them.

        Raises:
            InputError: the log's terms no longer admit a record.
            StorageError: the log or the spool is down.
        """
        records = [record for row in rows for record in row.records]
        times = {one.event_id or "": row.at for row in rows for one in row.records}
        try:
            receipts = self._reached().record_many(records, clock.now(), times)
        except ConflictError:
            if len(rows) == 1:
                self._spool.mark_replayed(rows[0].number, refused=len(records))
                return
            for row in rows:
                self._replay([row])
            return
        self._spool.mark_replayed(rows[-1].number)
        self.on_receipts(receipts)


def tell_log(log: Backend, spool_id: str, error: IntegrityError) -> None:
    """Record that a spool does not hold together, where the log takes it."""
    now = clock.now()
    event = SecurityEvent(
        event_type=EventType.INTEGRITY_FAILED,
        timestamp_utc=format_time(now),
        severity=Severity.CRITICAL,
        outcome=Outcome.FAILED,
        object_id=f"spool:{spool_id}",
        service_component="phitrail-sdk",
    )
    try:
        log.record_many((event,), now)
    except PhitrailError as unsaid:
        error.add_note(f"and the log was not told: {unsaid}")


def _named(records: Sequence[CallerRecord], now: datetime) -> list[CallerRecord]:
    """Give records their ids here: the log must get the same ones later."""
    return [
        msgspec.structs.replace(record, event_id=new_uuid7(now))
        if type(record) in CALLER_KINDS and record.event_id is None
        else record  # what is no record is refused at the door
        for record in records
    ]


def _spooled(records: Sequence[CallerRecord]) -> tuple[Receipt, ...]:
    return tuple(Receipt.spooled(record.event_id or "") for record in records)
