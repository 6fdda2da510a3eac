"""What was not judged as it came, and clocks that are wrong: counted, and told by events.

1. Rows behind the watermark, and groups that a rule had no room for, are gaps: `rule list`
   shows them. `detection_degraded` tells of them, once a minute for each rule and reason; what
   comes within that minute is told in the next one. Its document (`phitrail/detection-gap/v1`)
   says which rule, from when until when, and how many rows or groups.
2. `clock_skewed` tells of events that are dated too far from their receipt, once an hour for
   each source. It names the source, and no time that the source said.
3. Ids follow from the trail, the reason, whom it is about, and the minute or hour of the
   log's clock: whoever judges the same rows again tells nothing twice.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from phitrail.app.detect_state import Gap
from phitrail.detect.alert_marks import time_of
from phitrail.detect.judge import Evicted
from phitrail.detect.source_clock import Skew
from phitrail.events.alert import Alert
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import EventType, Severity
from phitrail.events.ids import RANDOM_BYTES, new_uuid7
from phitrail.events.security import SecurityEvent

BEYOND_HORIZON, STATE_CAP = "beyond_horizon", "state_cap"
DETECTOR = "detection"
GAP_SCHEMA = "phitrail/detection-gap/v1"
MINUTE_US = 60_000_000
HOUR_US = 3_600_000_000
_OURS = frozenset({EventType.DETECTION_DEGRADED, EventType.CLOCK_SKEWED})
_DATED_BY_WHAT_THEY_TELL = frozenset(
    {EventType.SOURCE_GAP, EventType.SOURCE_GAP_HEALED, EventType.SOURCE_SILENT}
)


def is_ours(record: object) -> bool:
    """Say whether detection itself wrote a record, which then makes no new one."""
    return isinstance(record, Alert) or getattr(record, "event_type", "") in _OURS


def is_dated_by_a_clock(record: object) -> bool:
    """Say whether the time of a record is that of its making.

    Of what the watcher of sources tells it is that of what is told: when a source was last
    heard.
    """
    return getattr(record, "event_type", "") not in _DATED_BY_WHAT_THEY_TELL


@dataclass(slots=True)
class _Untold:
    """A gap that no event told of yet."""

    from_us: int
    until_us: int
    rows: int

    def add(self, from_us: int, until_us: int, rows: int) -> None:
        self.from_us = min(self.from_us, from_us)
        self.until_us = max(self.until_us, until_us)
        self.rows += rows


class GapBook:
    """Gaps of one trail, and what the log is told of them."""

    def __init__(self, trail_id: str, keep: Callable[[bytes], str]) -> None:
        """Begin with none.

        Args:
            trail_id: the trail.
            keep: makes a document durable and gives its digest.
        """
        self._trail_id = trail_id
        self._keep = keep
        self._gaps: list[Gap] = []
        self._late: _Untold | None = None
        self._untold: dict[tuple[str, str], _Untold] = {}
        self._told: dict[tuple[str, str], int] = {}
        self._skewed: list[tuple[Skew, str, int]] = []

    def add(self, gap: Gap) -> None:
        """Note a gap that `rule list` shows and no event tells of."""
        self._gaps.append(gap)

    def take(self) -> list[Gap]:
        """Give the gaps since this was last asked."""
        gaps, self._gaps = self._gaps, []
        return gaps

    def beyond(self, at_us: int) -> None:
        """Note a row that came too late to be judged."""
        if self._late is None:
            self._late = _Untold(at_us, at_us, 1)
        else:
            self._late.add(at_us, at_us, 1)

    def skewed(self, skew: Skew, source: str, received_us: int) -> None:
        """Note an event that is dated too far from its receipt."""
        hour = received_us // HOUR_US
        if self._told.get((skew, source)) != hour:
            self._told[skew, source] = hour
            self._skewed.append((skew, source, hour))

    def events(
        self, clock_us: int, evicted: Mapping[str, Evicted]
    ) -> list[SecurityEvent]:
        """Say what the log is to be told, at the end of a batch of rows."""
        if self._late is not None:
            self._note(BEYOND_HORIZON, "", self._late)
            self._late = None
        for rule_id, one in evicted.items():
            found = _Untold(one.from_us, one.until_us, one.groups)
            self._note(STATE_CAP, rule_id, found)
        skewed, self._skewed = self._skewed, []
        degraded = [
            event
            for what in list(self._untold)
            if (event := self._degraded(*what, clock_us)) is not None
        ]
        return [*(self._clock(*one) for one in skewed), *degraded]

    def _note(self, reason: str, rule_id: str, found: _Untold) -> None:
        self.add(Gap(reason, found.from_us, found.until_us, found.rows, rule_id))
        known = self._untold.get((reason, rule_id))
        if known is None:
            self._untold[reason, rule_id] = found
        else:
            known.add(found.from_us, found.until_us, found.rows)

    def _degraded(
        self, reason: str, rule_id: str, clock_us: int
    ) -> SecurityEvent | None:
        minute = clock_us // MINUTE_US
        if self._told.get((reason, rule_id)) == minute:
            return None
        self._told[reason, rule_id] = minute
        found = self._untold.pop((reason, rule_id))
        document = {
            "schema": GAP_SCHEMA,
            "reason": reason,
            "rule_id": rule_id,
            "from": time_of(found.from_us),
            "until": time_of(found.until_us),
            "rows": found.rows,
        }
        return SecurityEvent(
            event_type=EventType.DETECTION_DEGRADED,
            event_id=self._id("detection-degraded", reason, rule_id, minute * 60),
            severity=Severity.HIGH,
            reason_code=reason,
            object_id=rule_id or None,
            object_digest=self._keep(encode_canonical(document)),
            detector=DETECTOR,
            service_component="phitrail",
        )

    def _clock(self, skew: Skew, source: str, hour: int) -> SecurityEvent:
        return SecurityEvent(
            event_type=EventType.CLOCK_SKEWED,
            event_id=self._id("clock-skewed", skew, source, hour * 3_600),
            severity=Severity.MEDIUM,
            reason_code=skew.value,
            object_id=source or None,
            detector=DETECTOR,
            service_component="phitrail",
        )

    def _id(self, what: str, reason: str, of: str, at_s: int) -> str:
        said = f"phitrail/{what}/v1|{self._trail_id}|{reason}|{of}|{at_s}"
        entropy = hashlib.sha256(said.encode()).digest()[:RANDOM_BYTES]
        return new_uuid7(datetime.fromtimestamp(at_s, tz=UTC), entropy)
