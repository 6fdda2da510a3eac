"""Pairs are fixed by times, strata and raters, and by no value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.quality.observations import Observations
from phitrail.quality.pairs import (
    DAY_US,
    HOUR_US,
    Hindrance,
    Plan,
    Rows,
    plan,
    plan_entries,
    plan_ratings,
)


def observed(
    *rows: tuple[float, float, int] | tuple[float, float, int, int],
) -> Observations:
    """Make observations of (hours, value, rater[, stratum]) in order of time."""
    columns = [(*row, 0)[:4] for row in sorted(rows)]
    return Observations(
        np.array([int(row[0] * HOUR_US) for row in columns], dtype=np.int64),
        np.array([row[1] for row in columns], dtype=np.float64),
        np.array([row[3] for row in columns], dtype=np.int32),
        np.array([row[2] for row in columns], dtype=np.int32),
    )


def rows(*placed: tuple[int, int]) -> Rows:
    """Make rows of (period, group), one period an instant."""
    ordered = sorted(placed)
    return Rows(
        np.array([at for at, _ in ordered], dtype=np.int64),
        np.array([group for _, group in ordered], dtype=np.int64),
    )


def told(made: Plan | Hindrance) -> Plan:
    """Take the plan, which there must be."""
    assert isinstance(made, Plan)
    return made


def test_days_of_a_rater_are_set_against_each_other() -> None:
    """Ten ratings of one person on one day are one piece of news, not ten."""
    candidate = observed((1, 1, 7), (2, 0, 7), (3, 0, 7), (25, 1, 8))
    baseline = observed((1, 1, 7), (26, 0, 8), (27, 1, 8), (99, 1, 9))

    made = told(plan_ratings(candidate, baseline))
    means = made.means(candidate.value, baseline.value)

    assert made.is_concurrent
    assert [list(one) for one in means] == [[pytest.approx(1 / 3), 1.0], [1.0, 0.5]]
    assert list(made.closed_us) == [DAY_US, 2 * DAY_US]
    assert made.used() == (4, 3)


def test_a_block_waits_until_both_versions_are_in_it() -> None:
    """What is rare must count when it comes, not be thrown away."""
    candidate = rows((0, 1), (3, 1), (5, 1))
    baseline = rows((0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (9, 1))

    made = plan(candidate, baseline, 1)

    assert list(made.baseline) == [0, 1, 1, 1, 2, -1]
    assert list(made.candidate) == [0, 1, 2]
    assert list(made.closed_us) == [1, 4, 6]
    assert list(made.began_us) == [0, 3, 5]


def test_groups_never_share_a_block() -> None:
    """One rater's kindness must not be set against another's strictness."""
    made = plan(rows((0, 1), (1, 2)), rows((0, 2), (1, 1), (9, 3)), 1, DAY_US)

    assert list(made.candidate) == [0, 1]
    assert list(made.baseline) == [1, 0, -1]


def test_raters_who_saw_one_version_only_are_left_out() -> None:
    """A version that came to strict people is not a worse version."""
    candidate = observed((1, 1, 1), (1, 1, 2))
    baseline = observed((1, 1, 1), (1, 1, 3), (99, 0, 3))

    made = told(plan_ratings(candidate, baseline, until_us=5 * DAY_US))

    assert made.used() == (1, 1)


def test_disjoint_raters_are_not_compared() -> None:
    """Site by site, no test can tell a version from a site: 27% false alarms, measured."""
    found = plan_ratings(observed((1, 1, 1)), observed((1, 1, 2)))

    assert found is Hindrance.RATERS_DISJOINT


def test_ratings_of_nobody_known_are_not_compared() -> None:
    """Without raters there is no telling how many people spoke."""
    found = plan_ratings(observed((1, 1, -1)), observed((1, 1, 2)))

    assert found is Hindrance.RATERS_UNKNOWN


def test_no_ratings_are_too_few_and_no_hindrance() -> None:
    """A version that nobody rated yet waits for ratings; nothing forbids to compare it."""
    assert len(told(plan_ratings(observed(), observed((1, 1, 2))))) == 0
    assert len(plan_entries(observed((1, 1, 0)), observed())) == 0


def test_before_both_serve_nothing_is_side_by_side() -> None:
    """Last year's baseline is not beside this week's candidate."""
    made = plan(rows((50, 1), (90, 1)), rows((1, 1), (50, 1), (60, 1)), 1)

    assert made.is_concurrent
    assert list(made.baseline) == [-1, 0, -1]


def test_a_version_that_took_over_is_set_against_the_newest_before_it() -> None:
    """It shows a shift after the rollout, and is called that."""
    week = 168 * HOUR_US
    baseline = Rows(np.array([0, week, 2 * week]), np.array([5, 5, 5]))
    candidate = Rows(np.array([3 * week, 4 * week, 9 * week]), np.array([5, 5, 5]))

    made = plan(candidate, baseline, HOUR_US)

    assert not made.is_concurrent
    assert list(made.candidate) == [0, 1, -1]
    assert list(made.baseline) == [-1, 1, 0]


def test_a_straggler_at_the_switch_does_not_make_versions_concurrent() -> None:
    """An hour of both, at the switch, is not a comparison side by side."""
    hours = np.arange(500, dtype=np.int64) * HOUR_US
    baseline = Rows(hours[:251], hours[:251] * 0)
    candidate = Rows(hours[250:], hours[250:] * 0)
    longer = Rows(hours[220:], hours[220:] * 0)

    assert not plan(candidate, baseline, HOUR_US).is_concurrent
    assert plan(longer, baseline, HOUR_US).is_concurrent


def test_hours_are_paired_within_hour_of_the_week_and_facility() -> None:
    """A busy hour must not be set against a quiet one, nor one house against another."""
    candidate = observed((1, 10, -1, 1), (1.5, 20, -1, 1), (1, 3, -1, 169))
    baseline = observed((1.2, 12, -1, 1), (1.3, 5, -1, 170), (9, 0, -1, 9))

    made = plan_entries(candidate, baseline)
    means = made.means(candidate.value, baseline.value)

    assert [list(one) for one in means] == [[15.0], [12.0]]


ARMS = st.lists(st.tuples(st.integers(0, 40), st.integers(-1, 3)), max_size=40)


@given(ARMS, ARMS, st.integers(1, 4), st.integers(0, 60))
def test_what_comes_later_changes_no_pair_that_is_there(
    candidate: list[tuple[int, int]],
    baseline: list[tuple[int, int]],
    period: int,
    until: int,
) -> None:
    """A verdict of today must be found again tomorrow in the same rows."""
    whole = plan(rows(*candidate), rows(*baseline), period, 1000)
    early = [rows(*(r for r in arm if r[0] < until)) for arm in (candidate, baseline)]
    part = plan(early[0], early[1], period, until)

    assert whole.is_concurrent
    closed = int(np.searchsorted(whole.closed_us, until // period * period, "right"))
    if len(part):
        assert list(part.closed_us) == list(whole.closed_us[: len(part)])
        assert len(part) == closed
        kept = whole.candidate[: len(part.candidate)]
        assert list(part.candidate) == [p if p < len(part) else -1 for p in kept]


RATED = st.lists(st.tuples(st.integers(0, 200), st.integers(-1, 3)), max_size=40)


@given(RATED, RATED, st.integers(0, 10))
def test_a_rater_who_comes_later_changes_no_pair_that_is_there(
    candidate: list[tuple[int, int]], baseline: list[tuple[int, int]], days: int
) -> None:
    """Who rates both versions is known day by day; what was paired stays paired."""
    arms = [
        observed(*((at, 1.0, who) for at, who in arm)) for arm in (candidate, baseline)
    ]
    early = [
        observed(*((at, 1.0, who) for at, who in arm if at < 24 * days))
        for arm in (candidate, baseline)
    ]
    whole = plan_ratings(arms[0], arms[1], 20 * DAY_US)
    part = plan_ratings(early[0], early[1], days * DAY_US)

    if isinstance(part, Plan) and part.is_concurrent and len(part):
        assert isinstance(whole, Plan)
        if whole.is_concurrent:
            assert list(part.closed_us) == list(whole.closed_us[: len(part)])
            kept = whole.baseline[: len(part.baseline)]
            assert list(part.baseline) == [p if p < len(part) else -1 for p in kept]


@given(ARMS, ARMS, st.integers(1, 4))
def test_every_pair_has_rows_of_both_and_of_one_group(
    candidate: list[tuple[int, int]], baseline: list[tuple[int, int]], period: int
) -> None:
    """A pair with one side only would be a division by nothing, told as a number."""
    arms = rows(*candidate), rows(*baseline)
    made = plan(*arms, period)
    ones = [np.ones(len(arm.at_us)) for arm in arms]
    groups = [arm.group.astype(float) for arm in arms]

    assert all(np.all(one == 1.0) for one in made.means(ones[0], ones[1]))
    assert np.array_equal(*made.means(groups[0], groups[1]))
    assert list(made.closed_us) == sorted(made.closed_us)
    assert np.all(made.began_us < made.closed_us)
