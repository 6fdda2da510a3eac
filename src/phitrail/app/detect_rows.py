"""Committed rows of the three logs, as detection reads them.

1. Rows of a log come in its order. Between logs the earlier time of receipt goes first, as
   far as is committed: an order that somebody else may see otherwise, so whoever judges rows
   notes where a batch of them ends (`app.detect_state`). Between the same ends the order is
   the same for everybody.
2. What is read is what the log itself may read, under compromised keys too.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from heapq import merge
from itertools import islice
from typing import NamedTuple

from phitrail.app.wiring import Trail
from phitrail.events.canonical import LeafRecord, decode_leaf
from phitrail.events.codes import Log
from phitrail.events.ids import parse_time
from phitrail.tlog.reader import LogReader

READ_AT_ONCE = 1_024
_LOGS = tuple(Log)


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

    def rows(self, starts: Sequence[int], ends: Sequence[int]) -> Iterator[Fed]:
        """Read the rows between two places, in the order in which they are judged.

        Raises:
            IntegrityError: an entry is missing or altered.
            StorageError: it cannot be read.
        """
        logs = [
            self._rows_of(place, start, end)
            for place, (start, end) in enumerate(zip(starts, ends, strict=True))
        ]
        return merge(*logs, key=_order)

    def ends_after(self, starts: Sequence[int], rows: Sequence[Fed]) -> tuple[int, ...]:
        """Say where each log stands after these rows."""
        ends = list(starts)
        for row in rows:
            ends[row.place] = row.idx + 1
        return tuple(ends)

    def is_known(self, event_id: str) -> bool:
        """Say whether an event stands in a log."""
        key = bytes.fromhex(event_id.replace("-", ""))
        return bool(self._journal.events_between(key + b"\x00\x00", key + b"\xff\xff"))

    def _rows_of(self, place: int, start: int, end: int) -> Iterator[Fed]:
        for first in range(start, end, READ_AT_ONCE):
            last = min(end, first + READ_AT_ONCE)
            entries = self._readers[place].entries(first, last)
            for index, leaf in enumerate(entries, start=first):
                record = decode_leaf(leaf)
                received = getattr(record, "received_at", None) or ""
                yield Fed(received, place, index, record)


def take_batch(rows: Iterator[Fed], most: int) -> list[Fed]:
    """Take the next rows, so many at most."""
    return list(islice(rows, most))


def received_us(row: Fed) -> int:
    """Say when a row was received, in microseconds since 1970; 0 for the log's own."""
    if not row.received:
        return 0
    return int(parse_time(row.received).timestamp() * 1_000) * 1_000


def _order(row: Fed) -> tuple[str, int]:
    return (row.received, row.place)
