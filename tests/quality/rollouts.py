"""Rollouts of the demo clinic as observations, without a log in between.

`observe` is the plain meaning of a metric over drawn rows. A test holds it to what
`quality.observations` reads of the same rows, so that many seeds can be tried at once.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tests.quality.made import START

from phitrail.demo.rollout_plan import (
    FINISHED,
    GUARDED,
    HOUR_US,
    NONE,
    USES,
    Served,
)
from phitrail.events.codes import FinishReason, GuardDecision, Log, QualityMetric
from phitrail.projection.fold import connect
from phitrail.projection.tables import LogState, Tables
from phitrail.quality.observations import HOURS_A_WEEK, Observations

Values = npt.NDArray[Any]
START_US = round(START.timestamp()) * 1_000_000


class Rated(NamedTuple):
    """The ratings that count: rows of ratings, and the requests that they are of."""

    rating: npt.NDArray[np.int64]
    request: npt.NDArray[np.int64]


def open_table(table: pa.Table) -> Tables:
    """Open tables whose quality log has these rows."""
    states = [
        LogState(log, (), Path(), rows, 0 if rows is None else len(rows))
        for log in Log
        for rows in [table if log is Log.QUALITY else None]
    ]
    return Tables.open(states, connect(threads=1, memory_mb=400))


def ratings_that_count(served: Served, as_of: timedelta, maturity: timedelta) -> Rated:
    """Say which ratings stand: in time, not superseded in time, the newest of a rater."""
    of, requests = served.ratings, served.requests
    now, ripe = (round(one.total_seconds() * 1_000_000) for one in (as_of, maturity))
    asked = requests.at_us[of.request]
    is_known = (of.at_us <= now) & (of.at_us <= asked + ripe) & (asked <= now - ripe)
    standing: dict[tuple[int, int], int] = {}
    for row in np.flatnonzero(is_known).tolist():
        standing[int(of.request[row]), int(of.rater[row])] = row
    rows = np.array(sorted(standing.values()), dtype=np.int64)
    order = np.lexsort((rows, of.request[rows], requests.at_us[of.request[rows]]))
    return Rated(rows[order], of.request[rows[order]])


_IS_FINISHED = FINISHED.index
_ENTRIES: Mapping[QualityMetric, Callable[[Any], tuple[Values, Values | bool]]] = {
    QualityMetric.REQUESTS: lambda r: (np.ones(len(r)), True),
    QualityMetric.LATENCY_MEAN: lambda r: (r.latency_us / 1000.0, True),
    QualityMetric.LATENCY_P95: lambda r: (r.latency_us / 1000.0, True),
    QualityMetric.FIRST_TOKEN_P95: lambda r: (r.first_token_us / 1000.0, True),
    QualityMetric.CACHE_HIT_RATE: lambda r: (r.cache_hit, True),
    QualityMetric.CONTENT_FILTER_RATE: lambda r: (
        r.finished == _IS_FINISHED(FinishReason.CONTENT_FILTER),
        True,
    ),
    QualityMetric.DISCLAIMER_RATE: lambda r: (r.disclaimer, True),
    QualityMetric.CITATIONS_MEAN: lambda r: (r.citations, True),
    QualityMetric.TOP_SCORE_MEAN: lambda r: (
        r.top_score_e6 / 1_000_000.0,
        r.top_score_e6 != NONE,
    ),
    QualityMetric.TRUNCATION_RATE: lambda r: (
        r.finished == _IS_FINISHED(FinishReason.LENGTH),
        True,
    ),
    QualityMetric.ERROR_RATE: lambda r: (
        r.finished == _IS_FINISHED(FinishReason.ERROR),
        True,
    ),
    QualityMetric.REFUSAL_RATE: lambda r: (r.refused, True),
    QualityMetric.GUARD_HIT_RATE: lambda r: (
        r.guarded != GUARDED.index(GuardDecision.RELEASE),
        True,
    ),
    QualityMetric.EMPTY_RETRIEVAL_RATE: lambda r: (r.retrieved == 0, True),
    QualityMetric.PROMPT_CACHE_RATE: lambda r: (r.cache_read_tokens > 0, True),
}


class Seen:
    """What is known of drawn rows at a time, at equal maturity."""

    def __init__(self, served: Served, as_of: timedelta, maturity: timedelta) -> None:
        self._served = served
        self._rated = ratings_that_count(served, as_of, maturity)
        ripe = round((as_of - maturity).total_seconds() * 1_000_000)
        self._is_ripe = served.requests.at_us <= ripe

    def observe(
        self, metric: QualityMetric, use_case: str, version: int
    ) -> Observations:
        """Give what one metric saw of one version in one use case."""
        requests = self._served.requests
        use = [one.name for one in USES].index(use_case)
        is_wanted = (
            self._is_ripe & (requests.use == use) & (requests.version == version)
        )
        if metric in (QualityMetric.POSITIVE_RATE, QualityMetric.FLAG_RATE):
            return self._observe_ratings(metric, is_wanted)
        if metric is QualityMetric.RESPONSE_RATE:
            value: Values = np.isin(np.arange(len(requests)), self._rated.request)
            counted: Values | bool = True
        else:
            value, counted = _ENTRIES[metric](requests)
        rows = np.flatnonzero(is_wanted & counted)
        return self._observations(rows, value[rows], np.full(len(rows), NONE))

    def _observe_ratings(
        self, metric: QualityMetric, is_wanted: Values
    ) -> Observations:
        ratings, rated = self._served.ratings, self._rated
        is_kept = is_wanted[rated.request]
        rows = rated.rating[is_kept]
        value = ratings.is_positive[rows]
        if metric is QualityMetric.FLAG_RATE:
            value = ratings.flag[rows] != NONE
        return self._observations(rated.request[is_kept], value, ratings.rater[rows])

    def _observations(self, rows: Values, value: Values, rater: Values) -> Observations:
        requests = self._served.requests
        at_us = requests.at_us[rows]
        hour = at_us // HOUR_US % HOURS_A_WEEK
        stratum = hour + HOURS_A_WEEK * (requests.facility[rows] + 1)
        return Observations(
            at_us + START_US,
            value.astype(np.float64),
            stratum.astype(np.int32),
            rater.astype(np.int32),
        )
