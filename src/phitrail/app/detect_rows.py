"""Committed rows of the three logs, as detection reads them.

1. Rows of a log come in its order. Between logs the earlier time of receipt goes first, as
   far as is committed: an order that somebody else may see otherwise, so whoever judges rows
   notes where a batch of them ends (`app.detect_state`). Between the same ends the order is
   the same for everybody.
2. What is read is what the log itself may read, under compromised keys too.
3. Rules do not see imported rows, which are history, nor the entries that found a log or end
   a key. Alerts feed them only by name (`app.rules`).
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

from phitrail.app.wiring import Trail
from phitrail.detect.alert_marks import ref_of
from phitrail.detect.enrich import Zones
from phitrail.detect.row import Row, instant_of
from phitrail.detect.tail import Episode, Tail
from phitrail.events.alert import Alert
from phitrail.events.canonical import LeafRecord, decode_leaf
from phitrail.events.codes import Assurance, Log
from phitrail.events.ids import parse_time
from phitrail.tlog.reader import LogReader

READ_AT_ONCE = 1_024
_LOGS = tuple(Log)
_EVERY: Mapping[Log, Sequence[bytes]] = MappingProxyType({})
_NEVER = "9999-12-31T23:59:59.999Z"


class Fed(NamedTuple):
    """One row: when it was received, where it stands, what it holds."""

    received: str
    place: int
    idx: int
    record: LeafRecord

    @property
    def log(self) -> Log:
        """Which log holds it."""
        return _LOGS[self.place]


@dataclass(frozen=True, slots=True)
class Seen:
    """Rows as rules see them; `alert_readers` are the rules that alerts feed."""

    zones: Zones
    alert_readers: Collection[str]

    def instant(self, record: LeafRecord) -> int | None:
        """Say when a record happened; None where rules do not see it."""
        if getattr(record, "assurance", None) == Assurance.IMPORTED:
            return None
        if isinstance(record, Alert) and (
            not self.alert_readers or record.rule_id in self.alert_readers
        ):
            return None
        return instant_of(record)

    def row(self, record: LeafRecord, at_us: int) -> Row:
        """Give what rules see of a record."""
        return Row(record, at_us, self.zones)

    def give(
        self, tail: Tail, fed: Fed, at_us: int, row: Row | None = None
    ) -> list[Episode]:
        """Give a row to a tail; say which episodes it changed."""
        return tail.take(
            fed.log,
            at_us,
            fed.record.event_id,  # type: ignore[arg-type]  # it has a time, so an id
            row or self.row(fed.record, at_us),
            is_part=getattr(fed.record, "parts", None) is not None,
            ref=ref_of(fed.log, fed.idx),
        )


class RowFeed:
    """Reads rows of one trail; for one thread."""

    def __init__(self, trail: Trail) -> None:
        """Open a reader of each log.

        Raises:
            StorageError: the journal cannot be opened.
        """
        opened = trail.behind_glass()
        self._journal = trail.journal()
        self._readers: list[LogReader] = []
        with ExitStack() as undo:
            undo.callback(self.close)
            self._readers = [opened.reader(log) for log in _LOGS]
            undo.pop_all()

    def close(self) -> None:
        """Close the readers."""
        self._journal.close()
        for reader in self._readers:
            reader.close()

    def sizes(self) -> tuple[int, ...]:
        """Count the durable entries of each log."""
        return tuple(self._journal.head(log.value).size for log in _LOGS)

    def rows(
        self,
        starts: Sequence[int],
        ends: Sequence[int],
        wanted: Mapping[Log, Sequence[bytes]] = _EVERY,
    ) -> Iterator[Fed]:
        """Read the rows between two places, in the order in which they are judged.

        Args:
            starts: from where on in each log.
            ends: until before where.
            wanted: by log, texts of which a row must hold one, before it is decoded; a log
                that is not named is read whole.

        Raises:
            IntegrityError: an entry is missing or altered.
            StorageError: it cannot be read.
        """
        logs = [
            self._rows_of(place, start, end, wanted.get(_LOGS[place]))
            for place, (start, end) in enumerate(zip(starts, ends, strict=True))
        ]
        return merge(*logs, key=_order)

    def ends_after(self, starts: Sequence[int], rows: Sequence[Fed]) -> tuple[int, ...]:
        """Say where each log stands after these rows."""
        ends = list(starts)
        for row in rows:
            ends[row.place] = row.idx + 1
        return tuple(ends)

    def starts_at(self, received: str, ends: Sequence[int]) -> tuple[int, ...]:
        """Say where each log stood when the first row was received at a time or later."""
        return tuple(
            bisect_left(range(end), received, key=self._reception(place, end))
            for place, end in enumerate(ends)
        )

    def received_at(self, place: int, index: int, end: int) -> int:
        """Say when the first row from an index on was received, in microseconds."""
        return _us_of(self._reception(place, end)(index))

    def _reception(self, place: int, end: int) -> Callable[[int], str]:
        """Give when a row was received; of the log's own entries, the row after them."""

        def received(index: int) -> str:
            for at in range(index, end):
                record = decode_leaf(self._readers[place].entry(at))
                found: str | None = getattr(record, "received_at", None)
                if found is not None:
                    return found
            return _NEVER

        return received

    def is_known(self, event_id: str) -> bool:
        """Say whether an event stands in a log."""
        key = bytes.fromhex(event_id.replace("-", ""))
        return bool(self._journal.events_between(key + b"\x00\x00", key + b"\xff\xff"))

    def _rows_of(
        self, place: int, start: int, end: int, wanted: Sequence[bytes] | None
    ) -> Iterator[Fed]:
        for first in range(start, end, READ_AT_ONCE):
            last = min(end, first + READ_AT_ONCE)
            entries = self._readers[place].entries(first, last)
            for index, leaf in enumerate(entries, start=first):
                if wanted is not None and not any(text in leaf for text in wanted):
                    continue
                record = decode_leaf(leaf)
                received = getattr(record, "received_at", None) or ""
                yield Fed(received, place, index, record)


def take_batch(rows: Iterator[Fed], most: int) -> list[Fed]:
    """Take the next rows, so many at most."""
    return list(islice(rows, most))


def received_us(row: Fed) -> int:
    """Say when a row was received, in microseconds since 1970; 0 for the log's own."""
    return _us_of(row.received) if row.received else 0


def _us_of(written: str) -> int:
    return int(parse_time(written).timestamp() * 1_000) * 1_000


def _order(row: Fed) -> tuple[str, int]:
    return (row.received, row.place)
