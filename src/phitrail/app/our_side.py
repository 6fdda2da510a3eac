"""Our own record as one side of a reconciliation, out of the tables.

1. Openings only: what was read, written, exported or asked of a model. Imported history
   counts like everything else, and is counted apart.
2. By request, a row an opening; by access, a row for each patient that an opening names,
   its parts taken together.
3. What must be equal is hashed as `app.their_rows.hash_key` hashes theirs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa

from phitrail.app.reconciliation import OurRow
from phitrail.capture.history.compared import Comparison
from phitrail.events.ids import format_time
from phitrail.projection.tables import Tables
from phitrail.projection.views import OPENINGS

TIMEOUT_S: Final = 600.0
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
_ROWS: Final[Mapping[Comparison, str]] = {
    Comparison.REQUEST: "SELECT md5_number_lower(? || request_id) AS key, "
    "epoch_us(timestamp_utc) AS at_us, idx AS place FROM audit "
    f"WHERE event_type IN {OPENINGS} AND request_id IS NOT NULL "
    "ORDER BY place",
    Comparison.ACCESS: "SELECT md5_number_lower(? || user_id || chr(10) || patient) "
    "AS key, epoch_us(min(timestamp_utc)) AS at_us, min(idx) AS place "
    f"FROM records_touched WHERE event_type IN {OPENINGS} AND user_id IS NOT NULL "
    "AND patient <> '' AND timestamp_utc >= ? AND timestamp_utc < ? "
    "GROUP BY event_id, user_id, patient ORDER BY place, key",
}
_HAS_NO_KEY: Final[Mapping[Comparison, str]] = {
    Comparison.REQUEST: "request_id IS NULL",
    Comparison.ACCESS: "user_id IS NULL OR idx NOT IN "
    "(SELECT idx FROM audit_records WHERE patient <> '')",
}
_BEGINNING: Final = (
    "SELECT epoch_us(least(min(timestamp_utc), min(created_at))) FROM audit"
)


@dataclass(frozen=True, slots=True)
class Window:
    """The time whose rows are counted: from `since` on, before `until`, microseconds."""

    since: int
    until: int

    def widened(self, by: timedelta) -> "Window":
        """Widen it on both ends."""
        return Window(self.since - by // MICROSECOND, self.until + by // MICROSECOND)


@dataclass(frozen=True, slots=True)
class Beside:
    """Openings within the window: those without a key, and those of imported history."""

    without_key: int
    imported: int


def log_begins_us(tables: Tables) -> int:
    """Say when the log begins: its founding, or the earliest time that it tells of."""
    return int(tables.ask(_BEGINNING, timeout_s=TIMEOUT_S).column(0)[0].as_py())


def our_rows(tables: Tables, by: Comparison, salt: str, window: Window) -> pa.Table:
    """Read rows of `SIDE_SCHEMA`: of any time by request, of the window by access.

    Raises:
        InputError: it took too long.
        StorageError: a file cannot be read.
    """
    values: list[object] = [salt]
    if by is Comparison.ACCESS:
        values += [_stamp(window.since), _stamp(window.until)]
    return tables.ask(_ROWS[by], values, timeout_s=TIMEOUT_S)


def read_beside(tables: Tables, by: Comparison, window: Window) -> Beside:
    """Count what cannot be compared, and what was imported.

    Raises:
        InputError: it took too long.
        StorageError: a file cannot be read.
    """
    row = tables.ask(
        f"SELECT count(DISTINCT event_id) FILTER ({_HAS_NO_KEY[by]}), "
        "count(DISTINCT event_id) FILTER (assurance = 'imported') FROM audit "
        f"WHERE event_type IN {OPENINGS} AND timestamp_utc >= ? AND timestamp_utc < ?",
        [_stamp(window.since), _stamp(window.until)],
        timeout_s=TIMEOUT_S,
    )
    return Beside(*(int(row.column(n)[0].as_py()) for n in range(2)))


def name_ours(tables: Tables, rows: pa.Table) -> pa.Table:
    """Read event id and time of the entries that rows name, one for each row.

    Raises:
        InputError: it took too long.
        StorageError: a file cannot be read.
    """
    return tables.ask(
        "SELECT idx, event_id::VARCHAR, epoch_us(timestamp_utc) FROM audit "
        "JOIN (SELECT unnest(?::BIGINT[]) AS idx) USING (idx) ORDER BY idx",
        [rows.column("place").to_pylist()],
        timeout_s=TIMEOUT_S,
    )


def shown_ours(named: pa.Table) -> Iterator[OurRow]:
    """Give the rows of `name_ours` one by one."""
    for batch in named.to_batches():
        columns = (column.to_pylist() for column in batch.columns)
        for index, event_id, at_us in zip(*columns, strict=True):
            yield OurRow(index=index, event_id=event_id, time=written(at_us))


def written(at_us: int) -> str:
    """Write microseconds since 1970 as a time."""
    return format_time(EPOCH + timedelta(microseconds=at_us))


def microseconds(moment: datetime) -> int:
    """Count microseconds since 1970."""
    return (moment - EPOCH) // MICROSECOND


def _stamp(at_us: int) -> datetime:
    """Write a time as the tables hold it: UTC without saying so."""
    return (EPOCH + timedelta(microseconds=at_us)).replace(tzinfo=None)
