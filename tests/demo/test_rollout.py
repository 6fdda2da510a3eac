"""The rollout of the demo is worse where it says so, and nowhere else."""

from datetime import timedelta

import msgspec
import numpy as np
import pytest
from tests.quality.made import START, open_log
from tests.quality.rollouts import Seen, open_table

from phitrail.app.config import STARTER_VOCABULARY
from phitrail.demo.clinic import VOCABULARY
from phitrail.demo.rollout import rollout_week, serve
from phitrail.demo.rollout_plan import (
    HOUR_US,
    NEW,
    OLD,
    USES,
    VERSIONS,
    Plan,
    Served,
    Worse,
    is_worse,
)
from phitrail.demo.rollout_rows import records_of, rollouts_of, table_of
from phitrail.events.canonical import encode_leaf
from phitrail.events.ids import format_time
from phitrail.events.quality import Feedback, QualityEntry, Rollout
from phitrail.events.vocabulary import Vocabulary
from phitrail.quality.metric import METRICS
from phitrail.quality.observations import Observations, read_observations

SMALL = Plan(days=3, requests=1_500, rollout_hour=20, worse=Worse(from_hour=30))
AS_OF, MATURITY = timedelta(days=9), timedelta(hours=72)


@pytest.fixture(scope="module")
def small() -> Served:
    """A few days of the clinic."""
    return serve(1, SMALL)


def test_the_same_seed_gives_the_same_rows(small: Served) -> None:
    """A report of the demo must be made again, byte for byte."""
    again, other = serve(1, SMALL), serve(2, SMALL)

    assert table_of(again, START).equals(table_of(small, START))
    assert not np.array_equal(other.requests.at_us, small.requests.at_us)


def test_every_record_is_admitted_and_comes_in_order(small: Served) -> None:
    """What the door refuses would stop the demo."""
    terms = Vocabulary.from_lists(
        {
            name: frozenset((*STARTER_VOCABULARY.get(name, ()), *listed))
            for name, listed in VOCABULARY.items()
        }
    )
    made = list(records_of(small, START))
    for _, record in made:
        terms.check(record)
        encode_leaf(record)
    times = [moment for moment, _ in made]
    kinds = [type(record) for _, record in made]

    assert times == sorted(times)
    assert kinds.count(QualityEntry) == 1_500
    assert kinds.count(Feedback) == len(small.ratings) > 100
    assert kinds.count(Rollout) == rollouts_of(small) == len(USES)
    assert len({record.event_id for _, record in made}) == len(made)


def test_ratings_follow_their_requests_and_name_what_they_correct(
    small: Served,
) -> None:
    """A rating of a later request, or a correction of a later rating, is no history."""
    of = small.ratings
    corrected = of.supersedes[of.supersedes >= 0]
    corrects = np.flatnonzero(of.supersedes >= 0)

    assert np.all(of.at_us > small.requests.at_us[of.request])
    assert len(corrected)
    assert np.all(corrected < corrects)
    assert np.array_equal(of.rater[corrected], of.rater[corrects])
    assert np.array_equal(of.request[corrected], of.request[corrects])


def test_only_the_new_version_in_one_use_case_is_worse_and_only_from_its_hour() -> None:
    """Whatever else is told of the rollout is then a false alarm, and known to be one."""
    plan = Plan(days=7, requests=40_000, rollout_hour=24, worse=Worse(from_hour=48))
    requests = serve(3, plan).requests
    worse = is_worse(plan, requests.use, requests.version, requests.at_us)
    bad = [one.name for one in USES].index("discharge_planning")

    assert set(requests.use[worse]) == {bad}
    assert set(requests.version[worse]) == {NEW}
    assert requests.at_us[worse].min() >= 48 * HOUR_US
    assert set(requests.version[requests.at_us < 24 * HOUR_US]) == {OLD}
    assert abs(requests.disclaimer[worse].mean() - 0.80) < 0.02
    assert abs(requests.disclaimer[~worse].mean() - 0.96) < 0.005
    for use in range(len(USES)):
        is_same = (requests.use == use) & ~worse & (requests.at_us >= 24 * HOUR_US)
        medians = [
            np.median(requests.latency_us[is_same & (requests.version == version)])
            for version in (OLD, NEW)
        ]
        assert abs(medians[1] / medians[0] - 1) < 0.12


def test_without_a_worse_version_there_is_none() -> None:
    """The null of every proof must be a null."""
    served = rollout_week(4, requests=500)

    assert not is_worse(
        served.plan,
        served.requests.use,
        served.requests.version,
        served.requests.at_us,
    ).any()


def same(one: Observations, other: Observations) -> bool:
    """Say whether observations agree, up to the numbers of facilities and raters."""

    def renumbered(codes: np.ndarray[tuple[int], np.dtype[np.int32]]) -> list[int]:
        places: dict[int, int] = {}
        return [places.setdefault(int(code), len(places)) for code in codes]

    return (
        np.array_equal(one.at_us, other.at_us)
        and np.allclose(one.value, other.value)
        and np.array_equal(one.stratum % 168, other.stratum % 168)
        and renumbered(one.stratum) == renumbered(other.stratum)
        and renumbered(one.rater) == renumbered(other.rater)
    )


def test_table_records_and_plain_meaning_say_the_same(small: Served) -> None:
    """Proofs over many seeds go past the log; what they see must be what it would show."""
    received = [
        msgspec.structs.replace(record, received_at=format_time(moment))
        for moment, record in records_of(small, START)
    ]
    seen = Seen(small, AS_OF, MATURITY)
    from_records, from_table = open_log(received), open_table(table_of(small, START))
    for metric in METRICS.values():
        asked = (metric, VERSIONS, "chart_qa", START + AS_OF, MATURITY)
        read = read_observations(from_table, *asked)
        of_records = read
        if metric.needs_ratings:
            of_records = read_observations(from_records, *asked)
        for number, version in enumerate(VERSIONS):
            plain = seen.observe(metric.name, "chart_qa", number)
            assert same(read[version], of_records[version]), metric.name
            assert same(read[version], plain), metric.name
