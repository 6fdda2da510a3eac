"""Intervals hold what they say; SciPy is the oracle of those that it has."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from scipy.stats import t as student

from phitrail.errors import InputError
from phitrail.quality.betting import claim_of_difference, log_e_now
from phitrail.quality.confidence import (
    interval_of_difference,
    lower_bound,
    mean_interval,
    quantile_interval,
    student_quantile,
    wilson,
)


@pytest.mark.parametrize("truth", [0.1, 0.5, 0.8])
def test_a_sequence_of_bounds_covers_at_every_time_at_once(truth: float) -> None:
    """Over all 2^8 sequences, the chance that any of 8 looks excludes the mean is <= alpha."""
    alpha, missed, known = 0.2, 0.0, {}
    for path in itertools.product([0.0, 1.0], repeat=8):
        chance = math.prod(truth if value else 1.0 - truth for value in path)
        for n in range(1, 9):
            key = (n, sum(path[:n]))
            if key not in known:
                known[key] = lower_bound(np.array(path[:n]), alpha)
            if known[key] > truth:
                missed += chance
                break

    assert missed <= alpha


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50), st.floats(-0.9, 0.9))
def test_the_interval_says_what_the_verdict_says(
    gains: list[float], at_most: float
) -> None:
    """A difference is shown at 1/40 exactly where the 95% interval lies beyond it."""
    values = np.array(gains)
    claim = claim_of_difference(values, at_most)
    log_e = log_e_now(claim.values, claim.null)
    low, _ = interval_of_difference(values, 0.05)

    if log_e >= math.log(40) + 1e-6:
        assert low >= at_most - 1e-6
    if log_e < math.log(40) - 1e-6:
        assert low <= at_most + 1e-6


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=50))
def test_the_interval_holds_the_mean_seen_and_mirrors(gains: list[float]) -> None:
    """What was seen on average is never excluded, and better mirrors worse."""
    values = np.array(gains)
    low, high = interval_of_difference(values, 0.05, bound=20.0)
    mirrored = interval_of_difference(-values, 0.05, bound=20.0)

    assert low - 1e-6 <= values.mean() <= high + 1e-6
    assert mirrored == pytest.approx((-high, -low), abs=1e-6)


def test_nothing_seen_excludes_nothing() -> None:
    """Without rows the interval is all that there is."""
    assert interval_of_difference(np.array([]), 0.05) == (-1.0, 1.0)
    assert wilson(0, 0) == (0.0, 1.0)
    assert mean_interval(1, 3.0, 0.0) == (-math.inf, math.inf)
    assert quantile_interval(np.array([]), 0.5) == (-math.inf, math.inf)


@given(st.integers(1, 5000), st.data(), st.sampled_from([0.01, 0.05, 0.2]))
def test_wilson_is_scipys(count: int, data: st.DataObject, alpha: float) -> None:
    """The interval beside every rate is the one that statisticians know."""
    hits = data.draw(st.integers(0, count))
    expected = binomtest(hits, count).proportion_ci(1 - alpha, method="wilson")

    assert wilson(hits, count, alpha) == pytest.approx(
        (expected.low, expected.high), abs=1e-9
    )


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 10, 31, 39, 40, 100, 10_000])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.975, 0.995])
def test_students_t_is_scipys(freedom: int, share: float) -> None:
    """A quantile that is too small would make every mean look surer than it is."""
    assert student_quantile(freedom, share) == pytest.approx(
        student.ppf(share, freedom), rel=1e-5, abs=1e-8
    )


def test_an_interval_of_a_mean_is_scipys() -> None:
    """Mean, deviation and count are all that is needed."""
    values = np.array([3.0, 4.0, 8.0, 1.0, 5.0])
    expected = student.interval(
        0.95, 4, values.mean(), values.std(ddof=1) / math.sqrt(5)
    )

    assert mean_interval(5, values.mean(), values.std(ddof=1)) == pytest.approx(
        expected
    )


@pytest.mark.parametrize(("count", "quantile"), [(60, 0.5), (400, 0.95), (5000, 0.05)])
def test_an_interval_of_a_quantile_is_the_exact_one(
    count: int, quantile: float
) -> None:
    """SciPy's test of a quantile gives the same order statistics."""
    from scipy.stats import quantile_test  # noqa: PLC0415

    values = np.random.default_rng(5).gamma(2.0, 300.0, count)
    expected = quantile_test(values, q=0, p=quantile).confidence_interval(0.95)

    assert quantile_interval(values, quantile) == (expected.low, expected.high)


def test_too_few_rows_leave_a_quantile_open() -> None:
    """Of twenty rows nobody knows how high a 95th percentile is."""
    low, high = quantile_interval(np.arange(20.0), 0.95)

    assert high == math.inf
    assert low > 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson(3, 2),
        lambda: wilson(1, 2, 0.0),
        lambda: quantile_interval(np.array([1.0]), 1.0),
        lambda: student_quantile(0, 0.9),
        lambda: student_quantile(3, 0.4),
        lambda: lower_bound(np.array([2.0]), 0.05),
    ],
)
def test_what_is_out_of_range_is_refused(call: object) -> None:
    """A wrong number must not come out as an interval."""
    assert callable(call)
    with pytest.raises(InputError):
        call()
