"""What went wrong with the sources, said once, while the trail is open.

Whoever publishes looks at the numbers of all sources every minute and records, in the
audit log, `source_gap`, `source_gap_healed` and `source_silent`; what is news is decided in
`projection.source_news`.

1. What was told already is read from the log itself; no file remembers it. So a process
   that begins anew, or takes over, tells nothing a second time.
2. The time of the event is that of what it says (the gap was noticed, the last missing
   number came, the source was last heard), and its id follows from what it says: two that
   look at once record one event.
3. A look over a long log takes long: the next one waits twenty times as long as the last
   took. DuckDB is loaded where `sources.yaml` names a source, and not before.

A trail that nobody has open is not watched; the next one who opens it tells what was
missed. Alerts are made by rules over these events.
"""

import hashlib
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from phitrail.app import clock
from phitrail.app.config import read_sources
from phitrail.app.wiring import Trail
from phitrail.capture.source import COMPONENT
from phitrail.errors import InputError, PhitrailError, StorageError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import ActorType, Assurance, AttributionBasis
from phitrail.events.ids import RANDOM_BYTES, format_time, new_uuid7
from phitrail.projection.source_news import News, read_news

LOOK_EVERY_S: Final = 60.0
REST: Final = 20
RECORDED_AT_ONCE: Final = 200


class SourceWatcher:
    """Looks at the sources of one trail while its process publishes."""

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
            target=self._run, name="phitrail sources", daemon=True
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
        wait_s = self._look_every_s
        while not self._stop.wait(wait_s):
            begun_us = clock.monotonic_us()
            try:
                if self._is_publishing():
                    self.look(clock.now())
            except (StorageError, InputError):
                pass  # tried again at the next look
            except PhitrailError as error:
                self.failure = error
                return
            took_s = (clock.monotonic_us() - begun_us) / 1_000_000
            wait_s = max(self._look_every_s, REST * took_s)

    def look(self, now: datetime) -> int:
        """Record what is new; return how many events that were.

        Raises:
            ConfigError: the volume is not what policy requires, or `sources.yaml` is wrong.
            InputError: the tables took too long to answer.
            IntegrityError: a log is shorter than its tables.
            StorageError: a file cannot be read, or nothing was recorded.
        """
        events = self.news(now)
        for at in range(0, len(events), RECORDED_AT_ONCE):
            self._trail.recorder.record_many(events[at : at + RECORDED_AT_ONCE], now)
        return len(events)

    def news(self, now: datetime) -> list[CallerEvent]:
        """Make the events that say what is new; nothing is recorded.

        Raises:
            ConfigError: the volume is not what policy requires, or `sources.yaml` is wrong.
            InputError: the tables took too long to answer.
            IntegrityError: a log is shorter than its tables.
            StorageError: a file cannot be read.
        """
        if not read_sources(self._trail.directory):
            return []
        from phitrail.app.tables import open_tables  # noqa: PLC0415 - loads DuckDB

        policy = self._trail.policy
        with open_tables(self._trail, now) as tables:
            news = read_news(
                tables,
                now,
                late_after=timedelta(seconds=policy.source_late_after_s),
                silent_after=timedelta(seconds=policy.source_silent_after_s),
            )
        return [event_of(one) for one in news]


def event_of(news: News) -> CallerEvent:
    """Make the event that says a piece of news; the same news gives the same event."""
    numbers = f"{news.epoch}"
    count = None
    if news.span is not None:
        first, last = news.span
        numbers, count = f"{news.epoch}:{first}-{last}", last - first + 1
    at = format_time(news.at)
    said = f"phitrail/source-news/v1|{news.kind}|{news.source_id}|{numbers}|{at}"
    entropy = hashlib.sha256(said.encode()).digest()[:RANDOM_BYTES]
    return AuditEvent(
        event_type=news.kind,
        event_id=new_uuid7(news.at, entropy),
        timestamp_utc=at,
        actor_type=ActorType.SERVICE,
        attribution_basis=AttributionBasis.STATIC,
        object_id=news.source_id,
        source_event_id=numbers,
        result_count=count,
        service_component=COMPONENT,
        assurance=Assurance.ENFORCED,
    )
