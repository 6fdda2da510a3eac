"""Programs that number what they record, at times that a test chooses.

Everything goes through the real recorder; only the clock is the test's. A batch that is
dropped is what it is in the field: numbers that were given, and events that never came.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from phitrail.app.source_watch import SourceWatcher
from phitrail.app.sources import add_source, begin_epoch, open_epoch
from phitrail.app.wiring import Trail, open_trail
from phitrail.capture.source import Source
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import Assurance, EventType, Outcome
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.protected import Protected

MINUTE = timedelta(minutes=1)


@contextmanager
def opened(directory: Path, source: Source | None = None) -> Iterator[Trail]:
    """Open a trail for a moment."""
    trail = open_trail(directory, source=source)
    try:
        yield trail
    finally:
        trail.close()


def register(
    directory: Path, name: str, now: datetime, *, is_replacing: bool = False
) -> Protected[str]:
    """Register a source; give its credential."""
    with opened(directory) as trail:
        return add_source(trail, name, by="officer", now=now, is_replacing=is_replacing)


def read_event(
    now: datetime, user: str = "dr-0012", patient: str = "mrn-1"
) -> CallerEvent:
    """Give a read of one record, as it is recorded outside of any access."""
    return AuditEvent(
        event_type=EventType.PHI_READ,
        timestamp_utc=format_time(now),
        user_id=user,
        assurance=Assurance.ENFORCED,
        records=((Protected(patient), Protected("note-1"), "DocumentReference"),),
    )


class Program:
    """A source at work in an open trail."""

    def __init__(self, trail: Trail, source: Source) -> None:
        self.trail = trail
        self.source = source

    def beat(self, now: datetime) -> None:
        """Send a heartbeat."""
        self.trail.recorder.record(self.source.heartbeat(now), now)

    def record(self, now: datetime, **fields: str) -> None:
        """Record one event."""
        self.trail.recorder.record(read_event(now, **fields), now)

    def access(self, now: datetime, *, is_closed: bool = True, **fields: str) -> str:
        """Open an access and, unless it is left open, close it."""
        access_id = new_uuid7(now)
        opening = read_event(now, **fields)
        closing: CallerEvent = AuditEvent(
            event_type=EventType.ACCESS_CLOSED,
            access_id=access_id,
            timestamp_utc=format_time(now),
            user_id=fields.get("user", "dr-0012"),
            outcome=Outcome.RELEASED,
            assurance=Assurance.ENFORCED,
        )
        self.trail.recorder.record(_of_access(opening, access_id), now)
        if is_closed:
            self.trail.recorder.record(closing, now)
        return access_id

    def drop(self, count: int) -> tuple[int, int]:
        """Give numbers to events that are then lost; say which numbers."""
        taken = [self.source.take() for _ in range(count)]
        return taken[0], taken[-1]

    def late(self, number: int, now: datetime) -> None:
        """Let an event come after all, under the number that it was given."""
        self.source.give_back(number)
        self.record(now)

    def close(self, now: datetime) -> None:
        """End in order."""
        self.trail.recorder.record(self.source.closing(now), now)


def _of_access(event: CallerEvent, access_id: str) -> CallerEvent:
    return replace(event, access_id=access_id)


@contextmanager
def program(
    directory: Path, credential: Protected[str], now: datetime
) -> Iterator[Program]:
    """Start a program; it is left as a crash leaves it unless the test closes it."""
    source = begin_epoch(directory, credential, now)
    with opened(directory, source) as trail:
        open_epoch(trail, source)
        yield Program(trail, source)


def look(directory: Path, now: datetime) -> int:
    """Look once as the process that publishes does."""
    with opened(directory) as trail:
        return SourceWatcher(trail, is_publishing=lambda: True).look(now)
