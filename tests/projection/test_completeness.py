"""What is missing is found, to the number and to the second; what is not is not."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from tests.projection.source_histories import (
    LOGS,
    START,
    Sent,
    make_history,
    recount,
)

from phitrail.projection.completeness import Completeness, read_completeness

LATE = timedelta(minutes=5)
SILENT = timedelta(minutes=3)
UNTIL = START + timedelta(days=3)


class Asking:
    """The three logs as tables of a plain DuckDB."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()

    def fill(self, events: Sequence[Sent]) -> None:
        """Take these events for the logs."""
        for log in LOGS:
            rows = pa.Table.from_pylist(
                [_row(event) for event in events if event.log == log], schema=SCHEMA
            )
            self._connection.register("given", rows)
            self._connection.execute(f"CREATE OR REPLACE TABLE {log} AS FROM given")
            self._connection.unregister("given")

    def ask(self, select: str, values: Sequence[object] = ()) -> pa.Table:
        """Answer one SELECT."""
        return self._connection.sql(select, params=list(values)).to_arrow_table()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


MOMENT = pa.timestamp("us")
SCHEMA = pa.schema(
    [
        ("source_id", pa.string()),
        ("source_epoch", pa.int64()),
        ("source_seq", pa.int64()),
        ("idx", pa.int64()),
        ("event_id", pa.string()),
        ("event_type", pa.string()),
        ("timestamp_utc", MOMENT),
        ("received_at", MOMENT),
        ("assurance", pa.string()),
        ("part", pa.int64()),
    ]
)


def _row(event: Sent) -> dict[str, Any]:
    return {
        "source_id": event.source,
        "source_epoch": event.epoch,
        "source_seq": event.seq,
        "idx": event.idx,
        "event_id": str(event.event_id),
        "event_type": event.kind or None,
        "timestamp_utc": event.stamped.replace(tzinfo=None),
        "received_at": event.received.replace(tzinfo=None),
        "assurance": "enforced",
        "part": None,
    }


@pytest.fixture
def asking() -> Iterator[Asking]:
    """An empty place for histories."""
    place = Asking()
    yield place
    place.close()


def read(asking: Asking, events: Sequence[Sent]) -> Completeness:
    """Read the completeness of a history over the whole window."""
    asking.fill(events)
    return read_completeness(
        asking, START - timedelta(days=1), UNTIL, late_after=LATE, silent_after=SILENT
    )


def check_histories(asking: Asking, count: int, seed: int) -> None:
    """Compare with the plain recount, history by history, asked of all at once."""
    events: list[Sent] = []
    missing: dict[tuple[str, int], set[int]] = {}
    crashed: set[tuple[str, int]] = set()
    unopened: set[tuple[str, int]] = set()
    hours: dict[tuple[str, datetime], tuple[int, ...]] = {}
    for number in range(count):
        draw = random.Random(seed * 100_000 + number)
        history = make_history(draw, f"h{number}-", len(events))
        plain = recount(history, UNTIL, LATE, SILENT)
        missing |= plain.missing
        crashed |= plain.crashed
        unopened |= plain.unopened
        hours |= plain.hours
        events += history
    found = read(asking, events)
    epochs = {(e.source_id, e.epoch): e for e in found.epochs}

    assert {
        place: {n for gap in e.gaps for n in range(gap.first, gap.last + 1)}
        for place, e in epochs.items()
    } == missing
    assert {p for p, e in epochs.items() if e.is_crashed} == crashed
    assert {p for p, e in epochs.items() if e.opening is None} == unopened
    assert any(epoch > 1000 for _, epoch in unopened), "nobody was spoofed"
    assert {
        place: (c.received, c.missing, c.late, c.duplicate, c.silent_s)
        for place, c in found.hours.items()
    } == hours


def test_a_thousand_random_histories_agree_with_a_plain_recount(asking: Asking) -> None:
    """Two ways to count that share no code must come to the same numbers."""
    check_histories(asking, 1000, seed=2)


def week(*, without: Sequence[int] = ()) -> list[Sent]:
    """A source that beats once a minute for a while and ends in order."""
    last = 200
    kinds = {0: "source_epoch_opened", last: "source_epoch_closed"}
    return [
        Sent(
            "assistant", 1, seq, "audit", seq, seq,
            kinds.get(seq, "source_heartbeat"),
            START + timedelta(minutes=seq), START + timedelta(minutes=seq),
        )
        for seq in range(last + 1)
        if seq not in without
    ]  # fmt: skip


def test_a_healthy_source_shows_nothing(asking: Asking) -> None:
    """An alarm without a fault teaches people to look away."""
    found = read(asking, week())
    (epoch,) = found.epochs

    assert found.is_complete
    assert (epoch.given, epoch.received, epoch.is_closed) == (201, 201, True)
    assert epoch.opening == ("audit", 0)
    assert not any(
        c.missing or c.late or c.duplicate or c.silent_s for c in found.hours.values()
    )


@pytest.mark.drill
def test_what_was_lost_is_named_number_by_number(asking: Asking) -> None:
    """A count alone would not say which of the source's own records to look up."""
    (epoch,) = read(asking, week(without=(7, 8, 100))).epochs

    assert [(gap.first, gap.last) for gap in epoch.gaps] == [(7, 8), (100, 100)]
    assert epoch.missing == 3
    assert epoch.gaps[0].noticed_at == START + timedelta(minutes=9)


@pytest.mark.drill
def test_a_missing_opening_is_missing_too(asking: Asking) -> None:
    """Numbers begin with 0: whoever deletes the opening must not hide that."""
    (epoch,) = read(asking, week(without=(0,))).epochs

    assert epoch.opening is None
    assert [(gap.first, gap.last) for gap in epoch.gaps] == [(0, 0)]


def test_a_late_arrival_heals_the_gap(asking: Asking) -> None:
    """A queue that was stuck for an hour lost nothing, and the report must say so."""
    kept = week(without=(50,))
    (lost,) = [event for event in week() if event.seq == 50]
    late = replace(lost, received=lost.received + timedelta(hours=1))
    found = read(asking, [*kept, late])

    assert not found.epochs[0].gaps
    assert sum(count.late for count in found.hours.values()) == 1


def test_what_comes_after_the_window_is_not_known_in_it(asking: Asking) -> None:
    """A statement made for yesterday must come out the same tomorrow."""
    asking.fill(week())
    until: datetime = START + timedelta(minutes=100)
    found = read_completeness(
        asking, START, until, late_after=LATE, silent_after=SILENT
    )

    assert found.epochs[0].given == 100
    assert not found.epochs[0].is_closed
