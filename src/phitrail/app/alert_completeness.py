"""What was known to be missing when an alert was told: its `completeness_digest`.

1. Detection sees the events that say what is missing as it sees all others: numbers of a
   source that never came and that came later, silent sources, spools, counts of others that
   differ, clocks that are wrong, rows and groups that it did not judge itself.
2. A statement lists those that happened in the hours that the window of the alert touches and
   that stood before the rows that were judged then. It holds entries, kinds and sources, and
   nobody's data. It stands among the sealed documents under its digest; alerts of the same
   hours share one.
3. It follows from the rows in their order, so a replay after a crash makes the same one.
   What came to be known later is in a later move, or in a completeness statement.
4. The newest `MOST_KEPT` such events are kept; a statement over a time before them says so
   (`is_whole`).
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from phitrail.app.documents import open_document
from phitrail.app.wiring import Trail
from phitrail.detect.alert_marks import entry_of, time_of
from phitrail.detect.tail_state import MissingState
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import EventType

SCHEMA = "phitrail/alert-completeness/v1"
MOST_KEPT = 1_000
HOUR_US = 3_600_000_000
KINDS = frozenset(
    {
        EventType.SOURCE_GAP,
        EventType.SOURCE_GAP_HEALED,
        EventType.SOURCE_SILENT,
        EventType.SPOOL_STARTED,
        EventType.SPOOL_REPLAYED,
        EventType.SOURCE_RECONCILED,
        EventType.CLOCK_SKEWED,
        EventType.DETECTION_DEGRADED,
    }
)


class KnownMissing:
    """The events that say what is missing, as far as rows were judged."""

    def __init__(self, keep: Callable[[bytes], str]) -> None:
        """Begin with none.

        Args:
            keep: makes a document durable and gives its digest.
        """
        self._keep = keep
        self._known: list[MissingState] = []
        self._whole_from_us = 0
        self._digests: dict[tuple[int, int], str] = {}

    def see(self, record: object, at_us: int, ref: int) -> None:
        """Take one row; most say nothing of what is missing."""
        kind = getattr(record, "event_type", None)
        if kind not in KINDS:
            return
        self._known.append(
            MissingState(
                at_us,
                ref,
                str(kind.value),
                getattr(record, "object_id", None) or "",
                getattr(record, "reason_code", None) or "",
                getattr(record, "result_count", None) or 0,
            )
        )
        self._digests.clear()
        if len(self._known) > MOST_KEPT:
            oldest = min(self._known, key=lambda one: one.at)
            self._known.remove(oldest)
            self._whole_from_us = max(self._whole_from_us, oldest.at + 1)

    def digest(self, from_us: int, until_us: int) -> str:
        """Keep the statement over the hours that a window touches; give its digest.

        Raises:
            StorageError: it could not be kept.
        """
        hours = (from_us // HOUR_US, until_us // HOUR_US + 1)
        known = self._digests.get(hours)
        if known is None:
            known = self._digests[hours] = self._keep(
                self._statement(hours[0] * HOUR_US, hours[1] * HOUR_US)
            )
        return known

    def _statement(self, from_us: int, until_us: int) -> bytes:
        found = [one for one in self._known if from_us <= one.at < until_us]
        return encode_canonical(
            {
                "schema": SCHEMA,
                "from": time_of(from_us),
                "until": time_of(until_us),
                "is_whole": from_us >= self._whole_from_us,
                "missing": [
                    {
                        "entry": entry_of(one.ref),
                        "at": time_of(one.at),
                        "event_type": one.kind,
                        "object_id": one.of,
                        "reason_code": one.reason,
                        "count": one.count,
                    }
                    for one in sorted(found, key=lambda one: (one.at, one.ref))
                ],
            }
        )

    def dump(self) -> tuple[int, tuple[MissingState, ...]]:
        """Write what is known."""
        return self._whole_from_us, tuple(self._known)

    def load(self, whole_from_us: int, known: Iterable[MissingState]) -> None:
        """Take over what another one knew."""
        self._whole_from_us, self._known = whole_from_us, list(known)
        self._digests.clear()


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """One event that says that something is missing."""

    entry: str
    at: str
    event_type: str
    object_id: str
    reason_code: str
    count: int


class AlertCompleteness(msgspec.Struct, frozen=True, kw_only=True):
    """What was known to be missing in the hours of an alert."""

    schema: str
    from_: str = msgspec.field(name="from")
    until: str
    is_whole: bool
    missing: tuple[Missing, ...]


def read_completeness_of(trail: Trail, digest: str | None) -> AlertCompleteness | None:
    """Read the statement that an alert names; None where none is kept here.

    Raises:
        RefusedError: it is in quarantine: its key is compromised.
        IntegrityError: it was altered.
    """
    text = None if digest is None else open_document(trail, digest)
    if text is None:
        return None
    plain: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    return msgspec.convert(plain, AlertCompleteness)
