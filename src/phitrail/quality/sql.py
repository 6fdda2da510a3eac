"""The SQL of metrics: one pass over the requests for all of them, one over the ratings.

1. The dialect is DuckDB's, and of it what other engines have too: a test has it rewritten
   for Spark and read by Spark's grammar (there, quantiles are approximate).
2. Of a rate come the rows that are counted and the hits among them; of a mean the rows,
   the mean and the standard deviation; of a quantile the rows and a ladder of quantiles
   around it. What lies between which of them is counted in `quality.summary`.
3. The ladder is fine near the quantile and coarse far away, so the interval of any number
   of rows stands between two of its steps, a quarter wider than it would be at most.
4. Texts that somebody asks for are bound, never written into the SQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from phitrail.events.codes import QualityMetric
from phitrail.quality.as_of import AsOf
from phitrail.quality.metric import IS_RATED, METRICS, Kind, Metric, Source
from phitrail.quality.windows import TOGETHER, Dimension, Grouping, placed

ROWS, HITS, MEAN, DEVIATION, LADDER = "n", "hits", "mean", "sd", "ladder"
_FINEST: Final = 1e-4
_STEP: Final = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is asked: which metrics, known when, since when, of what, told apart how."""

    view: AsOf
    since: datetime | None = None
    metrics: tuple[QualityMetric, ...] = tuple(METRICS)
    only: tuple[tuple[Dimension, str], ...] = ()
    grouping: Grouping = TOGETHER

    @property
    def values(self) -> tuple[str, ...]:
        """What is bound to the question marks."""
        return tuple(value for _, value in self.only)

    def of_source(self, source: Source) -> tuple[Metric, ...]:
        """List the metrics of one source."""
        wanted = (METRICS[name] for name in self.metrics)
        return tuple(metric for metric in wanted if metric.source is source)


def ladder(quantile: float) -> tuple[float, ...]:
    """List the quantiles that are read around one: the least and the greatest too."""
    steps = {0.0, quantile, 1.0}
    away = _FINEST
    while away < 1:
        steps |= {
            round(one, 7) for one in (quantile - away, quantile + away) if 0 < one < 1
        }
        away *= _STEP
    return tuple(sorted(steps))


def entries_sql(scope: Scope) -> str | None:
    """Write the pass over the requests; None where no metric needs it."""
    metrics = scope.of_source(Source.ENTRIES)
    if not metrics:
        return None
    rows = "SELECT * FROM placed"
    if any(metric.needs_ratings for metric in metrics):
        rows = (
            f"SELECT p.*, g.idx IS NOT NULL AS {IS_RATED} FROM placed AS p "
            "LEFT JOIN (SELECT DISTINCT idx FROM "
            f"({scope.view.ratings('placed', ())}) AS d) AS g ON g.idx = p.idx"
        )
    return _cells(scope, metrics, rows)


def feedback_sql(scope: Scope) -> str | None:
    """Write the pass over the ratings; None where no metric needs it."""
    metrics = scope.of_source(Source.FEEDBACK)
    if not metrics:
        return None
    return _cells(scope, metrics, scope.view.ratings("placed", scope.grouping.keys))


def column(metric: Metric, part: str) -> str:
    """Name the column in which a part of a metric comes."""
    return f"{metric.name}_{part}"


def _cells(scope: Scope, metrics: Sequence[Metric], rows: str) -> str:
    only = "".join(f" AND {dimension.value} = ?" for dimension, _ in scope.only)
    keys = scope.grouping.keys
    wanted = ", ".join([*keys, *(_aggregates(metric) for metric in metrics)])
    by = ""
    if keys:
        in_order = ", ".join(f"{key} NULLS FIRST" for key in keys)
        by = f" GROUP BY {', '.join(keys)} ORDER BY {in_order}"
    return (
        f"WITH requests AS ({scope.view.requests(scope.since)}{only}), "
        f"placed AS ({placed('requests', scope.grouping.window, scope.view)}) "
        f"SELECT {wanted} FROM ({rows}) AS cells{by}"
    )


def _aggregates(metric: Metric) -> str:
    counted = f"CASE WHEN {metric.counted} THEN {metric.value} END"
    rows = f"count({counted}) AS {column(metric, ROWS)}"
    if metric.kind is Kind.COUNT:
        return rows
    if metric.kind is Kind.RATE:
        return f"{rows}, CAST(sum({counted}) AS BIGINT) AS {column(metric, HITS)}"
    if metric.kind is Kind.MEAN:
        return (
            f"{rows}, avg({counted}) AS {column(metric, MEAN)}, "
            f"stddev_samp({counted}) AS {column(metric, DEVIATION)}"
        )
    assert metric.quantile is not None  # noqa: S101 - held by the tests of the table
    steps = ", ".join(str(step) for step in ladder(metric.quantile))
    return (
        f"{rows}, percentile_cont([{steps}]) WITHIN GROUP (ORDER BY {counted}) "
        f"AS {column(metric, LADDER)}"
    )
