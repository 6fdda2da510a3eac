"""Metrics of cells: for each, how many rows, the value, and an interval.

1. No rows, no value: what was not measured is None, which is neither zero nor "no".
2. Every value comes with its number of rows and its interval (`quality.intervals`). How
   many requests there were is a count and needs none.
3. A cell has requests. Ratings alone make none.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from phitrail.events.codes import QualityMetric
from phitrail.projection.tables import Tables
from phitrail.quality.intervals import (
    UNKNOWN,
    Interval,
    mean_interval,
    quantile_ranks,
    wilson,
)
from phitrail.quality.metric import METRICS, Kind, Metric
from phitrail.quality.sql import (
    DEVIATION,
    HITS,
    LADDER,
    MEAN,
    ROWS,
    Scope,
    column,
    entries_sql,
    feedback_sql,
    ladder,
)

Key: TypeAlias = datetime | str | None
TIMEOUT_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one cell: rows that were counted, value, interval."""

    metric: QualityMetric
    n: int
    value: float | None = None
    interval: Interval = UNKNOWN

    @property
    def is_few(self) -> bool:
        """Say whether there are fewer rows than the metric should have."""
        return self.n < METRICS[self.metric].min_n


@dataclass(frozen=True, slots=True)
class Cell:
    """One group, by the keys of the grouping, and what was measured of it."""

    keys: tuple[Key, ...]
    measured: Mapping[QualityMetric, Measured]


@dataclass(frozen=True, slots=True)
class Summary:
    """What was asked, what came of it, and up to which sizes of the logs.

    `unmatched` counts the ratings that came in that time and name no request that was known;
    None where that was not asked.
    """

    scope: Scope
    cells: tuple[Cell, ...]
    sizes: Mapping[str, int]
    unmatched: int | None = None


def count_unmatched(tables: Tables, scope: Scope) -> int:
    """Count the ratings of the window that name no request that was known.

    Raises:
        InputError: it took too long.
        StorageError: a file cannot be read.
    """
    asked = scope.view.unmatched(scope.since)
    return int(tables.ask(asked, timeout_s=TIMEOUT_S)["n"][0].as_py())


def summarize(tables: Tables, scope: Scope) -> Summary:
    """Measure; without a request there is no cell.

    Raises:
        InputError: it took too long.
        StorageError: a file cannot be read.
    """
    counted = Scope(
        view=scope.view,
        since=scope.since,
        metrics=_with_requests(scope.metrics),
        only=scope.only,
        grouping=scope.grouping,
    )
    entries = _ask(tables, counted, entries_sql(counted))
    ratings = _ask(tables, counted, feedback_sql(counted))
    cells = []
    for keys, row in entries.items():
        rated = ratings.get(keys, {})
        measured = {
            name: _measured(METRICS[name], row | rated) for name in counted.metrics
        }
        if measured[QualityMetric.REQUESTS].n:
            cells.append(Cell(keys, {name: measured[name] for name in scope.metrics}))
    return Summary(scope, tuple(cells), dict(tables.as_of))


def _with_requests(
    metrics: Sequence[QualityMetric],
) -> tuple[QualityMetric, ...]:
    return (
        QualityMetric.REQUESTS,
        *(name for name in metrics if name is not QualityMetric.REQUESTS),
    )


def _ask(
    tables: Tables, scope: Scope, select: str | None
) -> Mapping[tuple[Key, ...], dict[str, Any]]:
    if select is None:
        return {}
    rows = tables.ask(select, scope.values, timeout_s=TIMEOUT_S).to_pylist()
    return {tuple(_key(row[name]) for name in scope.grouping.keys): row for row in rows}


def _key(value: object) -> Key:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    assert value is None or isinstance(value, str)  # noqa: S101 - columns of text
    return value


def _measured(metric: Metric, row: Mapping[str, Any]) -> Measured:
    n = int(row.get(column(metric, ROWS)) or 0)
    if metric.kind is Kind.COUNT:
        return Measured(metric.name, n, float(n))
    if n == 0:
        return Measured(metric.name, 0)
    if metric.kind is Kind.RATE:
        hits = int(row[column(metric, HITS)])
        return Measured(metric.name, n, hits / n, wilson(hits, n))
    if metric.kind is Kind.MEAN:
        mean, deviation = (
            float(row[column(metric, MEAN)]),
            row[column(metric, DEVIATION)],
        )
        spread = UNKNOWN if deviation is None else mean_interval(mean, deviation, n)
        return Measured(metric.name, n, mean, spread)
    return quantile_of(metric, n, row[column(metric, LADDER)])


def quantile_of(metric: Metric, n: int, read: Sequence[float]) -> Measured:
    """Take the quantile and the steps of the ladder that enclose its interval.

    Step f lies at the place (n - 1) f + 1 among the n sorted rows, between two of them: it
    is at most row r when that place is, and at least row r when that place is.
    """
    assert metric.quantile is not None  # noqa: S101 - held by the tests of the table
    steps = ladder(metric.quantile)
    low_rank, high_rank = quantile_ranks(n, metric.quantile)
    low = high = None
    if low_rank is not None:
        low = max(
            value
            for step, value in zip(steps, read, strict=True)
            if math.ceil((n - 1) * step) + 1 <= low_rank
        )
    if high_rank is not None:
        high = min(
            value
            for step, value in zip(steps, read, strict=True)
            if math.floor((n - 1) * step) + 1 >= high_rank
        )
    value = float(read[steps.index(metric.quantile)])
    return Measured(metric.name, n, value, Interval(low, high))
