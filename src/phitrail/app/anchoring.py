"""Handing checkpoints to anchors: when, with what proof, and what becomes of the answer.

For one anchor and one log, under the anchor's lock between processes:
1. Read the newest published checkpoint. What is held already is never handed over again,
   so that there are never two notes for one size.
2. When the anchor is due, hand it over, with the way to prove growth from any smaller size.
3. Keep the checked evidence, durable; a witness's goes to `state/outside/` too, and is shown
   beside the public checkpoint.
4. What fails is kept in words. Held too late: `anchor_late`, once an episode, and once
   more with the outcome `success` when it holds again. Another history: `integrity_failed`,
   and the evidence goes where the signer must respect it.

Who calls this, and how often, is for `anchor_keeping`.
"""

import hashlib
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from phitrail.anchor.held import Anchor, Submission
from phitrail.anchor.settings import AnchorSettings, WitnessSettings
from phitrail.app.anchor_standing import (
    Shelf,
    Standing,
    held_file,
    lock_path,
    time_within,
)
from phitrail.app.anchor_wiring import open_anchor
from phitrail.app.submissions import newest_submission
from phitrail.app.wiring import Trail
from phitrail.app.witnessed import show_cosigned
from phitrail.durable.files import DurableFiles
from phitrail.durable.lock import FileLock
from phitrail.errors import (
    IntegrityError,
    OtherHistoryError,
    PhitrailError,
    StorageError,
)
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import EventType, Log, Outcome, Severity
from phitrail.events.ids import RANDOM_BYTES, format_time, new_uuid7, parse_time
from phitrail.events.security import SecurityEvent

TRY_AGAIN_S = 60.0


class Came(StrEnum):
    """What came of handing a checkpoint to an anchor."""

    HELD = "held"
    HELD_ALREADY = "held already"
    NOT_DUE = "not due"
    BUSY = "another process is at it"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    OTHER_HISTORY = "OTHER HISTORY"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one anchor and one log."""

    name: str
    log: Log
    came: Came
    held_size: int
    trouble: str = ""


class AnchorDesk:
    """Hands checkpoints to one anchor; used by one thread."""

    def __init__(self, trail: Trail, settings: AnchorSettings) -> None:
        self._trail = trail
        self._anchor: Anchor | None = None
        self._lock = FileLock(lock_path(trail.directory, settings.name))
        self._within = time_within(settings, trail.policy)
        self._try_after: dict[Log, datetime] = {}
        self._is_stopped = threading.Event()
        self.settings = settings

    def stop(self) -> None:
        """Drop an answer that is still to come; it is asked for again."""
        self._is_stopped.set()

    def close(self) -> None:
        """Let go; for the thread that uses it."""
        self._is_stopped.set()
        self._lock.close()

    def attempt(self, log: Log, now: datetime, *, is_forced: bool) -> Attempt:
        """Hand the newest checkpoint of a log over, if it is due.

        Args:
            log: which log.
            now: the time.
            is_forced: whether it is due already when the anchor does not hold it; then
                this waits for another process that is at it.

        Raises:
            StorageError: our own disk failed; nothing is known of the anchor.
            IntegrityError: our own checkpoint does not verify.
        """
        if is_forced:
            self._lock.acquire()
        elif not self._lock.try_acquire():
            return Attempt(self.settings.name, log, Came.BUSY, 0)
        try:
            return self._attempt(log, now, is_forced=is_forced)
        finally:
            self._lock.release()

    def _attempt(self, log: Log, now: datetime, *, is_forced: bool) -> Attempt:
        shelf = Shelf(self._trail.directory, self.settings.name, log)
        standing = shelf.read()
        submission = newest_submission(self._trail, log, standing.held_size)
        if submission is None or (
            submission.size == standing.held_size and not standing.is_other_history
        ):
            return self._said(log, Came.HELD_ALREADY, standing)
        behind = standing
        if not standing.behind_since:
            behind = msgspec.structs.replace(standing, behind_since=format_time(now))
        if not is_forced and not self._is_due(log, standing, now):
            behind = self._note_late(log, behind, now)
            if behind != standing:
                shelf.write(behind)
            return self._said(log, Came.NOT_DUE, behind)
        return self._hand_over(shelf, submission, (standing, behind), now)

    def _is_due(self, log: Log, standing: Standing, now: datetime) -> bool:
        if now < self._try_after.get(log, now):
            return False
        held = standing.held_time
        return held is None or now - held >= timedelta(seconds=self.settings.every_s)

    # --- 2. handing over ---

    def _hand_over(
        self,
        shelf: Shelf,
        submission: Submission,
        standings: tuple[Standing, Standing],
        now: datetime,
    ) -> Attempt:
        standing, behind = standings
        log = shelf.log
        try:
            if submission.size < standing.held_size:
                raise OtherHistoryError(
                    f"it holds {standing.held_size} entries of a log that has "
                    f"{submission.size} here: this log was cut or restored"
                )
            if self._anchor is None:  # what it needs may be missing only today
                self._anchor = open_anchor(self.settings, self._trail.directory)
            held = self._anchor.hold(submission, now)
        except PhitrailError as error:
            return self._failed(shelf, behind, error, now)
        if self._is_stopped.is_set():
            return self._said(log, Came.BUSY, standing)
        after = Standing(
            held_size=held.size, held_at=format_time(now), held_file=held_file(held)
        )
        is_cosigned = isinstance(self.settings, WitnessSettings)
        if standing.is_late_told:
            self._record(log, standing, now, Outcome.SUCCESS, "anchor_held_again")
        shelf.write_held(standing, after, held, is_cosigned=is_cosigned)
        if is_cosigned:
            show_cosigned(DurableFiles(self._trail.directory), log, held)
        return self._said(log, Came.HELD, after)

    # --- 4. what fails ---

    def _failed(
        self, shelf: Shelf, standing: Standing, error: PhitrailError, now: datetime
    ) -> Attempt:
        log = shelf.log
        if self._is_stopped.is_set():
            return self._said(log, Came.BUSY, standing)
        pause_s = min(self.settings.every_s, TRY_AGAIN_S)
        self._try_after[log] = now + timedelta(seconds=pause_s)
        standing = msgspec.structs.replace(standing, trouble=str(error))
        if isinstance(error, IntegrityError):
            return self._contradicted(shelf, standing, error, now)
        standing = msgspec.structs.replace(standing, is_other_history=False)
        came = Came.UNREACHABLE if isinstance(error, StorageError) else Came.REFUSED
        standing = self._note_late(log, standing, now, came)
        if standing != shelf.read():
            shelf.write(standing)
        return self._said(log, came, standing)

    def _contradicted(
        self, shelf: Shelf, standing: Standing, error: IntegrityError, now: datetime
    ) -> Attempt:
        evidence = error.evidence if isinstance(error, OtherHistoryError) else b""
        if standing.is_other_history:
            if standing != shelf.read():
                shelf.write(standing)
            return self._said(shelf.log, Came.OTHER_HISTORY, standing)
        standing = msgspec.structs.replace(
            standing, is_other_history=True, is_late_told=True
        )
        digest = hashlib.sha256(evidence).hexdigest()
        self._trail.recorder.record(
            SecurityEvent(
                event_type=EventType.INTEGRITY_FAILED,
                event_id=self._event_id(shelf.log, standing, digest),
                timestamp_utc=standing.behind_since,
                severity=Severity.CRITICAL,
                outcome=Outcome.FAILED,
                reason_code="anchor_other_history",
                object_id=self._object_id(shelf.log),
                object_digest=digest if evidence else None,
                service_component="phitrail",
            ),
            now,
        )
        shelf.write_other_history(standing, evidence)
        return self._said(shelf.log, Came.OTHER_HISTORY, standing)

    def _note_late(
        self,
        log: Log,
        standing: Standing,
        now: datetime,
        came: Came = Came.UNREACHABLE,
    ) -> Standing:
        """Record that it is late, once an episode; the id makes a repetition harmless."""
        if standing.is_late_told or not standing.is_late(now, self._within):
            return standing
        reason = "anchor_refused" if came is Came.REFUSED else "anchor_unreachable"
        self._record(log, standing, now, Outcome.FAILED, reason)
        return msgspec.structs.replace(standing, is_late_told=True)

    def _record(
        self,
        log: Log,
        standing: Standing,
        now: datetime,
        outcome: Outcome,
        reason: str,
    ) -> None:
        event: CallerEvent = AuditEvent(
            event_type=EventType.ANCHOR_LATE,
            event_id=self._event_id(log, standing, reason),
            timestamp_utc=standing.behind_since,
            outcome=outcome,
            reason_code=reason,
            object_id=self._object_id(log),
            result_count=standing.held_size,
            service_component="phitrail",
        )
        self._trail.recorder.record(event, now)

    def _event_id(self, log: Log, standing: Standing, what: str) -> str:
        """Name an event of an episode: the same one whoever says it, and how often."""
        text = f"{self.settings.name}/{log}/{standing.behind_since}/{what}"
        entropy = hashlib.sha256(text.encode()).digest()[:RANDOM_BYTES]
        return new_uuid7(parse_time(standing.behind_since), entropy)

    def _object_id(self, log: Log) -> str:
        return f"{self.settings.name}:{log}"

    def _said(self, log: Log, came: Came, standing: Standing) -> Attempt:
        return Attempt(
            self.settings.name, log, came, standing.held_size, standing.trouble
        )
