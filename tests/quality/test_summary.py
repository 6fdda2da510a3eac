"""Metrics agree with a plain calculation, and with numbers worked out by hand."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.quality import plain
from tests.quality.made import (
    EXAMPLES,
    START,
    Record,
    at,
    open_log,
    rating,
    request,
    rollout,
)

from phitrail.events.codes import (
    FinishReason,
    FlagReason,
    GuardDecision,
    QualityMetric,
)
from phitrail.events.quality import QualityEntry
from phitrail.quality.as_of import AsOf
from phitrail.quality.metric import METRICS, Kind
from phitrail.quality.sql import Scope
from phitrail.quality.summary import Summary, summarize
from phitrail.quality.windows import Dimension, parse_grouping

HOURS = st.integers(0, 47).map(float)
MAYBE = st.none() | st.booleans()
COUNTS = st.none() | st.integers(0, 3)


@st.composite
def entries(draw: st.DrawFn, number: int) -> Record:
    """Draw a request that leaves out anything."""
    hours = draw(HOURS)
    return request(
        number,
        hours,
        received=hours + draw(st.sampled_from((0.0, 0.0, 30.0))),
        version=draw(st.sampled_from(("v1", "v2", None))),
        use_case=draw(st.sampled_from(("chart_qa", "triage"))),
        facility_id=draw(st.sampled_from(("main", None))),
        latency_us=draw(st.none() | st.integers(0, 10_000_000)),
        time_to_first_token_us=draw(st.none() | st.integers(0, 1_000_000)),
        cache_hit=draw(MAYBE),
        content_filtered=draw(MAYBE),
        disclaimer_present=draw(MAYBE),
        refused=draw(MAYBE),
        citation_count=draw(COUNTS),
        retrieved_count=draw(COUNTS),
        cache_read_tokens=draw(COUNTS),
        top_retrieval_score_e6=draw(st.none() | st.integers(0, 1_000_000)),
        finish_reason=draw(st.none() | st.sampled_from(FinishReason)),
        error_code=draw(st.sampled_from((None, "timeout"))),
        guard_decision=draw(st.none() | st.sampled_from(GuardDecision)),
    )


@st.composite
def logs(draw: st.DrawFn) -> list[msgspec.Struct]:
    """Draw a log: requests, then ratings in the order in which they came."""
    count = draw(st.integers(0, 12))
    found = [draw(entries(n)) for n in range(count)]
    if count > 1 and draw(st.booleans()):
        found[1] = msgspec.structs.replace(found[1], request_id="req-0")
    received = 0.0
    for number in range(draw(st.integers(0, 12)) if count else 0):
        received += draw(st.sampled_from((0.0, 1.0, 9.0)))
        found.append(
            rating(
                100 + number,
                draw(st.integers(0, count - 1)),
                received,
                draw(st.sampled_from(("positive", "negative", None))),
                rater=draw(st.sampled_from(("a", "b", None))),
                flag=draw(st.none() | st.sampled_from(FlagReason)),
                supersedes=draw(st.none() | st.integers(100, 100 + number)),
            )
        )
    return found


def measured(summary: Summary) -> dict[tuple[Any, ...], plain.Known]:
    """Put a summary into the form of the plain calculation."""
    return {
        cell.keys: {
            name.value: (one.n, one.value) for name, one in cell.measured.items()
        }
        for cell in summary.cells
    }


def approximately(known: dict[tuple[object, ...], plain.Known]) -> Any:
    """Let floats differ by rounding."""
    return {
        key: {
            name: (n, None if value is None else pytest.approx(value))
            for name, (n, value) in found.items()
        }
        for key, found in known.items()
    }


@settings(max_examples=EXAMPLES, deadline=None)
@given(logs(), st.sampled_from((None, timedelta(0), timedelta(hours=9))), HOURS)
def test_every_metric_agrees_with_a_plain_calculation(
    log: list[msgspec.Struct], maturity: timedelta | None, as_of: float
) -> None:
    """A clause that is wrong in SQL is wrong in every report."""
    view = AsOf(at(as_of), maturity)
    since = START + timedelta(hours=2)
    names = ["day", "model-version", "facility"]
    scope = Scope(view=view, since=since, grouping=parse_grouping(names))
    found = plain.requests(log, view.as_of, maturity, since)
    rated = plain.ratings(log, found, view.as_of, maturity)

    def key(one: QualityEntry) -> tuple[object, ...]:
        day = plain.time(one.timestamp_utc).replace(hour=0, minute=0)
        return day, one.model_version, one.facility_id

    expected = approximately(plain.by_key(found, rated, key))

    assert measured(summarize(open_log(log), scope)) == expected


def test_numbers_worked_out_by_hand() -> None:
    """The plain calculation could be wrong in the same way."""
    log = [
        request(
            n,
            n,
            latency_us=1_000_000 * (n + 1),
            top_retrieval_score_e6=(0, 900_000, None, None)[n],
            citation_count=(0, 4, None, 2)[n],
            finish_reason=(None, FinishReason.STOP, FinishReason.LENGTH, None)[n],
            error_code=("timeout", None, None, None)[n],
            retrieved_count=(0, 3, None, 5)[n],
        )
        for n in range(4)
    ]
    log += [rating(10, 1, 5, "negative", rater="a"), rating(11, 1, 6, rater="a")]
    log += [rating(12, 3, 6, None, flag="unsafe")]
    (cell,) = summarize(open_log(log), Scope(view=AsOf(at(9)))).cells
    found: dict[str, Any] = {
        name.value: (one.n, one.value) for name, one in cell.measured.items()
    }

    assert found["latency_mean"] == (4, 2500.0)
    assert found["latency_p95"] == (4, pytest.approx(3850.0))
    assert found["top_score_mean"] == (2, pytest.approx(0.45))
    assert found["citations_mean"] == (3, 2.0)
    assert found["truncation_rate"] == (2, 0.5)
    assert found["error_rate"] == (3, pytest.approx(1 / 3))
    assert found["empty_retrieval_rate"] == (3, pytest.approx(1 / 3))
    assert found["positive_rate"] == (1, 1.0)
    assert found["flag_rate"] == (2, 0.5)
    assert found["response_rate"] == (4, 0.5)
    assert found["cache_hit_rate"] == (0, None)


def test_without_a_request_there_is_no_cell() -> None:
    """A row of zeros would be drawn as a day on which nothing was wrong."""
    assert summarize(open_log([]), Scope(view=AsOf(at(9)))).cells == ()


def test_one_metric_alone_asks_for_no_other() -> None:
    """A cell has the metrics that were asked for, ratings alone make none."""
    log = [request(1, 1), rating(2, 1, 2)]
    scope = Scope(view=AsOf(at(9)), metrics=(QualityMetric.POSITIVE_RATE,))
    (cell,) = summarize(open_log(log), scope).cells

    assert list(cell.measured) == [QualityMetric.POSITIVE_RATE]
    assert cell.measured[QualityMetric.POSITIVE_RATE].value == 1.0


def test_what_is_asked_for_alone_is_bound_and_not_pasted() -> None:
    """A use case with a quote in it must not end the SQL."""
    log = [request(1, 1, use_case="it's"), request(2, 1), rating(3, 1, 2)]
    only = ((Dimension.USE_CASE, "it's"), (Dimension.MODEL_VERSION, "v1"))
    grouping = parse_grouping(["release", "use-case"])
    scope = Scope(view=AsOf(at(9)), only=only, grouping=grouping)
    (cell,) = summarize(open_log(log), scope).cells

    assert cell.keys == (None, "it's")
    assert cell.measured[QualityMetric.REQUESTS].n == 1
    assert cell.measured[QualityMetric.POSITIVE_RATE].n == 1


def test_a_release_lasts_until_the_next_one_of_its_use_case() -> None:
    """A worse version is seen in the release that brought it, and in no other."""
    log = [
        *(request(n, n, use_case=("chart_qa", "triage")[n % 2]) for n in range(12)),
        rollout(20, 4, "v2"),
        rollout(21, 7, "v3", use_case=None),
        rollout(22, 9, "v4", received=99),
    ]
    grouping = parse_grouping(["release", "use-case"])
    summary = summarize(open_log(log), Scope(view=AsOf(at(50)), grouping=grouping))

    assert {c.keys: c.measured[QualityMetric.REQUESTS].n for c in summary.cells} == {
        (None, "chart_qa"): 2,
        (at(4), "chart_qa"): 2,
        (at(7), "chart_qa"): 2,
        (None, "triage"): 3,
        (at(7), "triage"): 3,
    }


def test_every_value_has_rows_and_an_interval_that_holds_it() -> None:
    """A number without them is believed too much."""
    log: Sequence[msgspec.Struct] = [
        *(
            request(
                n,
                n / 9,
                latency_us=1000 * n,
                time_to_first_token_us=n,
                cache_hit=n % 3 == 0,
                content_filtered=False,
                disclaimer_present=True,
                citation_count=n % 5,
                top_retrieval_score_e6=n * 1000,
                finish_reason=FinishReason.STOP,
                refused=False,
                guard_decision=GuardDecision.RELEASE,
                retrieved_count=n % 2,
                cache_read_tokens=n % 2,
            )
            for n in range(300)
        ),
        *(rating(1000 + n, n, 50) for n in range(80)),
    ]
    (cell,) = summarize(open_log(log), Scope(view=AsOf(at(99)))).cells

    for name, one in cell.measured.items():
        assert one.n >= METRICS[name].min_n
        assert not one.is_few
        if METRICS[name].kind is not Kind.COUNT:
            low, high = one.interval.low, one.interval.high
            assert one.value is not None
            assert low is not None
            assert high is not None
            assert low <= one.value <= high
            assert low < high


def test_the_table_of_metrics_holds_together() -> None:
    """A quantile without its quantile, or a metric twice, would fail far from here."""
    assert list(METRICS) == [metric.name for metric in METRICS.values()]
    assert set(METRICS) == set(QualityMetric)
    for metric in METRICS.values():
        assert (metric.quantile is not None) == (metric.kind is Kind.QUANTILE)
        assert metric.min_effect > 0
        assert metric.kind is not Kind.RATE or metric.bounds == (0.0, 1.0)
