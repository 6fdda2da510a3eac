"""Verdicts: silent where nothing is wrong, withheld where nobody could know."""

import math
from dataclasses import replace

import numpy as np
import pytest
from bench.quality_clinics import BAD, EVERY, run_clinic
from tests.quality.arms import hits, latency, observe

from phitrail.errors import InputError
from phitrail.events.codes import QualityMetric
from phitrail.quality.metric import METRICS
from phitrail.quality.observations import Observations
from phitrail.quality.pairs import DAY_US, HOUR_US, Hindrance
from phitrail.quality.verdict import (
    SHIFT_AFTER_ROLLOUT,
    Comparison,
    State,
    compare,
    decide,
    is_not_worse,
)

POSITIVE = METRICS[QualityMetric.POSITIVE_RATE]
DISCLAIMER = METRICS[QualityMetric.DISCLAIMER_RATE]
P95 = METRICS[QualityMetric.LATENCY_P95]
MEAN = METRICS[QualityMetric.LATENCY_MEAN]
CITATIONS = METRICS[QualityMetric.CITATIONS_MEAN]
SITE = range(20)


def decided(one: Comparison, *others: Comparison) -> Comparison:
    """Decide one comparison, alone or with others."""
    return decide([one, *others])[0]


def test_a_worse_version_is_a_regression_with_its_size_and_hour() -> None:
    """Version, metric, size and hour are what somebody can act on."""
    baseline = observe(1, hits(0.82), days=30, raters=SITE)
    candidate = observe(2, hits(0.68), days=23, begin_day=7, raters=SITE)

    found = decided(
        compare(POSITIVE, candidate, baseline, use_case="triage", versions=("v2", "v1"))
    )

    assert (found.state, found.candidate, found.use_case) == (
        State.REGRESSION,
        "v2",
        "triage",
    )
    assert found.effect == pytest.approx(-0.14, abs=0.03)
    assert found.low is not None
    assert found.high is not None
    assert found.low < -0.14 < found.high < 0.0
    assert found.since_us is not None
    assert found.since_us // HOUR_US == 7 * 24
    assert found.still_needed == 0
    assert found.reason is None


def test_an_equal_version_is_not_accused() -> None:
    """A verdict on nothing would teach people to look away."""
    found = decided(
        compare(
            DISCLAIMER, observe(1, hits(0.95), days=28), observe(2, hits(0.95), days=28)
        )
    )

    assert found.state is State.OK
    assert found.since_us is None
    assert (found.low or 0.0) < 0.0 < (found.high or 0.0)


def test_a_better_version_is_called_that() -> None:
    """Who sees alarms only learns that change is bad."""
    found = decided(
        compare(
            POSITIVE,
            observe(1, hits(0.92), days=30, raters=SITE),
            observe(2, hits(0.80), days=30, raters=SITE),
        )
    )

    assert found.state is State.IMPROVED
    assert is_not_worse(found)


@pytest.mark.parametrize("metric", [P95, MEAN], ids=["p95", "mean"])
def test_a_slower_version_is_found_across_the_hours_of_the_day(metric: object) -> None:
    """Load that comes and goes must neither hide a slow version nor make one."""
    assert metric in {P95, MEAN}
    judged = P95 if metric is P95 else MEAN
    baseline = observe(1, latency(), days=28)
    worse = compare(judged, observe(2, latency(1.4), begin_day=14), baseline)
    same = compare(judged, observe(3, latency(), begin_day=14), baseline)

    assert decided(worse).state is State.REGRESSION
    assert worse.effect == pytest.approx(0.4, abs=0.12)
    assert decided(same).state in {State.OK, State.INSUFFICIENT}


def test_fewer_citations_are_found_as_a_share() -> None:
    """A relative effect is told as a share of the baseline."""

    def cited(mean: float, seed: int) -> Observations:
        return observe(seed, lambda rng, h: rng.poisson(mean, len(h)).astype(float))

    found = decided(compare(CITATIONS, cited(1.5, 1), cited(3.0, 2)))

    assert found.state is State.REGRESSION
    assert found.effect == pytest.approx(-0.5, abs=0.1)


def test_too_little_says_about_how_much_is_missing() -> None:
    """'Insufficient' alone does not tell anybody when to look again."""
    few, more = (
        compare(
            POSITIVE,
            observe(1, hits(0.8), days=days, raters=SITE),
            observe(2, hits(0.8), days=days, raters=SITE),
        )
        for days in (3, 12)
    )

    assert few.state is more.state is State.INSUFFICIENT
    assert few.still_needed is not None
    assert more.still_needed is not None
    assert 0 < more.still_needed < few.still_needed


def test_disjoint_raters_withhold_the_verdict() -> None:
    """Site by site, a verdict would be on people, not on versions."""
    found = decided(
        compare(
            POSITIVE,
            observe(1, hits(0.5), raters=range(20)),
            observe(2, hits(0.9), raters=range(20, 40)),
        )
    )

    assert (found.state, found.reason) == (State.WITHHELD, Hindrance.RATERS_DISJOINT)
    assert found.log_e is None
    assert not is_not_worse(found)


def test_unequal_maturity_withholds_the_verdict() -> None:
    """Ratings of a day against ratings of three days compare nothing."""
    arm = observe(1, hits(0.5), raters=SITE)

    found = compare(POSITIVE, arm, arm, maturity_us=(DAY_US, 3 * DAY_US))

    assert (found.state, found.reason) == (State.WITHHELD, Hindrance.MATURITY_UNEQUAL)
    assert compare(POSITIVE, arm, arm, maturity_us=(1, 1)).reason is None


def test_how_much_is_served_is_no_quality() -> None:
    """A rollout decides how many requests a version has."""
    arm = observe(1, hits(1.0))

    found = compare(METRICS[QualityMetric.REQUESTS], arm, arm)

    assert (found.state, found.reason) == (State.WITHHELD, Hindrance.NOT_COMPARABLE)


@pytest.mark.parametrize("kind", ["rate", "p95"])
def test_a_version_that_took_over_shows_a_shift_and_is_called_that(kind: str) -> None:
    """What changed with a rollout need not have been caused by it."""
    if kind == "rate":
        metric, old, new = DISCLAIMER, hits(0.95), hits(0.8)
    else:
        metric, old, new = P95, latency(), latency(1.7)

    found = decided(
        compare(metric, observe(1, new, begin_day=28), observe(2, old, days=28))
    )

    assert (found.state, found.reason) == (State.REGRESSION, SHIFT_AFTER_ROLLOUT)


def test_a_quantile_needs_rows_to_draw_a_line_from() -> None:
    """Without a baseline there is no line, and that is said with a number."""
    found = compare(P95, observe(1, latency()), observe(2, latency(), days=1))

    assert found.state is State.INSUFFICIENT
    assert found.still_needed is not None
    assert found.still_needed > 0


@pytest.mark.parametrize("name", list(QualityMetric))
def test_every_metric_can_be_compared_on_no_rows(name: QualityMetric) -> None:
    """A version that nobody used yet must not stop the judging of all others."""
    nothing = observe(1, hits(0.5), days=0)

    found = decided(compare(METRICS[name], nothing, nothing))

    assert found.state in {State.INSUFFICIENT, State.WITHHELD}
    assert found.effect is None


@pytest.mark.parametrize("name", list(QualityMetric))
def test_every_metric_can_be_compared(name: QualityMetric) -> None:
    """A metric that cannot be compared would be a stream nobody watches."""
    metric = METRICS[name]
    draw = hits(0.9) if metric.bounds else latency()
    arms = [observe(seed, draw, days=20, raters=SITE) for seed in (1, 2)]

    found = decided(compare(metric, arms[0], arms[1]))

    assert found.state in {State.INSUFFICIENT, State.OK} or name == "requests"


def test_a_value_that_is_no_number_is_an_error() -> None:
    """An error must never pass for 'no change'."""
    arm = observe(1, hits(0.5))
    broken = replace(arm, value=np.full(len(arm), math.nan))

    with pytest.raises(InputError):
        compare(DISCLAIMER, broken, arm)


def test_the_same_rows_give_the_same_verdict() -> None:
    """A verdict has to be found again by whoever has the log."""
    arms = observe(1, hits(0.9)), observe(2, hits(0.95))

    assert compare(DISCLAIMER, *arms) == compare(DISCLAIMER, *arms)


def test_a_family_asks_more_of_each() -> None:
    """What would do alone must not do among a hundred."""
    one = compare(
        DISCLAIMER, observe(1, hits(0.9)), observe(2, hits(0.98)), until_us=9 * DAY_US
    )
    assert one.log_e is not None
    edge = replace(one, log_e=math.log(30))
    quiet = replace(one, log_e=-1.0, log_e_improved=-1.0)

    alone, among = decided(edge), decided(edge, *[quiet] * 99)

    assert (alone.state, alone.family_size) == (State.REGRESSION, 1)
    assert (among.state, among.family_size) == (State.WATCH, 100)


def test_what_is_withheld_is_not_in_the_family() -> None:
    """Streams that nothing is known of must not make others harder to find."""
    arm = observe(1, hits(0.5), raters=SITE)
    other = observe(2, hits(0.5), raters=range(50, 60))
    withheld = compare(POSITIVE, arm, other)
    judged = compare(DISCLAIMER, arm, arm)

    found = decide([withheld, judged, withheld])

    assert [one.state for one in found][::2] == [State.WITHHELD] * 2
    assert found[1].family_size == 1


def test_not_worse_is_more_than_no_regression() -> None:
    """A rollout is accepted on evidence, not on the lack of it."""
    few = compare(
        DISCLAIMER, observe(1, hits(0.97), days=3), observe(2, hits(0.97), days=3)
    )
    many = compare(
        DISCLAIMER, observe(1, hits(0.99), days=60), observe(2, hits(0.97), days=60)
    )

    assert decided(few).state is not State.REGRESSION
    assert not is_not_worse(few)
    assert is_not_worse(many)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_two_hundred_equal_rollouts_name_no_more_than_5_percent() -> None:
    """The whole way, from rows to verdicts of ten streams, keeps its promise."""
    named = [run_clinic(seed, 0.0, EVERY) for seed in range(200)]

    assert sum(map(bool, named)) / 200 <= 0.05


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_worse_rollout_is_named_by_metric_and_hour_and_nothing_else_is() -> None:
    """Version, metric, size and hour, in nineteen clinics of twenty; silence elsewhere."""
    named = [run_clinic(seed, 0.25, EVERY) for seed in range(20)]
    bad = [one[BAD] for one in named if BAD in one]

    assert len(bad) >= 19
    assert sum(one.since_hour == one.first_hour for one in bad) >= 18
    assert sum(len(one) - (BAD in one) for one in named) <= 1
