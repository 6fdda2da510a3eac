"""What is due of the keys: listed for people, and said once while the trail is open.

Whoever publishes looks every minute and records, in the audit log, `key_due` and
`key_overdue`. What is due is decided in `keys.due`.

1. The id of such an event follows from what it says: which key, by when. It is told once
   for each version and period: the journal knows it, no file remembers it, and two that
   look at once record one event.
2. Its time is the one from which it was so, not that of the look; `source_event_id` is the
   time by which it is to be done.
3. What was overdue before anybody looked is told as overdue alone.

A trail that nobody has open is not watched; the next one who opens it is told what is
overdue. Nothing is rotated here.
"""

import hashlib
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

from phitrail.app import clock
from phitrail.app.config import read_policy
from phitrail.app.key_handover import holding_keys
from phitrail.app.key_wiring import current_register
from phitrail.app.wiring import Trail
from phitrail.capture.source import COMPONENT
from phitrail.errors import ConflictError, PhitrailError, StorageError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import ActorType, Assurance, AttributionBasis, EventType
from phitrail.events.ids import RANDOM_BYTES, new_uuid7, parse_time, uuid_bytes
from phitrail.keys.due import LOCAL_KEYRING, Due, DueKind, due_of
from phitrail.keys.names import KeyKind
from phitrail.keys.register import KeyRegister
from phitrail.keys.settings import KeysSection

LOOK_EVERY_S: Final = 60.0
_FIRST_PART = b"\x00\x00"


def list_due(directory: Path, now: datetime) -> list[Due]:
    """List what is due or overdue of a trail's keys, the most urgent first.

    Raises:
        ConfigError: there is no trail here, or its register or policy is damaged.
        IntegrityError: the register is not signed by this trail's keys.
    """
    return _due(current_register(directory), read_policy(directory).keys, now)


def _due(register: KeyRegister, settings: KeysSection, now: datetime) -> list[Due]:
    return due_of(register, settings.policies, now, notice_days=settings.notice_days)


def command_of(due: Due) -> str:
    """Say what is to be run, or done, about a thing that is due."""
    if due.kind is DueKind.EXCEPTION:
        if due.subject == LOCAL_KEYRING:
            return "move the keys into a vault (docs/keys.md)"
        return "destroy the halves that sign: phitrail key destroy KEY:vN"
    assert due.key is not None  # noqa: S101 - a rotation is of a key
    if due.key.kind is KeyKind.SIGN:
        log = due.key.name.partition("-")[0]
        return f"phitrail key rotate --log {log} --recovery FILE"
    return f"phitrail key rotate {due.key.name}"


def event_of(due: Due) -> CallerEvent:
    """Make the event that says that a thing is due; the same thing gives the same event."""
    kind = EventType.KEY_OVERDUE if due.is_overdue else EventType.KEY_DUE
    said = f"phitrail/key-due/v1|{kind}|{due.kind}|{due.subject}|{due.due_at}"
    entropy = hashlib.sha256(said.encode()).digest()[:RANDOM_BYTES]
    return AuditEvent(
        event_type=kind,
        event_id=new_uuid7(parse_time(due.due_at), entropy),
        timestamp_utc=due.due_at if due.is_overdue else due.notice_at,
        actor_type=ActorType.SERVICE,
        attribution_basis=AttributionBasis.STATIC,
        object_id=due.subject,
        source_event_id=due.due_at,
        service_component=COMPONENT,
        assurance=Assurance.ENFORCED,
    )


class KeyDueWatcher:
    """Looks at the keys of one trail while its process publishes."""

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
        self._stop = threading.Event()
        self.failure: PhitrailError | None = None
        self._thread = threading.Thread(
            target=self._run, name="phitrail keys due", daemon=True
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
        while not self._stop.wait(self._look_every_s):
            try:
                if self._is_publishing():
                    self.look(clock.now())
            except StorageError:
                pass  # tried again at the next look
            except PhitrailError as error:
                self.failure = error
                return

    def look(self, now: datetime) -> int:
        """Record what was not told yet; return how many events that were.

        Raises:
            ConfigError: the register is missing or damaged.
            IntegrityError: the register is not signed by this trail's keys.
            StorageError: a file cannot be read, or nothing was recorded.
        """
        events = self.news(now)
        for event in events:
            try:
                self._trail.recorder.record(event, now)
            except ConflictError:
                continue  # told meanwhile by a process that reads another policy.yaml
        return len(events)

    def news(self, now: datetime) -> list[CallerEvent]:
        """Make the events that say what was not told yet; nothing is recorded.

        Raises:
            ConfigError: the register is missing or damaged.
            IntegrityError: the register is not signed by this trail's keys.
            StorageError: a file cannot be read.
        """
        trail = self._trail
        with holding_keys(trail.directory):  # no change is half in its place
            register = current_register(trail.directory)
        return self._untold(
            [event_of(one) for one in _due(register, trail.policy.keys, now)]
        )

    def _untold(self, events: Sequence[CallerEvent]) -> list[CallerEvent]:
        if not events:
            return []
        keys = [uuid_bytes(one.event_id or "") + _FIRST_PART for one in events]
        with closing(self._trail.journal()) as journal:
            told = journal.find_events(keys)
        return [one for one, key in zip(events, keys, strict=True) if key not in told]
