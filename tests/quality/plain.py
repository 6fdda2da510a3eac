"""The metrics once more, in plain Python over plain records: what the SQL must agree with.

Written from the words of docs/quality.md, and of the product it uses the record types.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from phitrail.events.codes import FeedbackValue, FinishReason, GuardDecision
from phitrail.events.ids import parse_time
from phitrail.events.quality import Feedback, QualityEntry

Known = dict[str, tuple[int, float | None]]
"""Rows that count and value, by the name of the metric."""


def requests(
    log: Sequence[msgspec.Struct],
    as_of: datetime,
    maturity: timedelta | None,
    since: datetime | None,
) -> list[QualityEntry]:
    """List the requests that count."""
    until = as_of - (maturity or timedelta(0))
    return [
        one
        for one in log
        if isinstance(one, QualityEntry)
        and time(one.received_at) <= as_of
        and time(one.timestamp_utc) <= until
        and (since is None or time(one.timestamp_utc) > since)
    ]


def ratings(
    log: Sequence[msgspec.Struct],
    found: Iterable[QualityEntry],
    as_of: datetime,
    maturity: timedelta | None,
) -> list[tuple[QualityEntry, Feedback]]:
    """List the ratings that count, each with its request."""
    first: dict[str, QualityEntry] = {}
    for request in found:
        first.setdefault(request.request_id, request)
    known = []
    given = [one for one in log if isinstance(one, Feedback)]
    for one in given:
        if one.request_id in first:
            request = first[one.request_id]
            bounds = [as_of]
            if maturity is not None:
                bounds.append(time(request.timestamp_utc) + maturity)
            if time(one.received_at) <= min(bounds):
                known.append(one)
    gone = {
        (one.request_id, one.supersedes)
        for one in known
        if one.supersedes != one.event_id
    }
    newest: dict[tuple[str, str | None], Feedback] = {}
    for one in sorted(known, key=lambda one: time(one.received_at)):
        if (one.request_id, one.event_id) not in gone:
            newest[one.request_id, one.rater or one.event_id] = one
    return [(first[one.request_id], one) for one in newest.values()]


def measure(
    found: Sequence[QualityEntry], rated: Sequence[tuple[QualityEntry, Feedback]]
) -> Known:
    """Measure every metric."""
    given = [feedback for _, feedback in rated]
    heard = {request.event_id for request, _ in rated}
    return {
        "requests": (len(found), float(len(found))),
        "latency_mean": _mean(_ms(one.latency_us) for one in found),
        "latency_p95": _p95(_ms(one.latency_us) for one in found),
        "cache_hit_rate": _mean(one.cache_hit for one in found),
        "content_filter_rate": _mean(one.content_filtered for one in found),
        "disclaimer_rate": _mean(one.disclaimer_present for one in found),
        "citations_mean": _mean(one.citation_count for one in found),
        "top_score_mean": _mean(
            None
            if one.top_retrieval_score_e6 is None
            else one.top_retrieval_score_e6 / 1_000_000
            for one in found
        ),
        "positive_rate": _mean(
            None if one.value is None else one.value is FeedbackValue.POSITIVE
            for one in given
        ),
        "flag_rate": _mean(one.flag_reason is not None for one in given),
        "truncation_rate": _mean(
            None if one.finish_reason is None else one.finish_reason == "length"
            for one in found
        ),
        "error_rate": _mean(_has_failed(one) for one in found),
        "refusal_rate": _mean(one.refused for one in found),
        "guard_hit_rate": _mean(
            None
            if one.guard_decision is None
            else one.guard_decision is not GuardDecision.RELEASE
            for one in found
        ),
        "response_rate": _mean(one.event_id in heard for one in found),
        "first_token_p95": _p95(_ms(one.time_to_first_token_us) for one in found),
        "empty_retrieval_rate": _mean(
            None if one.retrieved_count is None else one.retrieved_count == 0
            for one in found
        ),
        "prompt_cache_rate": _mean(
            None if one.cache_read_tokens is None else one.cache_read_tokens > 0
            for one in found
        ),
    }


def time(text: str | None) -> datetime:
    """Read a time that must be there."""
    assert text is not None
    return parse_time(text)


def by_key(
    found: Sequence[QualityEntry],
    rated: Sequence[tuple[QualityEntry, Feedback]],
    key: Callable[[QualityEntry], tuple[object, ...]],
) -> dict[tuple[object, ...], Known]:
    """Measure every group."""
    return {
        group: measure(
            [one for one in found if key(one) == group],
            [pair for pair in rated if key(pair[0]) == group],
        )
        for group in {key(one) for one in found}
    }


def _has_failed(one: QualityEntry) -> bool | None:
    if one.error_code is None and one.finish_reason is None:
        return None
    return one.error_code is not None or one.finish_reason is FinishReason.ERROR


def _ms(length_us: int | None) -> float | None:
    return None if length_us is None else length_us / 1000


def _mean(values: Iterable[float | None]) -> tuple[int, float | None]:
    known = [float(value) for value in values if value is not None]
    return len(known), statistics.fmean(known) if known else None


def _p95(values: Iterable[float | None]) -> tuple[int, float | None]:
    """Interpolate between ranks, as spreadsheets and numpy do."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return 0, None
    place = 0.95 * (len(known) - 1)
    low = math.floor(place)
    high = min(low + 1, len(known) - 1)
    return len(known), known[low] + (place - low) * (known[high] - known[low])
