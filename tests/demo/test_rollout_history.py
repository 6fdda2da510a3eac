"""The days before the demo stand in the log as if it had watched them come."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.trails import read_leaves

from phitrail.app.founding import found_trail
from phitrail.app.verification import verify_trail
from phitrail.app.wiring import open_trail
from phitrail.demo.clinic import VOCABULARY
from phitrail.demo.day import TENANT
from phitrail.demo.rollout_history import RolloutHistory, begin_of, record_history
from phitrail.demo.rollout_plan import USES, Plan
from phitrail.demo.rollout_rows import rater_name
from phitrail.events.codes import Log
from phitrail.events.ids import format_time, parse_time
from phitrail.events.quality import Feedback, QualityEntry, Rollout

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
PLAN = Plan(days=3, requests=700, rollout_hour=30)


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RolloutHistory]:
    """Give a trail with the last three days, and what was recorded."""
    directory = tmp_path_factory.mktemp("rollout") / "trail"
    found_trail(directory, TENANT, begin_of(NOW, PLAN), vocabulary=VOCABULARY)
    return directory, record_history(directory, now=NOW, plan=PLAN, seed=1)


def test_everything_that_had_come_is_there_and_nothing_later(
    trail: tuple[Path, RolloutHistory],
) -> None:
    """A log that knows what is to come would be no log."""
    directory, history = trail
    parts = open_trail(directory)
    leaves = read_leaves(parts, Log.QUALITY)[1:]
    parts.stop_writing()
    entries = [leaf for leaf in leaves if isinstance(leaf, QualityEntry)]
    ratings = [leaf for leaf in leaves if isinstance(leaf, Feedback)]
    rollouts = [leaf for leaf in leaves if isinstance(leaf, Rollout)]

    assert (len(entries), len(ratings)) == (history.requests, history.ratings)
    assert 0 < history.requests < PLAN.requests
    assert 0 < history.ratings < len(history.served.ratings)
    assert {one.use_case for one in rollouts} == {use.name for use in USES}
    assert {one.starts_at for one in rollouts} == {format_time(history.worse_since)}
    records: list[QualityEntry | Feedback | Rollout] = [*entries, *ratings, *rollouts]
    for leaf in records:
        assert leaf.timestamp_utc is not None
        assert leaf.received_at is not None
        waited = parse_time(leaf.received_at) - parse_time(leaf.timestamp_utc)
        assert waited == timedelta(0)
        assert leaf.received_at <= format_time(NOW)
    received = [str(leaf.received_at) for leaf in entries]
    assert received == sorted(received)


def test_it_verifies_and_names_no_rater(trail: tuple[Path, RolloutHistory]) -> None:
    """Days that come in one afternoon must stand on the same promises as any other."""
    directory, history = trail
    found = verify_trail(directory, deep=True)
    left = b"".join(p.read_bytes() for p in directory.rglob("*") if p.is_file())

    assert not any(log.findings for log in found.logs)
    for number in range(history.served.plan.raters):
        assert rater_name(number).encode() not in left


def test_it_ends_with_the_day_of_now_and_begins_at_a_midnight() -> None:
    """The newest day of a summary must not be empty."""
    begin = begin_of(NOW, PLAN)

    assert (begin.hour, begin.minute) == (0, 0)
    assert begin + timedelta(days=PLAN.days) > NOW
    assert begin + timedelta(days=PLAN.days - 1) <= NOW
