"""Asking a trail: what is asked for is what is counted, up to what was known then."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.trails import NOW, copy_trail

from phitrail.app.quality_answers import Asked, answer_quality, classic_metrics
from phitrail.app.wiring import Trail, open_trail
from phitrail.errors import InputError
from phitrail.events.codes import QualityMetric
from phitrail.events.ids import format_time
from phitrail.events.quality import QualityEntry
from phitrail.quality.windows import Dimension

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def trail(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trail]:
    """Open a trail with a request of v1 a day ago, one now, and one of v2 now."""
    opened = open_trail(copy_trail(founded, tmp_path_factory.mktemp("asked") / "trail"))
    for number, at in enumerate((NOW - DAY, NOW, NOW)):
        entry = QualityEntry(
            request_id=f"q-{number}",
            model_version=f"v{1 + number // 2}",
            use_case="chart_qa",
            timestamp_utc=format_time(at),
        )
        opened.recorder.record(entry, at)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("asked", "requests"),
    [
        (Asked(window=DAY), 2),
        (Asked(window=2 * DAY), 3),
        (Asked(window=2 * DAY, maturity=DAY), 1),
        (Asked(window=2 * DAY, as_of=NOW - timedelta(hours=1)), 1),
        (Asked(window=2 * DAY, only=((Dimension.MODEL_VERSION, "v1"),)), 2),
        (Asked(window=2 * DAY, only=((Dimension.USE_CASE, "triage"),)), 0),
        (Asked(window=2 * DAY, only=((Dimension.FACILITY, "main"),)), 0),
    ],
)
def test_only_what_is_asked_for_is_counted(
    trail: Trail, asked: Asked, requests: int
) -> None:
    """An option that is dropped in silence gives a number of something else."""
    cells = answer_quality(trail, asked, now=NOW).cells

    assert requests == sum(cell.measured[QualityMetric.REQUESTS].n for cell in cells)


def test_a_time_that_has_not_come_is_refused(trail: Trail) -> None:
    """The answer would be another one when it has."""
    with pytest.raises(InputError, match="as_of"):
        answer_quality(
            trail, Asked(window=DAY, as_of=NOW + timedelta(seconds=1)), now=NOW
        )


@pytest.mark.parametrize("window", [timedelta(0), -DAY, 21 * 366 * DAY])
def test_a_window_has_a_length(trail: Trail, window: timedelta) -> None:
    """Nothing would be found, and it would look like a quiet day."""
    with pytest.raises(InputError, match="window"):
        classic_metrics(trail, window, now=NOW)
