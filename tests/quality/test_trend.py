"""A trend has its gaps, and a group for each series."""

import pytest
from tests.quality.made import Record, at, open_log, request, rollout

from phitrail.errors import InputError
from phitrail.events.codes import QualityMetric
from phitrail.quality.as_of import AsOf
from phitrail.quality.sql import Scope
from phitrail.quality.summary import summarize
from phitrail.quality.trend import Series, trend
from phitrail.quality.windows import parse_grouping


def series(
    log: list[Record], names: list[str], metric: QualityMetric
) -> tuple[Series, ...]:
    """Make the series of a log."""
    scope = Scope(view=AsOf(at(99)), metrics=(metric,), grouping=parse_grouping(names))
    return trend(summarize(open_log(log), scope), metric)


def test_a_day_without_a_request_is_a_gap_and_no_zero() -> None:
    """A line through the gap would invent a day."""
    log = [request(1, 1, latency_us=1000), request(2, 49, latency_us=3000)]
    (one,) = series(log, ["day"], QualityMetric.LATENCY_MEAN)

    assert [point.start for point in one.points] == [at(0), at(24), at(48)]
    assert [point.measured.value for point in one.points] == [1.0, None, 3.0]


def test_a_day_without_a_request_had_none() -> None:
    """That nobody asked is known, and is a number."""
    log = [request(1, 1), request(2, 2), request(3, 4)]
    (one,) = series(log, ["hour"], QualityMetric.REQUESTS)

    assert [point.measured.value for point in one.points] == [1, 1, 0, 1]


def test_groups_have_the_same_windows() -> None:
    """Lines that are drawn below each other must mean the same hours."""
    log = [request(1, 1), request(2, 30, version="v2"), request(3, 2, version=None)]
    found = series(log, ["day", "model-version"], QualityMetric.REQUESTS)

    assert [one.keys for one in found] == [(None,), ("v1",), ("v2",)]
    assert {len(one.points) for one in found} == {2}


def test_releases_follow_each_other() -> None:
    """Before the first rollout there is a release without a start."""
    log = [request(1, 1), request(2, 30), request(3, 60)]
    log += [rollout(10, 20, "v1"), rollout(11, 50, "v2")]
    (one,) = series(log, ["release"], QualityMetric.REQUESTS)

    assert [point.start for point in one.points] == [None, at(20), at(50)]


def test_of_nothing_there_is_no_series() -> None:
    """An empty picture is not the picture of an empty day."""
    assert series([], ["day"], QualityMetric.REQUESTS) == ()


@pytest.mark.parametrize("names", [["day", "hour"], ["day", "day"], ["week"], [""]])
def test_what_to_tell_apart_by_is_refused_when_it_is_unclear(names: list[str]) -> None:
    """A slip must not give another table than was meant."""
    with pytest.raises(InputError, match="by"):
        parse_grouping(names)
