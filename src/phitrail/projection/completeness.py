"""What each source sent and what is known to be missing, by hour.

1. A number below the greatest one of its epoch that stands in no log is missing. It counts
   in the hour of the next greater number: that is when somebody could have noticed. An
   epoch begins with 0, so missing first numbers count too.
2. A number that several events have is a duplicate for each event beyond the first, by
   place in the log. Parts of one event are one.
3. An event is late if it was received more than `late_after` after its own time; it counts
   in the hour of its own time.
4. An epoch is silent where it sent nothing, not even a heartbeat, for longer than
   `silent_after`, from the last event on until the next one. After its closing it may be
   silent. One that was not closed is *crashed* once the source has begun a later epoch, and
   is silent until then; else it is silent until the end of the window.
5. Numbers of imported history belong to another system: they are not counted here.

An epoch's proof (who opened it) is checked by `capture.source`; here its place is given.
Times are UTC; hours are those of the clock.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

HOUR: Final = timedelta(hours=1)
_KINDS: Final = {
    "audit": "event_type",
    "security": "event_type",
    "quality": "NULL",
}
_ASSURED: Final = {"audit": "AND coalesce(assurance, '') <> 'imported'"}
_FIRST_PART: Final = {"audit": "AND coalesce(part, 0) = 0"}

NUMBERED: Final = " UNION ALL ".join(
    f"SELECT source_id, source_epoch AS epoch, source_seq AS seq, '{log}' AS log, idx, "
    f"event_id, {kind} AS kind, timestamp_utc, received_at FROM {log} WHERE "
    "source_id IS NOT NULL AND source_epoch IS NOT NULL AND source_seq IS NOT NULL "
    f"{_ASSURED.get(log, '')} {_FIRST_PART.get(log, '')}"
    for log, kind in _KINDS.items()
)
"""Every numbered event of all logs, one row each."""


class Asked(Protocol):
    """What answers a SELECT: `projection.tables.Tables`, or a connection in a test."""

    def ask(self, select: str, values: Sequence[object] = ()) -> Any:  # noqa: ANN401 - a pyarrow table
        """Answer one SELECT."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers from `first` to `last` that are in no log; noticed at `noticed_at`."""

    first: int
    last: int
    noticed_at: datetime

    @property
    def count(self) -> int:
        """How many numbers are missing."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Silence:
    """A time in which an epoch should have been heard and was not."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Epoch:
    """One process of a source, from its start to its end.

    Attributes:
        source_id: which source.
        epoch: which process.
        opening: log and index of the event that opened it; None when there is none.
        first_at: when its first event was received.
        last_at: when its newest event was received.
        is_closed: whether it ended in order.
        is_crashed: not closed, and the source has begun a later epoch.
        given: how many numbers it is known to have given.
        received: how many of them are in the log.
        duplicates: how many events have a number that another has.
        gaps: which numbers are missing.
        silences: when it was not heard.
    """

    source_id: str
    epoch: int
    opening: tuple[str, int] | None
    first_at: datetime
    last_at: datetime
    is_closed: bool
    is_crashed: bool
    given: int
    received: int
    duplicates: int
    gaps: tuple[Gap, ...] = ()
    silences: tuple[Silence, ...] = ()

    @property
    def missing(self) -> int:
        """How many numbers are missing."""
        return sum(gap.count for gap in self.gaps)


@dataclass(slots=True)
class HourCount:
    """One hour of one source; `silent_s` adds up the seconds of its epochs."""

    received: int = 0
    missing: int = 0
    late: int = 0
    duplicate: int = 0
    silent_s: int = 0


@dataclass(frozen=True, slots=True)
class Completeness:
    """What is known of all sources in a window."""

    since: datetime
    until: datetime
    epochs: tuple[Epoch, ...]
    hours: Mapping[tuple[str, datetime], HourCount] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing, doubled, silent or crashed."""
        return not any(
            e.gaps or e.silences or e.duplicates or e.is_crashed for e in self.epochs
        )


@dataclass(frozen=True, slots=True)
class SourcesRead:
    """What is known of the sources, which epochs nobody proved, and up to where.

    Attributes:
        found: the numbers.
        unproven: (source, epoch) of those without a proof, and why.
        as_of: the size of each log that was looked at.
    """

    found: Completeness
    unproven: dict[tuple[str, int], str]
    as_of: dict[str, int]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing, doubled, silent, crashed or unproven."""
        return self.found.is_complete and not self.unproven


def read_completeness(
    tables: Asked,
    since: datetime,
    until: datetime,
    *,
    late_after: timedelta,
    silent_after: timedelta,
) -> Completeness:
    """Read what is known of every source that was heard before `until`.

    Args:
        tables: where the logs stand as tables.
        since: the window's beginning, included (aware).
        until: its end, not included; silence is counted up to it.
        late_after: how long an event may take to arrive.
        silent_after: how long a living source may send nothing.

    Raises:
        InputError: it took too long.
        StorageError: a file cannot be read.
    """
    end = until.replace(tzinfo=None)
    epochs = read_epochs(tables, until, silent_after)
    seen = tuple(e for e in epochs if _is_within(e, since))
    hours: defaultdict[tuple[str, datetime], HourCount] = defaultdict(HourCount)
    _count_events(tables, hours, end, late_after)
    for epoch in epochs:
        for gap in epoch.gaps:
            hours[epoch.source_id, _hour(gap.noticed_at)].missing += gap.count
        for silence in epoch.silences:
            for hour, seconds in _by_hour(silence):
                hours[epoch.source_id, hour].silent_s += seconds
    kept = {
        place: count
        for place, count in sorted(hours.items())
        if since <= place[1] + HOUR and place[1] >= _hour(since) and place[1] < until
    }
    return Completeness(since, until, seen, kept)


def read_epochs(
    tables: Asked, until: datetime, silent_after: timedelta
) -> tuple[Epoch, ...]:
    """Read what is known of every epoch that was heard before `until`.

    Raises:
        InputError: it took too long.
        StorageError: a file cannot be read.
    """
    return tuple(_epochs(tables, until.replace(tzinfo=None), silent_after, until))


def _is_within(epoch: Epoch, since: datetime) -> bool:
    """Say whether an epoch has anything to say of the time from `since` on."""
    return epoch.last_at >= since or any(s.until > since for s in epoch.silences)


def _epochs(
    tables: Asked, end: datetime, silent_after: timedelta, until: datetime
) -> Iterator[Epoch]:
    rows = tables.ask(
        f"WITH numbered AS ({NUMBERED}) SELECT source_id, epoch, "
        "arg_min(log, idx) FILTER (kind = 'source_epoch_opened') AS opening_log, "
        "min(idx) FILTER (kind = 'source_epoch_opened') AS opening_idx, "
        "min(received_at) AS first_at, max(received_at) AS last_at, "
        "coalesce(bool_or(kind = 'source_epoch_closed'), false) AS is_closed, "
        "max(seq) + 1 AS given, count(DISTINCT seq) AS received, count(*) AS events "
        "FROM numbered WHERE received_at < ? GROUP BY source_id, epoch "
        "ORDER BY source_id, epoch",
        [end],
    ).to_pylist()
    gaps = _gaps(tables, end)
    pauses = _pauses(tables, end, silent_after)
    starts: defaultdict[str, list[datetime]] = defaultdict(list)
    for row in rows:
        starts[row["source_id"]].append(_aware(row["first_at"]))
    for row in rows:
        place = (row["source_id"], row["epoch"])
        first_at, last_at = _aware(row["first_at"]), _aware(row["last_at"])
        later = min((at for at in starts[place[0]] if at > last_at), default=None)
        is_crashed = not row["is_closed"] and later is not None
        silences = list(pauses.get(place, ()))
        heard_until = later or until
        if not row["is_closed"] and heard_until - last_at > silent_after:
            silences.append(Silence(last_at, heard_until))
        opening = None
        if row["opening_idx"] is not None:
            opening = (row["opening_log"], row["opening_idx"])
        yield Epoch(
            *place,
            opening=opening,
            first_at=first_at,
            last_at=last_at,
            is_closed=row["is_closed"],
            is_crashed=is_crashed,
            given=row["given"],
            received=row["received"],
            duplicates=row["events"] - row["received"],
            gaps=tuple(gaps.get(place, ())),
            silences=tuple(silences),
        )


def _gaps(tables: Asked, end: datetime) -> Mapping[tuple[str, int], list[Gap]]:
    rows = tables.ask(
        f"WITH numbered AS ({NUMBERED}), present AS (SELECT source_id, epoch, seq, "
        "min(received_at) AS noticed_at FROM numbered WHERE received_at < ? "
        "GROUP BY source_id, epoch, seq), neighbours AS (SELECT *, "
        "lag(seq, 1, -1) OVER (PARTITION BY source_id, epoch ORDER BY seq) AS before "
        "FROM present) SELECT source_id, epoch, before + 1 AS first, seq - 1 AS last, "
        "noticed_at FROM neighbours WHERE seq > before + 1 ORDER BY source_id, epoch, seq",
        [end],
    ).to_pylist()
    gaps: defaultdict[tuple[str, int], list[Gap]] = defaultdict(list)
    for row in rows:
        gap = Gap(row["first"], row["last"], _aware(row["noticed_at"]))
        gaps[row["source_id"], row["epoch"]].append(gap)
    return gaps


def _pauses(
    tables: Asked, end: datetime, silent_after: timedelta
) -> Mapping[tuple[str, int], list[Silence]]:
    rows = tables.ask(
        f"WITH numbered AS ({NUMBERED}), heard AS (SELECT source_id, epoch, received_at, "
        "lag(received_at) OVER (PARTITION BY source_id, epoch ORDER BY received_at) "
        "AS before FROM numbered WHERE received_at < ?) SELECT source_id, epoch, before, "
        "received_at FROM heard WHERE epoch_us(received_at) - epoch_us(before) > ? "
        "ORDER BY source_id, epoch, received_at",
        [end, silent_after // timedelta(microseconds=1)],
    ).to_pylist()
    pauses: defaultdict[tuple[str, int], list[Silence]] = defaultdict(list)
    for row in rows:
        silence = Silence(_aware(row["before"]), _aware(row["received_at"]))
        pauses[row["source_id"], row["epoch"]].append(silence)
    return pauses


def _count_events(
    tables: Asked,
    hours: defaultdict[tuple[str, datetime], HourCount],
    end: datetime,
    late_after: timedelta,
) -> None:
    rows = tables.ask(
        f"WITH numbered AS ({NUMBERED}), ranked AS (SELECT *, row_number() OVER "
        "(PARTITION BY source_id, epoch, seq ORDER BY received_at, log, idx) AS copy "
        "FROM numbered WHERE received_at < ?) "
        "SELECT source_id, date_trunc('hour', received_at) AS hour, "
        "count(*) FILTER (copy = 1) AS received, count(*) FILTER (copy > 1) AS doubled, "
        "0 AS late FROM ranked GROUP BY ALL UNION ALL "
        "SELECT source_id, date_trunc('hour', timestamp_utc), 0, 0, count(*) FROM ranked "
        "WHERE copy = 1 AND epoch_us(received_at) - epoch_us(timestamp_utc) > ? "
        "GROUP BY ALL",
        [end, late_after // timedelta(microseconds=1)],
    ).to_pylist()
    for row in rows:
        count = hours[row["source_id"], _aware(row["hour"])]
        count.received += row["received"]
        count.duplicate += row["doubled"]
        count.late += row["late"]


def _by_hour(silence: Silence) -> Iterator[tuple[datetime, int]]:
    """Cut a silence at full hours; whole seconds of each."""
    at = silence.since
    while at < silence.until:
        end = min(_hour(at) + HOUR, silence.until)
        yield _hour(at), int((end - at).total_seconds())
        at = end


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _aware(moment: datetime) -> datetime:
    """Read a time of the tables, which are in UTC without saying so."""
    return moment.replace(tzinfo=UTC)
