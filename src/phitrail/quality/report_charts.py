"""The charts of a report: effects, latency, how ratings came in, and what changed when.

1. Effects of all metrics stand in one forest, in units of the smallest effect that matters.
2. Metrics with a verdict that somebody must know of are drawn over time, the worst first,
   with the instants at which the candidate changed (`quality.change_points`).
3. What there is too little of is not drawn.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from phitrail.events.codes import QualityMetric
from phitrail.projection.tables import Tables
from phitrail.quality import charts
from phitrail.quality.as_of import AsOf
from phitrail.quality.change_points import change_points
from phitrail.quality.family import Asked
from phitrail.quality.intervals import mean_interval, wilson
from phitrail.quality.metric import METRICS, SHARE, Better, Kind, Metric
from phitrail.quality.observations import Observations
from phitrail.quality.theme import BASELINE, CANDIDATE, Spec
from phitrail.quality.verdict import Comparison, State
from phitrail.quality.versions import Pair

Arms: TypeAlias = Mapping[QualityMetric, Mapping[str, Observations]]
"""Rows by metric and version."""
_QUANTILES: Final = (*(percent / 100 for percent in range(5, 100, 5)), 0.99)
_LEAST_FOR_SHIFT: Final = 100
_MOST_SERIES: Final = 4
_TOLD: Final = (State.REGRESSION, State.WATCH, State.IMPROVED)
_DAY_US: Final = 86_400_000_000
_BUCKETS_US: Final = (3_600_000_000, 6 * 3_600_000_000, _DAY_US, 7 * _DAY_US)
_MOST_BUCKETS: Final = 60
_HOURS: Final = 72


def beside(
    pair: Pair, by_version: Mapping[str, Observations]
) -> tuple[Observations, Observations]:
    """Give both versions from the candidate's begin on, if the baseline went on serving."""
    candidate, baseline = by_version[pair.candidate], by_version[pair.baseline]
    since_us = round(pair.since.timestamp() * 1_000_000)
    is_after = baseline.at_us >= since_us
    if not is_after.any():
        return candidate, baseline
    return candidate, Observations(
        baseline.at_us[is_after],
        baseline.value[is_after],
        baseline.stratum[is_after],
        baseline.rater[is_after],
    )


def value_of(metric: Metric, values: npt.NDArray[np.float64]) -> float | None:
    """Give what a metric is over some values (float64, shape (n,)); None of none."""
    if not len(values):
        return None
    if metric.kind is Kind.QUANTILE and metric.quantile is not None:
        return float(np.quantile(values, metric.quantile))
    return float(values.mean())


def charts_of(
    tables: Tables,
    pair: Pair,
    comparisons: Sequence[Comparison],
    arms: Arms,
    asked: Asked,
) -> list[Spec]:
    """Draw what there is to draw of one use case.

    Raises:
        ConfigError: the extra `quality` is not installed.
        InputError: the tables took too long.
        StorageError: a file cannot be read.
    """
    drawn = [
        charts.forest([_effect(one) for one in comparisons if one.low is not None])
    ]
    latency = beside(pair, arms[QualityMetric.LATENCY_P95])
    if min(len(arm) for arm in latency) >= _LEAST_FOR_SHIFT:
        drawn.append(charts.latency_shift(_shifts(*latency)))
    ripened = _ripening(tables, pair, asked)
    if ripened:
        drawn.append(charts.ripening(ripened))
    told = [one for one in comparisons if one.state in _TOLD]
    worst = sorted(told, key=_worst_first)[:_MOST_SERIES]
    return drawn + [_over_time(pair, one, arms[one.metric]) for one in worst]


def _worst_first(one: Comparison) -> tuple[int, float]:
    return _TOLD.index(one.state), -(one.log_e or 0.0)


def _effect(one: Comparison) -> charts.Effect:
    metric = METRICS[one.metric]
    sign = 1.0 if metric.better is Better.UP else -1.0
    ends = sorted(
        sign * (math.inf if end is None else end) / metric.min_effect
        for end in (one.low, one.high)
    )
    return charts.Effect(
        one.metric.replace("_", " "),
        sign * (one.effect or 0.0) / metric.min_effect,
        ends[0],
        ends[1],
        one.state,
    )


def _shifts(candidate: Observations, baseline: Observations) -> list[charts.Shift]:
    return [
        charts.Shift(
            share,
            float(np.quantile(baseline.value, share)),
            float(np.quantile(candidate.value, share)),
        )
        for share in _QUANTILES
    ]


def _ripening(tables: Tables, pair: Pair, asked: Asked) -> list[charts.Ripening]:
    """Say which share of ripe requests had a rating within so many hours."""
    view = AsOf(asked.as_of, max(asked.ripen, timedelta(hours=_HOURS)))
    kept = ("timestamp_utc",)
    rows = tables.ask(
        f"WITH requests AS ({view.requests(pair.since - timedelta(seconds=1))} "
        "AND model_version IN (?, ?) AND use_case = ? AND model_id = ?), first AS ("
        "SELECT g.idx, min(f.received_at - g.timestamp_utc) AS waited FROM "
        f"({view.ratings('requests', kept)}) AS g "
        "JOIN feedback AS f ON f.idx = g.rating_idx GROUP BY 1) "
        "SELECT r.model_version AS version, count(*) AS requests, "
        "list(extract('epoch' FROM f.waited) / 3600.0) FILTER (f.waited IS NOT NULL) "
        "AS hours FROM requests AS r LEFT JOIN first AS f ON f.idx = r.idx GROUP BY 1",
        [pair.candidate, pair.baseline, pair.use_case, pair.model_id],
    ).to_pylist()
    points = []
    for row in rows:
        arm = CANDIDATE if row["version"] == pair.candidate else BASELINE
        hours = np.sort(np.asarray(row["hours"] or [], dtype=np.float64))
        for hour in range(_HOURS + 1):
            rated = int(np.searchsorted(hours, hour, side="right"))
            points.append(charts.Ripening(arm, float(hour), rated / row["requests"]))
    return points if any(point.share for point in points) else []


def _over_time(
    pair: Pair, one: Comparison, by_version: Mapping[str, Observations]
) -> Spec:
    metric = METRICS[one.metric]
    arms = {
        CANDIDATE: by_version[pair.candidate],
        BASELINE: by_version[pair.baseline],
    }
    spans = [int(np.ptp(arm.at_us)) for arm in arms.values() if len(arm)]
    longest = max(spans, default=0)
    bucket_us = next(
        (size for size in _BUCKETS_US if longest <= size * _MOST_BUCKETS),
        _BUCKETS_US[-1],
    )
    points = [
        point
        for arm, rows in arms.items()
        for point in _points(metric, arm, rows, bucket_us)
    ]
    found = change_points(by_version[pair.candidate]) or ()
    changes = [_iso(change.at_us) for change in found]
    scale = "share" if metric.unit == SHARE else metric.unit
    words = one.metric.replace("_", " ")
    return charts.over_time(points, scale, changes=changes, title=words)


def _points(
    metric: Metric, arm: str, rows: Observations, bucket_us: int
) -> list[charts.Point]:
    if not len(rows):
        return []
    buckets = rows.at_us // bucket_us
    starts = np.flatnonzero(np.diff(buckets, prepend=buckets[0] - 1))
    points = []
    for values, bucket in zip(
        np.split(rows.value, starts[1:]), buckets[starts].tolist(), strict=True
    ):
        value = value_of(metric, values)
        assert value is not None  # noqa: S101 - a bucket has rows
        low, high = _interval(metric, values, value)
        at = _iso(int(bucket) * bucket_us)
        points.append(charts.Point(arm, at, value, low, high, len(values)))
    return points


def _interval(
    metric: Metric, values: npt.NDArray[np.float64], value: float
) -> tuple[float, float]:
    if metric.kind is Kind.RATE:
        found = wilson(int(values.sum()), len(values))
    elif metric.kind is Kind.MEAN and len(values) > 1:
        found = mean_interval(value, float(values.std(ddof=1)), len(values))
    else:
        return value, value
    low, high = found.low, found.high
    return value if low is None else low, value if high is None else high


def _iso(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def minute_of(at_us: int) -> str:
    """Write a time up to its minute, UTC."""
    return _iso(at_us)[:16] + "Z"
