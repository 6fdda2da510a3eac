"""All comparisons of one look: every pair of versions, every metric, decided together.

1. Metrics that rest on ratings are read with a maturity: for requests so old, and the
   ratings of so long after each. Those that a machine measured are complete at once.
2. The baseline is read from `LOOK_BACK` before the candidate began, since a quantile is
   frozen, and a version that took over is compared, with what went before.
3. Everything follows from `as_of`: the same log gives the same family.
4. Of a regression `since_us` is the hour of the candidate's largest change for the worse
   (`quality.change_points`); where there is none, or the extra `quality` is not installed,
   it stays what the verdict says: as a rule, the first pair.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from phitrail.errors import ConfigError
from phitrail.events.codes import QualityMetric
from phitrail.projection.tables import Tables
from phitrail.quality.as_of import AsOf
from phitrail.quality.change_points import change_points
from phitrail.quality.metric import METRICS, Better, Kind, Metric, Source
from phitrail.quality.observations import Observations, Wanted, read_all
from phitrail.quality.verdict import ALPHA, Comparison, State, compare, decide
from phitrail.quality.versions import Pair

LOOK_BACK: Final = timedelta(days=28)
RATINGS_RIPEN: Final = timedelta(hours=72)
COMPARED: Final = tuple(
    metric for metric in METRICS.values() if metric.kind is not Kind.COUNT
)
READ_TOGETHER: Final = tuple(
    tuple(
        metric
        for metric in COMPARED
        if (metric.source, metric.needs_ratings) == (source, needs_ratings)
    )
    for source, needs_ratings in (
        (Source.ENTRIES, False),
        (Source.ENTRIES, True),
        (Source.FEEDBACK, True),
    )
)
"""Metrics that one question of the tables gives."""
_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What was known by `as_of` (aware), with `ripen` for ratings, at a false discovery."""

    as_of: datetime
    ripen: timedelta = RATINGS_RIPEN
    false_discovery: float = ALPHA

    def maturity_of(self, metric: Metric) -> timedelta:
        """Say how old a request must be for this metric."""
        return self.ripen if metric.needs_ratings else timedelta(0)


def compare_family(
    tables: Tables,
    pairs: Sequence[Pair],
    asked: Asked,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[tuple[Pair, Comparison], ...]:
    """Compare all pairs in all metrics, and decide them together.

    Raises:
        InputError: the tables took too long, or a value is no number.
        StorageError: a file cannot be read.
    """
    found: list[tuple[Pair, Comparison]] = []
    total = len(pairs) * len(COMPARED)
    for pair in pairs:
        for metrics in READ_TOGETHER:
            arms = observe(tables, pair, metrics, asked)
            for metric in metrics:
                found.append((pair, _compared(pair, metric, arms[metric.name], asked)))
                if progress is not None:
                    progress(len(found), total)
    decided = decide([one for _, one in found], asked.false_discovery)
    return tuple(
        (pair, _dated(tables, pair, one, asked))
        for (pair, _), one in zip(found, decided, strict=True)
    )


def _dated(tables: Tables, pair: Pair, one: Comparison, asked: Asked) -> Comparison:
    """Say of a regression from which hour on the candidate was worse (rule 4)."""
    if one.state is not State.REGRESSION:
        return one
    metric = METRICS[one.metric]
    rows = observe(tables, pair, (metric,), asked)[one.metric][pair.candidate]
    sign = 1.0 if metric.better is Better.DOWN else -1.0
    try:
        worse = [
            change for change in change_points(rows) or () if sign * change.size > 0
        ]
    except ConfigError:
        return one
    if not worse:
        return one
    return replace(one, since_us=max(worse, key=lambda change: abs(change.size)).at_us)


def observe(
    tables: Tables, pair: Pair, metrics: Sequence[Metric], asked: Asked
) -> Mapping[QualityMetric, Mapping[str, Observations]]:
    """Read the rows of metrics of one source and maturity, of both versions of a pair.

    Raises:
        InputError: the tables took too long.
        StorageError: a file cannot be read.
    """
    wanted = Wanted(
        (pair.candidate, pair.baseline),
        pair.use_case,
        pair.model_id,
        pair.since - LOOK_BACK,
    )
    view = AsOf(asked.as_of, asked.maturity_of(metrics[0]))
    return read_all(tables, metrics, wanted, view)


def _compared(
    pair: Pair, metric: Metric, arms: Mapping[str, Observations], asked: Asked
) -> Comparison:
    until = asked.as_of - asked.maturity_of(metric)
    return compare(
        metric,
        arms[pair.candidate],
        arms[pair.baseline],
        use_case=pair.use_case,
        versions=(pair.candidate, pair.baseline),
        until_us=int(until.timestamp()) * _SECOND_US,
    )
