"""`compute_ai_quality_metrics`: nine numbers by name, and nothing made up."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from phitrail.errors import InputError
from phitrail.events.ids import format_time
from phitrail.events.quality import QualityEntry
from phitrail.quality.metric import CLASSIC
from phitrail.sdk import Trail, aconnect, connect
from phitrail.sdk.clock import now


@pytest.fixture
def trail(trail_dir: Path) -> Iterator[Trail]:
    """Give an open trail."""
    with connect(trail_dir) as opened:
        yield opened


def test_without_a_request_there_is_nothing(trail: Trail) -> None:
    """Zeros of nothing would be read as a fast model without a citation."""
    assert trail.compute_ai_quality_metrics() == {}


def test_nine_numbers_come_by_name(trail: Trail) -> None:
    """A zero that was measured counts, what nobody said does not."""
    trail.record_many(
        [
            QualityEntry(
                request_id=f"q-{number}",
                latency_us=1_000_000 * (number + 1),
                top_retrieval_score_e6=score,
                cache_hit=number == 0,
                citation_count=number,
            )
            for number, score in enumerate((0, 500_000, None))
        ]
    )
    trail.feedback("q-0", rater="dr-1", value="positive")
    trail.feedback("q-2", rater="dr-1", value="negative")

    found = trail.compute_ai_quality_metrics(time_window_hours=24)

    assert list(found) == [name.value for name in CLASSIC]
    assert found == {
        "requests": 3,
        "latency_mean": 2000.0,
        "latency_p95": pytest.approx(2900.0),
        "cache_hit_rate": pytest.approx(1 / 3),
        "content_filter_rate": None,
        "disclaimer_rate": None,
        "citations_mean": 1.0,
        "top_score_mean": 0.25,
        "positive_rate": 0.5,
    }


def test_requests_before_the_window_are_left_out(trail: Trail) -> None:
    """A window that reaches too far hides what changed in it."""
    old = format_time(now() - timedelta(hours=2))
    trail.record(QualityEntry(request_id="q-1", timestamp_utc=old, latency_us=1))

    assert trail.compute_ai_quality_metrics(1) == {}
    assert trail.compute_ai_quality_metrics(3)["requests"] == 1


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf"), True])
def test_no_length_of_time_is_refused(trail: Trail, hours: float) -> None:
    """A slip must not look like a day without requests."""
    with pytest.raises(InputError, match="time_window_hours"):
        trail.compute_ai_quality_metrics(hours)


async def _measured(place: Path) -> dict[str, float | int | None]:
    async with await aconnect(place) as trail:
        await trail.record(QualityEntry(request_id="q-1", refused=True))
        return await trail.compute_ai_quality_metrics()


def test_an_event_loop_gets_the_same(trail_dir: Path) -> None:
    """A service that awaits must not have to open the trail twice."""
    assert asyncio.run(_measured(trail_dir))["requests"] == 1
