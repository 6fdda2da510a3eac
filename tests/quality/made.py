"""Small quality logs, made row by row and opened as tables without a trail."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from phitrail.events.codes import FeedbackValue, FlagReason, Log
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.quality import Feedback, QualityEntry, Rollout
from phitrail.projection.fold import Folder, connect
from phitrail.projection.tables import LogState, Tables

START = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday."""
EXAMPLES = 60 if os.environ.get("PHITRAIL_LONG") else 5
"""How many logs a property is tried on; each is folded and asked anew."""
Record = msgspec.Struct
"""A `QualityEntry`, `Feedback` or `Rollout`."""


def at(hours: float) -> datetime:
    """Give a time so many hours after the start."""
    return START + timedelta(hours=hours)


def event_id(number: int) -> str:
    """Give the same id for the same number."""
    return new_uuid7(START, number.to_bytes(10, "big"))


def request(
    number: int,
    hours: float,
    *,
    received: float | None = None,
    version: str | None = "v1",
    use_case: str | None = "chart_qa",
    **fields: object,
) -> Record:
    """Make a request; `hours` after the start, received then or later."""
    entry = QualityEntry(
        request_id=f"req-{number}",
        event_id=event_id(number),
        timestamp_utc=format_time(at(hours)),
        received_at=format_time(at(hours if received is None else received)),
        model_id="model",
        model_version=version,
        use_case=use_case,
    )
    return msgspec.structs.replace(entry, **fields)


def rating(
    number: int,
    of: int,
    received: float,
    value: str | None = "positive",
    *,
    rater: str | None = None,
    flag: str | None = None,
    supersedes: int | None = None,
) -> Record:
    """Make a rating of request `of`."""
    return Feedback(
        request_id=f"req-{of}",
        event_id=event_id(number),
        timestamp_utc=format_time(at(received)),
        received_at=format_time(at(received)),
        rater=rater,
        value=None if value is None else FeedbackValue(value),
        flag_reason=None if flag is None else FlagReason(flag),
        supersedes=None if supersedes is None else event_id(supersedes),
    )


def rollout(
    number: int,
    starts: float,
    version: str,
    *,
    use_case: str | None = "chart_qa",
    received: float | None = None,
) -> Record:
    """Make a rollout that starts then."""
    return Rollout(
        model_id="model",
        model_version=version,
        event_id=event_id(number),
        use_case=use_case,
        starts_at=format_time(at(starts)),
        timestamp_utc=format_time(at(starts)),
        received_at=format_time(at(starts if received is None else received)),
    )


def open_log(records: Iterable[Record], place: Path | None = None) -> Tables:
    """Open tables whose quality log holds these records, in this order."""
    connection = connect(threads=1, memory_mb=400, spill=place)
    leaves = [msgspec.json.encode(one) for one in records]
    tail = Folder(Log.QUALITY, connection).fold(0, leaves) if leaves else None
    states = [
        LogState(log, (), place or Path(), tail if log is Log.QUALITY else None, size)
        for log, size in ((Log.AUDIT, 0), (Log.SECURITY, 0), (Log.QUALITY, len(leaves)))
    ]
    return Tables.open(states, connection)
