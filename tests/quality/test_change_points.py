"""Change points say when; what cannot be judged is an error, never "no change"."""

import math
import sys

import numpy as np
import pytest
from tests.quality.arms import hits, latency, observe

from phitrail.errors import ConfigError, InputError
from phitrail.quality.change_points import ChangePoint, change_points, find_changes
from phitrail.quality.observations import Observations
from phitrail.quality.pairs import HOUR_US


def joined(*parts: Observations) -> Observations:
    """Put observations one after another."""
    return Observations(
        np.concatenate([part.at_us for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.stratum for part in parts]),
        np.concatenate([part.rater for part in parts]),
    )


def told(observed: Observations) -> tuple[ChangePoint, ...]:
    """Take the change points, of which something can be said."""
    found = change_points(observed)
    assert found is not None
    return found


def test_a_step_is_found_where_it_is() -> None:
    """The first place of the new part, counted from 0."""
    values = np.concatenate([np.zeros(50), np.ones(30)])
    noise = np.random.default_rng(1).normal(0, 0.2, 80)

    assert find_changes(values + noise) == (50,)


@pytest.mark.parametrize("days", [6, 20, 42])
def test_an_hour_is_named_through_the_rhythm_of_days_and_weeks(days: int) -> None:
    """The busy hours come every day; the slow version came once."""
    half = days // 2
    observed = joined(
        observe(1, latency(spread=0.2), days=half),
        observe(2, latency(1.5, spread=0.2), days=half, begin_day=half),
    )

    (found,) = told(observed)

    assert abs(found.at_us // HOUR_US - half * 24) <= 1
    assert found.size / found.before == pytest.approx(0.5, abs=0.15)
    assert found.after > found.before


def test_the_rhythm_alone_is_no_change() -> None:
    """Every Monday would be a change, and nobody would look any more."""
    found = [
        told(observe(seed, latency(), days=days))
        for seed in range(20)
        for days in (10, 35)
    ]

    assert sum(map(len, found)) <= 2


def test_a_rate_that_falls_is_dated() -> None:
    """Rates are means of zeros and ones; nothing more is needed."""
    observed = joined(
        observe(3, hits(0.98), days=14), observe(4, hits(0.8), days=14, begin_day=14)
    )

    (found,) = told(observed)

    assert abs(found.at_us // HOUR_US - 14 * 24) <= 3
    assert found.size == pytest.approx(-0.18, abs=0.04)


def test_nothing_is_found_in_nothing_and_in_sameness() -> None:
    """No rows, few rows and equal rows have no change to tell of."""
    assert find_changes(np.array([])) == ()
    assert find_changes(np.array([1.0, 9.0])) == ()
    assert find_changes(np.ones(100)) == ()


@pytest.mark.parametrize("days", [0.0, 0.1, 3.0])
def test_too_few_days_are_not_no_change(days: float) -> None:
    """Who has seen one morning does not know mornings."""
    assert change_points(observe(1, latency(), days=days)) is None


def test_one_absurd_hour_is_no_new_level() -> None:
    """A single request of ten minutes is told by a maximum, not by a change of level."""
    observed = observe(1, latency(spread=0.2), days=10)
    observed.value[500] = 600_000.0

    assert told(observed) == ()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_an_error(value: float) -> None:
    """An error that is told as 'no change' is the worst of answers."""
    with pytest.raises(InputError):
        find_changes(np.array([1.0] * 20 + [value]))


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A missing package is for the operator, with what to do."""
    monkeypatch.setitem(sys.modules, "ruptures", None)

    with pytest.raises(ConfigError, match=r"phitrail\[quality\]"):
        find_changes(np.arange(50.0))
