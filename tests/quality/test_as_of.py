"""What was known then: the same answer later, and the same time for every version."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.quality.made import EXAMPLES, at, open_log, rating, request, rollout
from tests.quality.test_summary import logs, measured

from phitrail.errors import InputError
from phitrail.events.codes import QualityMetric
from phitrail.events.ids import format_time
from phitrail.quality.as_of import AsOf
from phitrail.quality.metric import METRICS
from phitrail.quality.observations import read_observations
from phitrail.quality.sql import Scope
from phitrail.quality.summary import count_unmatched, summarize
from phitrail.quality.windows import parse_grouping


def positive(log: list[msgspec.Struct], view: AsOf) -> tuple[int, float | None]:
    """Measure the positive ratings."""
    cells = summarize(open_log(log), Scope(view=view)).cells
    if not cells:
        return 0, None
    one = cells[0].measured[QualityMetric.POSITIVE_RATE]
    return one.n, one.value


@settings(max_examples=EXAMPLES, deadline=None)
@given(logs(), logs(), st.sampled_from((None, timedelta(hours=9))))
def test_what_comes_later_changes_no_answer_that_was_given(
    before: list[msgspec.Struct],
    after: list[msgspec.Struct],
    maturity: timedelta | None,
) -> None:
    """A report that cannot be made again in two years is no evidence."""
    view = AsOf(at(40), maturity)
    known: list[Any] = [one for one in before if _received(one) <= at(40)]
    late = [
        msgspec.structs.replace(one, received_at=format_time(at(41 + number)))
        for number, one in enumerate(after)
    ]
    late.append(rollout(900, 1, "v9", received=42))
    grouping = parse_grouping(["release", "model-version"])
    scope = Scope(view=view, grouping=grouping)

    earlier = summarize(open_log(known), scope)
    later = summarize(open_log([*known, *late]), scope)

    assert measured(earlier) == measured(later)


def _received(one: Any) -> datetime:
    return datetime.fromisoformat(one.received_at)


def test_arms_are_compared_at_the_same_age() -> None:
    """The older version has had more time to be complained about."""
    log = [request(1, 0), request(2, 40, version="v2")]
    log += [rating(10, 1, 30, "negative"), rating(11, 2, 45)]
    rows = read_observations(
        open_log(log),
        METRICS[QualityMetric.POSITIVE_RATE],
        ["v1", "v2"],
        None,
        at(100),
        timedelta(hours=24),
    )

    assert len(rows["v1"]) == 0
    assert rows["v2"].value.tolist() == [1.0]


def test_a_request_that_is_not_old_enough_does_not_count() -> None:
    """Its missing rating would look like silence."""
    log = [request(1, 10), rating(2, 1, 11)]

    assert positive(log, AsOf(at(33.9), timedelta(hours=24))) == (0, None)
    assert positive(log, AsOf(at(34), timedelta(hours=24))) == (1, 1.0)


def test_the_last_rating_in_time_counts() -> None:
    """A correction counts; one that came too late leaves the older one standing."""
    log = [
        request(1, 0),
        rating(10, 1, 1, "negative", rater="old-key"),
        rating(11, 1, 2, "positive", rater="new-key", supersedes=10),
        rating(12, 1, 30, "negative", rater="new-key", supersedes=11),
    ]

    assert positive(log, AsOf(at(1))) == (1, 0.0)
    assert positive(log, AsOf(at(100), timedelta(hours=1))) == (1, 0.0)
    assert positive(log, AsOf(at(100), timedelta(hours=24))) == (1, 1.0)
    assert positive(log, AsOf(at(100), timedelta(hours=72))) == (1, 0.0)


def test_a_rater_who_rates_again_counts_once_and_two_raters_twice() -> None:
    """Whoever presses the thumb twice has one opinion."""
    log = [request(1, 0)]
    log += [rating(10, 1, 1, "negative", rater="a"), rating(11, 1, 2, rater="a")]
    log += [rating(12, 1, 3, rater="b"), rating(13, 1, 4), rating(14, 1, 5)]

    assert positive(log, AsOf(at(9))) == (4, 1.0)


def test_a_rating_supersedes_none_of_another_request() -> None:
    """Otherwise one event could take back the ratings of a whole version."""
    log = [request(1, 0), request(2, 0)]
    log += [rating(10, 1, 1, "negative"), rating(11, 2, 2, supersedes=10)]

    assert positive(log, AsOf(at(9))) == (2, 0.5)


def test_a_rating_without_its_request_is_counted_until_the_request_comes() -> None:
    """Ratings may come first; one that finds no request ever says that requests are lost."""
    log = [
        request(1, 1),
        rating(2, of=1, received=2),
        rating(3, of=4, received=3),
        rating(5, of=9, received=3, value="negative"),
        request(4, 2.5, received=6),
    ]

    def unmatched(hours: float, since: float | None = None) -> int:
        begin = None if since is None else at(since)
        scope = Scope(view=AsOf(at(hours)), since=begin)
        return count_unmatched(open_log(log), scope)

    assert [unmatched(hours) for hours in (2, 3, 5.9, 6)] == [0, 2, 2, 1]
    assert unmatched(6, since=3) == 0
    assert positive(log, AsOf(at(6))) == (2, 1.0)


def test_a_view_needs_a_zone_and_no_negative_age() -> None:
    """Without a zone nobody knows when that was."""
    with pytest.raises(InputError, match="as_of"):
        AsOf(at(1).replace(tzinfo=None))
    with pytest.raises(InputError, match="maturity"):
        AsOf(at(1), timedelta(hours=-1))
