"""Intervals agree with scipy, keep their level, and are open where rows are too few."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.quality.made import at, open_log, request

from phitrail.events.codes import QualityMetric
from phitrail.quality.as_of import AsOf
from phitrail.quality.intervals import (
    UNKNOWN,
    Interval,
    mean_interval,
    quantile_ranks,
    student_t,
    wilson,
)
from phitrail.quality.metric import METRICS
from phitrail.quality.sql import Scope, ladder
from phitrail.quality.summary import quantile_of, summarize


@given(st.integers(1, 5_000), st.floats(0, 1))
def test_wilson_is_the_interval_of_scipy(n: int, share: float) -> None:
    """A rate with a wrong interval is believed too much or too little."""
    hits = round(n * share)
    known = stats.binomtest(hits, n).proportion_ci(method="wilson")
    found = wilson(hits, n)

    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-12)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 30, 200, 10_000_000])
def test_t_is_the_quantile_of_scipy(freedom: int) -> None:
    """Few rows need a wider interval, and by as much as t says."""
    assert student_t(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-3)


def test_nothing_gives_no_interval() -> None:
    """One row says nothing of how rows differ."""
    assert wilson(0, 0) == UNKNOWN
    assert mean_interval(3.0, 0.0, 1) == UNKNOWN
    assert mean_interval(3.0, 0.0, 2) == Interval(3.0, 3.0)


@pytest.mark.parametrize("n", [1, 20, 72, 73, 100, 999, 1_000, 1_001, 50_000])
def test_ranks_hold_the_quantile_in_95_of_100(n: int) -> None:
    """Whatever the distribution: the binomial alone says which ranks hold it."""
    low, high = quantile_ranks(n, 0.95)
    below = 0.0 if low is None else stats.binom.cdf(low - 1, n, 0.95)
    above = 0.0 if high is None else stats.binom.sf(high - 1, n, 0.95)

    assert below <= 0.025 + 1e-9
    assert above <= 0.025 + 1e-9
    assert (high is None) == (0.95**n > 0.025)


@pytest.mark.parametrize("n", [20, 100, 1_000, 30_000])
def test_the_ladder_encloses_the_ranks_and_is_hardly_wider(n: int) -> None:
    """An interval that is too narrow lies, one that is far too wide says nothing."""
    rows = np.sort(np.random.default_rng(n).lognormal(size=n))
    read = np.quantile(rows, ladder(0.95)).tolist()
    found = quantile_of(METRICS[QualityMetric.LATENCY_P95], n, read)
    low, high = quantile_ranks(n, 0.95)

    assert found.value == pytest.approx(np.quantile(rows, 0.95))
    assert low is not None
    assert found.interval.low is not None
    assert found.interval.low <= rows[low - 1]
    share = np.searchsorted(rows, found.interval.low) / n
    assert 0.95 - share <= 1.3 * (0.95 - (low - 1) / n) + 2 / n
    if high is None:
        assert found.interval.high is None
    else:
        assert found.interval.high is not None
        assert found.interval.high >= rows[high - 1]
        share = np.searchsorted(rows, found.interval.high, side="right") / n
        assert share - 0.95 <= 1.3 * (high / n - 0.95) + 2 / n


def test_the_ladder_of_the_tables_is_the_one_that_is_read() -> None:
    """A step that the engine rounds otherwise would move every interval."""
    log = [request(n, n / 10, latency_us=n * n) for n in range(200)]
    tables = open_log(log)
    (cell,) = summarize(tables, Scope(view=AsOf(at(99)))).cells
    one = cell.measured[QualityMetric.LATENCY_P95]
    low, high = quantile_ranks(200, 0.95)

    assert low is not None
    assert high is not None
    assert one.interval.low is not None
    assert one.interval.high is not None
    assert one.interval.low <= (low - 1) ** 2 / 1000
    assert one.interval.high >= (high - 1) ** 2 / 1000
    assert math.isfinite(one.interval.high)
