"""What is to be said of the sources and was not said yet.

1. Numbers that are missing are told once they have been noticed for longer than an event
   may be late. A gap of which a part was told is told for the rest.
2. Numbers that were told missing and are in the log now are healed, by one piece of news
   for each unbroken run of them.
3. A silence is told once, also when it is over already.

What was told is what the events in the log say, whoever wrote them: `object_id` is the
source, `source_event_id` the numbers as `epoch:first-last`, or the epoch of a silence,
which began at the event's own time.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from phitrail.events.codes import EventType
from phitrail.projection.completeness import NUMBERED, Asked, Epoch, read_epochs

_TOLD: Final = (
    "SELECT event_type, object_id, source_event_id, timestamp_utc FROM audit WHERE "
    "event_type IN ('source_gap', 'source_gap_healed', 'source_silent') "
    "AND service_component = 'phitrail' ORDER BY idx"
)
_CAME: Final = (
    f"WITH numbered AS ({NUMBERED}) SELECT max(received_at) AS came_at FROM numbered "
    "WHERE source_id = ? AND epoch = ? AND seq BETWEEN ? AND ?"
)

Span: TypeAlias = tuple[int, int]
"""Numbers from the first to the last, both included."""
Place: TypeAlias = tuple[str, int]
"""A source and an epoch."""


@dataclass(frozen=True, slots=True)
class News:
    """One thing to be said: its kind, of which epoch, since when, and which numbers."""

    kind: EventType
    source_id: str
    epoch: int
    at: datetime
    span: Span | None = None


@dataclass(slots=True)
class _Told:
    missing: defaultdict[Place, list[Span]] = field(
        default_factory=lambda: defaultdict(list)
    )
    healed: defaultdict[Place, list[Span]] = field(
        default_factory=lambda: defaultdict(list)
    )
    silent: set[tuple[Place, datetime]] = field(default_factory=set)


def read_news(
    tables: Asked, now: datetime, *, late_after: timedelta, silent_after: timedelta
) -> list[News]:
    """Read what is new at a time.

    Args:
        tables: where the logs stand as tables.
        now: up to when silences are counted (aware).
        late_after: how long an event may take to arrive.
        silent_after: how long a living source may send nothing.

    Raises:
        InputError: it took too long.
        StorageError: a file cannot be read.
    """
    told = _read_told(tables)
    epochs = read_epochs(tables, now, silent_after)
    return [
        *(one for epoch in epochs for one in _of_epoch(epoch, told, now - late_after)),
        *_healed(tables, epochs, told),
    ]


def _of_epoch(epoch: Epoch, told: _Told, noticed_before: datetime) -> Iterator[News]:
    place = (epoch.source_id, epoch.epoch)
    for gap in epoch.gaps:
        if gap.noticed_at <= noticed_before:
            for span in subtract([(gap.first, gap.last)], told.missing[place]):
                yield News(EventType.SOURCE_GAP, *place, gap.noticed_at, span)
    for silence in epoch.silences:
        if (place, silence.since) not in told.silent:
            yield News(EventType.SOURCE_SILENT, *place, silence.since)


def _healed(tables: Asked, epochs: Iterable[Epoch], told: _Told) -> Iterator[News]:
    missing = {
        (epoch.source_id, epoch.epoch): [(gap.first, gap.last) for gap in epoch.gaps]
        for epoch in epochs
    }
    for place, spans in told.missing.items():
        if place not in missing:
            continue  # told by somebody of an epoch that nothing here knows
        came = subtract(subtract(spans, missing[place]), told.healed[place])
        for span in came:
            (row,) = tables.ask(_CAME, [*place, *span]).to_pylist()
            if row["came_at"] is not None:
                at = row["came_at"].replace(tzinfo=UTC)
                yield News(EventType.SOURCE_GAP_HEALED, *place, at, span)


def _read_told(tables: Asked) -> _Told:
    told = _Told()
    for row in tables.ask(_TOLD).to_pylist():
        epoch, _, numbers = (row["source_event_id"] or "").partition(":")
        if not epoch.isdecimal():
            continue
        place = (row["object_id"], int(epoch))
        if row["event_type"] == EventType.SOURCE_SILENT:
            told.silent.add((place, row["timestamp_utc"].replace(tzinfo=UTC)))
            continue
        first, _, last = numbers.partition("-")
        if first.isdecimal() and last.isdecimal():
            is_gap = row["event_type"] == EventType.SOURCE_GAP
            spans = told.missing if is_gap else told.healed
            spans[place].append((int(first), int(last)))
    return told


def subtract(spans: Iterable[Span], others: Sequence[Span]) -> list[Span]:
    """Give the numbers of `spans` that are in none of `others`, as unbroken runs."""
    left: list[Span] = []
    taken = sorted(others)
    for first, last in _joined(spans):
        at = first
        for begin, end in taken:
            if end < at or begin > last:
                continue
            if begin > at:
                left.append((at, begin - 1))
            at = max(at, end + 1)
        if at <= last:
            left.append((at, last))
    return left


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Join spans that overlap or touch."""
    joined: list[Span] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined
