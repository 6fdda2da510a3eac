"""A worse version is an alert, once; the same look says nothing new."""

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import pytest
from tests.app.sourced import opened
from tests.quality.made import START
from tests.trails import TENANT, read_leaves

from phitrail.app.founding import found_trail
from phitrail.app.quality_compare import Wanted, compare_versions
from phitrail.app.quality_look import Looked, watch_quality
from phitrail.app.quality_watch import hour_of
from phitrail.demo.clinic import VOCABULARY
from phitrail.demo.rollout import serve
from phitrail.demo.rollout_plan import VERSIONS, Plan, Worse
from phitrail.demo.rollout_rows import records_of
from phitrail.errors import InputError
from phitrail.events.alert import Alert
from phitrail.events.codes import AlertState, Log, QualityMetric
from phitrail.quality.alert_words import RULE_PREFIX, title_of
from phitrail.quality.alerts import Look, moves_of
from phitrail.quality.family import COMPARED, Asked
from phitrail.quality.verdict import Comparison, State
from phitrail.quality.versions import Pair

USE = "discharge_planning"
DAYS = 6
WORSE = Worse(USE, from_hour=0, positive=-0.6, disclaimer=-0.5, latency=1.0)
PLAN = Plan(days=DAYS, requests=3_000, rollout_hour=12, worse=WORSE)
END = START + timedelta(days=DAYS)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trail in which a clinic rated two versions side by side for days."""
    directory = tmp_path_factory.mktemp("quality") / "trail"
    found_trail(directory, TENANT, START, vocabulary=VOCABULARY)
    with opened(directory) as trail:
        rows = records_of(serve(5, PLAN), START)
        for hour, ones in groupby(rows, key=lambda row: hour_of(row[0])):
            trail.recorder.record_many(
                [record for _, record in ones], hour + timedelta(hours=1)
            )
    return directory


@dataclass(frozen=True)
class Story:
    """Looks one after the other, and the alerts of quality in the log after them."""

    looks: list[Looked]
    alerts: list[Alert]


@pytest.fixture(scope="module")
def story(clinic: Path) -> Story:
    """At the end, again, an hour later, a day later, and three hours after that."""
    hours = (0, 0, 1, 24, 27)
    with opened(clinic) as trail:
        looks = [
            watch_quality(trail, as_of, now=as_of + timedelta(minutes=5))
            for as_of in (END + timedelta(hours=one) for one in hours)
        ]
        alerts = [
            leaf
            for leaf in read_leaves(trail, Log.SECURITY)
            if isinstance(leaf, Alert) and leaf.rule_id.startswith(RULE_PREFIX)
        ]
    return Story(looks, alerts)


@pytest.mark.long
def test_a_worse_version_is_one_alert_that_says_what_and_how_much(
    story: Story,
) -> None:
    """Who is told "worse" without version, metric and size can do nothing with it."""
    (alert,) = [
        one
        for one in story.alerts
        if one.metric is QualityMetric.DISCLAIMER_RATE and one.state == AlertState.OPEN
    ]
    assert (alert.use_case, alert.ai_model_version) == (USE, VERSIONS[1])
    assert alert.baseline_version == VERSIONS[0]
    assert alert.effect_e6 is not None
    assert -650_000 < alert.effect_e6 < -350_000
    assert alert.effect_low_e6 is not None
    assert alert.effect_high_e6 is not None
    assert alert.effect_low_e6 < alert.effect_e6 < alert.effect_high_e6 < -20_000
    assert alert.e_value_e3 is not None
    assert alert.e_value_e3 > 20_000
    assert alert.family_size is not None
    assert alert.family_size > len(COMPARED)
    assert alert.sample_count
    assert alert.baseline_count
    assert title_of(alert.rule_id) is not None


@pytest.mark.long
def test_only_the_worse_use_case_is_alerted(story: Story) -> None:
    """An alert on a stream that is as it was sends people the wrong way."""
    found = story.looks[0].found
    worse = {pair.use_case for pair, one in found if one.state is State.REGRESSION}
    assert worse == {USE}
    assert {alert.use_case for alert in story.alerts} == {USE}


@pytest.mark.long
def test_a_look_can_be_had_again_and_says_nothing_twice(story: Story) -> None:
    """A verdict that changes when it is asked for again is no evidence."""
    first, again, hour_later = story.looks[:3]
    assert first.moves
    assert again.found == first.found
    assert again.moves == ()
    assert hour_later.moves == ()


@pytest.mark.long
def test_an_alert_is_told_once_a_day(story: Story) -> None:
    """An alert that is never told again is forgotten; one told each hour is noise."""
    day_later, three_hours_more = story.looks[3:]
    assert {move.state for move in day_later.moves} == {AlertState.UPDATE}
    assert three_hours_more.moves == ()
    assert len(story.alerts) == len(story.looks[0].moves) + len(day_later.moves)


@pytest.mark.long
def test_versions_are_compared_by_name(clinic: Path) -> None:
    """Somebody wants to know of an older version, or whether a rollback helps."""
    asked = Asked(END)
    with opened(clinic) as trail:
        now = END + timedelta(minutes=5)
        wanted = Wanted(VERSIONS[0], VERSIONS[1], use_case=USE)
        back = compare_versions(trail, wanted, asked, now=now)
        of = {one.metric: one for _, one in back.found}
        assert of[QualityMetric.DISCLAIMER_RATE].state is State.IMPROVED
        with pytest.raises(InputError, match="both versions"):
            compare_versions(trail, replace(wanted, baseline="9.9"), asked, now=now)
        with pytest.raises(InputError, match="two versions, or none"):
            compare_versions(trail, replace(wanted, baseline=None), asked, now=now)
        with pytest.raises(InputError, match="over"):
            compare_versions(trail, wanted, Asked(now + timedelta(days=1)), now=now)


def test_an_alert_ends_with_what_it_was_about() -> None:
    """An episode that nobody ends stands on the board for good."""
    at = START + timedelta(hours=1)
    look = Look("trail", at, 1)
    pair = Pair("model", USE, "v2", "v1", START)
    worse = Comparison(
        metric=QualityMetric.ERROR_RATE,
        use_case=USE,
        candidate="v2",
        baseline="v1",
        state=State.REGRESSION,
        effect=0.1,
        log_e=math.inf,
    )
    (opened_,) = moves_of([(pair, worse)], [], look)
    assert opened_.e_value_e3 == 10**15
    well = replace(worse, state=State.OK)
    later = replace(look, as_of=at + timedelta(hours=1))
    (closed,) = moves_of([(pair, well)], [opened_], later)
    assert (closed.state, closed.alert_id) == (AlertState.CLOSE, opened_.alert_id)
    assert moves_of([(pair, well)], [closed], later) == []
    (anew,) = moves_of([(pair, worse)], [closed], later)
    assert anew.alert_id != opened_.alert_id
