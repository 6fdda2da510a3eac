"""Differences, ratios and shifts claim what they say, and bound what is true."""

import math

import numpy as np
import pytest

from phitrail.events.codes import QualityMetric
from phitrail.quality.betting import Claim, log_e_now
from phitrail.quality.effects import Lines, difference, ratio, shift
from phitrail.quality.frozen import freeze
from phitrail.quality.metric import METRICS
from phitrail.quality.pairs import Plan

POSITIVE = METRICS[QualityMetric.POSITIVE_RATE]
ERRORS = METRICS[QualityMetric.ERROR_RATE]
CITATIONS = METRICS[QualityMetric.CITATIONS_MEAN]
LATENCY = METRICS[QualityMetric.LATENCY_MEAN]
P95 = METRICS[QualityMetric.LATENCY_P95]


def fair(claim: Claim) -> float:
    """Say how far the values lie from what is claimed: 0 at the edge of the null."""
    return float(claim.values.mean() - claim.null)


def one_by_one(count: int) -> Plan:
    """Pair the k-th row with the k-th row."""
    numbers = np.arange(count, dtype=np.int64)
    return Plan(numbers + 1, numbers, numbers, numbers, is_concurrent=True)


def test_a_rate_that_fell_by_the_least_effect_is_at_the_edge_of_worse() -> None:
    """Two points of a hundred are not yet a regression, and not yet no regression."""
    found = difference(POSITIVE, np.array([0.78]), np.array([0.80]), 0.05)

    assert fair(found.worse) == pytest.approx(0.0, abs=1e-9)
    assert fair(found.not_worse) == pytest.approx(0.0, abs=1e-9)
    assert fair(found.improved) == pytest.approx(-0.02)
    assert found.effect == pytest.approx(-0.02)


def test_for_what_is_better_low_more_is_worse() -> None:
    """More errors are a regression, fewer an improvement."""
    found = difference(ERRORS, np.array([0.105]), np.array([0.100]), 0.05)

    assert fair(found.worse) == pytest.approx(0.0, abs=1e-9)
    assert fair(found.improved) < 0.0
    assert found.effect == pytest.approx(0.005)


def test_a_mean_a_tenth_lower_is_at_the_edge_of_worse() -> None:
    """A relative effect needs no estimate of the baseline's mean."""
    found = ratio(CITATIONS, np.array([2.7]), np.array([3.0]), 20.0, 0.05)

    assert fair(found.worse) == pytest.approx(0.0, abs=1e-9)
    assert fair(found.not_worse) == pytest.approx(0.0, abs=1e-9)
    assert fair(found.improved) < 0.0
    assert found.effect == pytest.approx(-0.1)


def test_a_latency_a_tenth_higher_is_at_the_edge_of_worse() -> None:
    """For a latency the same holds upwards."""
    found = ratio(LATENCY, np.array([880.0]), np.array([800.0]), 4000.0, 0.05)

    assert fair(found.worse) == pytest.approx(0.0, abs=1e-9)
    assert fair(found.improved) < 0.0


@pytest.mark.parametrize("times", [0.5, 1.0, 1.4])
def test_bounds_of_a_ratio_hold_the_truth_and_narrow(times: float) -> None:
    """An interval without the truth in it, or one that never closes, is of no use."""
    rng = np.random.default_rng(11)
    baseline = np.minimum(rng.lognormal(6.6, 0.3, 800), 4000.0)
    candidate = times * np.minimum(rng.lognormal(6.6, 0.3, 800), 4000.0)

    found = ratio(LATENCY, candidate, baseline, 8000.0, 0.05)

    assert found.low is not None
    assert found.high is not None
    assert found.low < times - 1.0 < found.high
    assert found.high - found.low < 0.5


def test_bounds_of_a_ratio_are_where_the_bettor_has_won_40_times() -> None:
    """The interval and the verdict are one calculation, read in two directions."""
    rng = np.random.default_rng(12)
    baseline, candidate = rng.random(300), 0.5 * rng.random(300)

    found = ratio(CITATIONS, candidate, baseline, 1.0, 0.05)
    assert found.high is not None
    times = 1.0 + found.high
    gain = (times * baseline - candidate) / max(1.0, times)

    assert log_e_now((1.0 + gain) / 2.0, 0.5) == pytest.approx(math.log(40), abs=0.02)


@pytest.mark.parametrize("times", [0.7, 1.0, 1.5])
def test_bounds_of_a_quantile_hold_how_far_it_moved(times: float) -> None:
    """A latency distribution that is stretched moves its 95th percentile as much."""
    rng = np.random.default_rng(13)
    before, baseline, candidate = rng.lognormal(6.6, 0.5, (3, 3000))
    frozen = freeze(before, 0.95, is_above=True)
    lines = Lines(one_by_one(3000), frozen, times * candidate, baseline, 0.0)

    found = shift(P95, lines, 0.95, 0.05)

    assert found.low is not None
    assert found.high is not None
    assert found.low < times - 1.0 < found.high
    assert found.effect == pytest.approx(times - 1.0, abs=0.1)
    assert (log_e_now(found.worse.values, found.worse.null) > 3.0) == (times > 1.1)
    assert (log_e_now(found.improved.values, found.improved.null) > 3.0) == (
        times < 0.9
    )


def test_nothing_paired_bounds_nothing() -> None:
    """A bound that is not known is absent, not zero."""
    nothing = np.array([])

    found = ratio(CITATIONS, nothing, nothing, 20.0, 0.05)

    assert (found.low, found.high, found.effect) == (None, None, 0.0)
