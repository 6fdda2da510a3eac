"""The watch names what is worse in the clinic's rollout, and is silent on everything else.

Every seed is three weeks of the demo clinic (`demo.rollout_plan`): six use cases, two versions
side by side from one hour on, one of them worse in one use case. All metrics of all use cases
are decided together, as the watch does.
"""

import os
from dataclasses import dataclass
from datetime import timedelta

import pytest
from tests.quality.rollouts import START_US, Seen

from phitrail.demo.rollout import serve
from phitrail.demo.rollout_plan import (
    HOUR_US,
    NEW,
    OLD,
    USES,
    VERSIONS,
    Plan,
    Served,
    Worse,
)
from phitrail.events.codes import QualityMetric
from phitrail.quality.family import COMPARED, RATINGS_RIPEN
from phitrail.quality.intervals import wilson
from phitrail.quality.verdict import ALPHA, WATCH, Comparison, State, compare, decide

SEEDS = 20 if os.environ.get("PHITRAIL_CI") else 200
ENOUGH = 200
"""So many tell the rate itself; fewer only whether it is far from what is promised."""
FOUND_AT_LEAST = 0.95
PLAN = Plan()
WORSE = Worse()
TOLD = (State.REGRESSION, State.IMPROVED)


def judge(served: Served) -> tuple[Comparison, ...]:
    """Compare all metrics of all use cases at the end, and decide them together."""
    end = timedelta(days=served.plan.days)
    seen = {ripen: Seen(served, end, ripen) for ripen in (RATINGS_RIPEN, timedelta())}
    compared = []
    for metric in COMPARED:
        ripen = RATINGS_RIPEN if metric.needs_ratings else timedelta()
        until_us = START_US + round((end - ripen).total_seconds()) * 1_000_000
        for use in USES:
            candidate, baseline = (
                seen[ripen].observe(metric.name, use.name, version)
                for version in (NEW, OLD)
            )
            compared.append(
                compare(
                    metric,
                    candidate,
                    baseline,
                    use_case=use.name,
                    versions=(VERSIONS[NEW], VERSIONS[OLD]),
                    until_us=until_us,
                )
            )
    return decide(compared)


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of many seeds."""

    found: int
    hours_off: tuple[float, ...]
    seeds_with_false: int
    watched: int
    streams: int

    @classmethod
    def over(cls, seeds: range, plan: Plan) -> "Tally":
        """Judge every seed."""
        found = false = watched = streams = 0
        hours: list[float] = []
        for seed in seeds:
            judged = judge(serve(seed, plan))
            true = [one for one in judged if is_made_worse(plan, one)]
            others = [one for one in judged if one not in true]
            told = [one for one in true if one.state is State.REGRESSION]
            found += bool(told)
            false += any(one.state in TOLD for one in others)
            watched += sum(one.state is State.WATCH for one in others)
            streams += len(others)
            hours += [hours_off(plan, one) for one in told]
        return cls(found, tuple(hours), false, watched, streams)


def is_made_worse(plan: Plan, one: Comparison) -> bool:
    """Say whether the plan made the new version worse in this stream's use case."""
    return plan.worse is not None and one.use_case == plan.worse.use_case


def hours_off(plan: Plan, one: Comparison) -> float:
    """Say how far from the true hour the verdict says that it began."""
    assert one.since_us is not None
    return (one.since_us - START_US) / HOUR_US - plan.worse_from_hour


def bounds(hits: int, of: int) -> tuple[float, float]:
    """Give the interval of a share."""
    interval = wilson(hits, of)
    assert interval.low is not None
    assert interval.high is not None
    return interval.low, interval.high


def share(hits: int, of: int) -> str:
    """Write a share with its interval."""
    low, high = bounds(hits, of)
    return f"{hits} of {of} ({low:.3f} to {high:.3f})"


def test_a_worse_version_is_named_with_metric_size_and_hour() -> None:
    """The story of the demo, on one seed: what the watch must be able to say."""
    judged = judge(serve(1, PLAN))
    (told,) = (
        one
        for one in judged
        if one.state in TOLD and one.metric is QualityMetric.DISCLAIMER_RATE
    )

    assert told.state is State.REGRESSION
    assert (told.use_case, told.candidate) == (WORSE.use_case, VERSIONS[NEW])
    assert told.low is not None
    assert told.high is not None
    assert told.low <= WORSE.disclaimer <= told.high < 0
    assert abs(hours_off(PLAN, told)) <= 1
    assert all(one.use_case == WORSE.use_case for one in judged if one.state in TOLD)


@pytest.fixture(scope="module")
def rollouts() -> Tally:
    """Every seed of the demo's rollout."""
    return Tally.over(range(SEEDS), PLAN)


@pytest.mark.long
@pytest.mark.timeout(3_000)
def test_over_many_seeds_the_worse_version_is_found(rollouts: Tally) -> None:
    """A watch that is silent because it sees nothing keeps no patient from harm."""
    print(f"found {share(rollouts.found, SEEDS)}")  # noqa: T201 - the figure itself

    assert bounds(rollouts.found, SEEDS)[1] >= FOUND_AT_LEAST
    assert SEEDS < ENOUGH or rollouts.found >= FOUND_AT_LEAST * SEEDS


@pytest.mark.long
@pytest.mark.timeout(3_000)
def test_over_many_seeds_the_other_streams_stay_silent(rollouts: Tally) -> None:
    """Each false alarm is an evening of somebody, and after three nobody reads the fourth."""
    print(  # noqa: T201 - the figures themselves
        f"seeds with a false verdict elsewhere: {share(rollouts.seeds_with_false, SEEDS)}; "
        f"streams on watch elsewhere: {share(rollouts.watched, rollouts.streams)}"
    )

    assert bounds(rollouts.seeds_with_false, SEEDS)[0] <= ALPHA
    assert rollouts.watched / rollouts.streams <= 1 / WATCH


@pytest.mark.long
@pytest.mark.timeout(3_000)
def test_where_nothing_is_worse_nothing_is_told() -> None:
    """The nominal rate is promised for rollouts that are harmless, which most are."""
    tally = Tally.over(range(1_000, 1_000 + SEEDS), Plan(worse=None))
    print(  # noqa: T201 - the figures themselves
        f"seeds with a false verdict: {share(tally.seeds_with_false, SEEDS)}; "
        f"streams on watch: {share(tally.watched, tally.streams)}"
    )

    assert tally.found == 0
    assert bounds(tally.seeds_with_false, SEEDS)[0] <= ALPHA
    assert tally.watched / tally.streams <= 1 / WATCH
