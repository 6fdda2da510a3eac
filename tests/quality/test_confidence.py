"""Bounds hold at every look, and say what the verdict says."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.errors import InputError
from phitrail.quality.betting import claim_of_difference, log_e_now
from phitrail.quality.confidence import (
    interval_of_difference,
    lower_bound,
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
    """Without rows the interval is all that there can be."""
    assert interval_of_difference(np.array([]), 0.05) == (-1.0, 1.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: lower_bound(np.array([2.0]), 0.05),
        lambda: lower_bound(np.array([1.0]), 1.0),
        lambda: interval_of_difference(np.array([1.5]), 0.05),
    ],
)
def test_what_is_out_of_range_is_refused(call: object) -> None:
    """A wrong number must not come out as an interval."""
    assert callable(call)
    with pytest.raises(InputError):
        call()
