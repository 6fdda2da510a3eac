"""One metric over time: a series for each group, with its gaps.

Hours and days without a request stand in the series as not measured, from the first window
of the answer to the last; releases follow each other without gaps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from phitrail.events.codes import QualityMetric
from phitrail.quality.metric import METRICS, Kind
from phitrail.quality.summary import Cell, Key, Measured, Summary
from phitrail.quality.windows import Window

_LENGTH = {Window.HOUR: timedelta(hours=1), Window.DAY: timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Point:
    """One window; a release before the first rollout has no start."""

    start: datetime | None
    measured: Measured


@dataclass(frozen=True, slots=True)
class Series:
    """One group, by the dimensions of the grouping, and its windows in order."""

    keys: tuple[Key, ...]
    points: tuple[Point, ...]


def trend(summary: Summary, metric: QualityMetric) -> tuple[Series, ...]:
    """Order the cells of a summary with a window into series of one metric."""
    groups: dict[tuple[Key, ...], dict[datetime | None, Measured]] = {}
    for cell in summary.cells:
        groups.setdefault(cell.keys[1:], {})[_start(cell)] = cell.measured[metric]
    starts = list(_starts(summary.scope.grouping.window, summary.cells))
    return tuple(
        Series(
            keys,
            tuple(
                Point(start, points.get(start, _nothing(metric)))
                for start in starts
                if start in points or summary.scope.grouping.window in _LENGTH
            ),
        )
        for keys, points in groups.items()
    )


def _starts(window: Window | None, cells: Sequence[Cell]) -> Iterator[datetime | None]:
    found = {_start(cell) for cell in cells}
    known = sorted(start for start in found if start is not None)
    if None in found:
        yield None
    if window not in _LENGTH or not known:
        yield from known
        return
    start = known[0]
    while start <= known[-1]:
        yield start
        start += _LENGTH[window]


def _start(cell: Cell) -> datetime | None:
    start = cell.keys[0]
    assert start is None or isinstance(start, datetime)  # noqa: S101 - a window's key
    return start


def _nothing(metric: QualityMetric) -> Measured:
    """Say that nothing was measured; of a count, that is known to be none."""
    if METRICS[metric].kind is Kind.COUNT:
        return Measured(metric, 0, 0.0)
    return Measured(metric, 0)
