"""What moves of alerts are marked with: entries, times, ids, and codes of ours.

The same move has the same id and time whenever it is made: its id follows from the alert, the
move and the clock of the log.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from phitrail.events.codes import Log
from phitrail.events.ids import RANDOM_BYTES, format_time, new_uuid7

MATCHED, LATE, JOINED, RULE_CHANGED = "matched", "late", "joined", "rule_changed"
_LOGS = tuple(Log)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_US = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def ref_of(log: Log, index: int) -> int:
    """Number an entry, as rows are numbered in a tail."""
    return index * len(_LOGS) + _LOGS.index(log)


def entry_of(ref: int) -> str:
    """Write which entry a number is, as evidence names it."""
    index, log = divmod(ref, len(_LOGS))
    return f"{_LOGS[log]}:{index}"


def time_of(at_us: int) -> str:
    """Write an instant; what no calendar holds is written as the nearest that one does."""
    within = min(max(at_us, 0), _MOST_US)
    return format_time(_EPOCH + timedelta(microseconds=within))


def marks_of(alert_id: str, move: str, clock_us: int) -> Mapping[str, Any]:
    """Give a move its id and time: the same for the same move."""
    at = _EPOCH + timedelta(microseconds=clock_us)
    entropy = hashlib.sha256(f"{alert_id}|{move}".encode()).digest()[:RANDOM_BYTES]
    return {"event_id": new_uuid7(at, entropy), "timestamp_utc": format_time(at)}


def us_of(written: str | None) -> int:
    """Read a time of a move."""
    assert written is not None  # noqa: S101 - every move has its time
    return (datetime.fromisoformat(written) - _EPOCH) // timedelta(microseconds=1)
