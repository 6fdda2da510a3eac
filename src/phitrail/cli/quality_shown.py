"""What `quality summary` and `quality trend` measure and print; loads DuckDB.

A bar runs from zero, in eighths of a character. A line has a character for each window,
from the least value of all groups to the greatest; a dot is a window without a value.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from phitrail.app import clock
from phitrail.app.break_glass import run_for_reading
from phitrail.app.quality_answers import Asked, answer_quality
from phitrail.cli.output import Output
from phitrail.cli.quality_numbers import (
    keys_object,
    measured_object,
    scope_object,
    write_interval,
    write_key,
    write_note,
    write_scope,
    write_value,
)
from phitrail.cli.quality_options import Read
from phitrail.events.codes import QualityMetric
from phitrail.quality.summary import Summary
from phitrail.quality.trend import Series, trend

_NOTHING: Final = "no request in that time"
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_LEVELS: Final = "▁▂▃▄▅▆▇█"
_GAP: Final = "·"
_BAR_WIDTH: Final = 24


def measure(
    trail: Path,
    read: Read,
    metrics: tuple[QualityMetric, ...],
    *,
    by: str,
    break_glass: str | None,
) -> Summary:
    """Open a trail and measure what the options ask for.

    Raises:
        PhitrailError: as `app.quality_answers.answer_quality`.
    """
    now = clock.now()
    asked = Asked(
        window=read.window,
        as_of=read.as_of,
        maturity=read.maturity,
        metrics=metrics,
        only=read.only,
        grouping=read.grouping,
        has_unmatched=True,
    )
    asked.scope(now)
    with run_for_reading(trail, by=by, break_glass=break_glass) as running:
        return answer_quality(running.parts, asked, now=now)


# --- a summary ---


def summary_object(measured: Summary) -> Mapping[str, object]:
    """Write a summary as a JSON object."""
    names = measured.scope.grouping.keys
    cells = [
        {
            **keys_object(names, cell.keys),
            "metrics": [measured_object(one) for one in cell.measured.values()],
        }
        for cell in measured.cells
    ]
    told = {**scope_object(measured), "cells": cells}
    return told | {"unmatched_ratings": measured.unmatched}


def print_summary(output: Output, measured: Summary) -> None:
    """Print a summary: a line for each metric of each group."""
    if not measured.cells:
        output.line(_NOTHING)
    else:
        keys = _columns(measured.scope.grouping.keys)
        output.table(
            (*keys, "metric", "value#", "95 % interval#", "n#", "note"),
            [
                (
                    *map(write_key, cell.keys),
                    one.metric,
                    write_value(one),
                    write_interval(one),
                    f"{one.n:,}",
                    write_note(one),
                )
                for cell in measured.cells
                for one in cell.measured.values()
            ],
        )
    output.say(write_scope(measured))
    if measured.unmatched:
        output.say(
            f"{measured.unmatched:,} ratings of that time name a request that was not in "
            "the log; they are in no metric"
        )


# --- a trend ---


def trend_object(measured: Summary, metric: QualityMetric) -> Mapping[str, object]:
    """Write a trend as a JSON object."""
    names = measured.scope.grouping.keys[1:]
    series = [
        {
            **keys_object(names, one.keys),
            "points": [
                {
                    **keys_object(("start",), (point.start,)),
                    **measured_object(point.measured),
                }
                for point in one.points
            ],
        }
        for one in trend(measured, metric)
    ]
    return {**scope_object(measured), "series": series}


def print_trend(output: Output, measured: Summary, metric: QualityMetric) -> None:
    """Print a trend: one group window by window, several as a line each."""
    series = trend(measured, metric)
    if not series:
        output.line(_NOTHING)
    elif len(series) == 1:
        _print_bars(output, measured, metric, series[0])
    else:
        _print_lines(output, measured, metric, series)
    output.say(write_scope(measured))


def _print_bars(
    output: Output, measured: Summary, metric: QualityMetric, series: Series
) -> None:
    grouping = measured.scope.grouping
    greatest = max(point.measured.value or 0.0 for point in series.points)
    output.table(
        (
            *_columns([*grouping.keys[1:], str(grouping.window)]),
            metric,
            "value#",
            "95 % interval#",
            "n#",
        ),
        [
            (
                *map(write_key, (*series.keys, point.start)),
                _bar(point.measured.value, greatest),
                write_value(point.measured),
                write_interval(point.measured),
                f"{point.measured.n:,}",
            )
            for point in series.points
        ],
    )


def _print_lines(
    output: Output, measured: Summary, metric: QualityMetric, series: Sequence[Series]
) -> None:
    values = [[point.measured.value for point in one.points] for one in series]
    known = [value for row in values for value in row if value is not None]
    least, greatest = min(known, default=0.0), max(known, default=0.0)
    newest = [one.points[-1].measured for one in series]
    output.table(
        (
            *_columns(measured.scope.grouping.keys[1:]),
            metric,
            "newest#",
            "95 % interval#",
            "n#",
        ),
        [
            (
                *map(write_key, one.keys),
                _line(row, least, greatest),
                write_value(last),
                write_interval(last),
                f"{last.n:,}",
            )
            for one, row, last in zip(series, values, newest, strict=True)
        ],
    )


def _columns(names: Sequence[str]) -> list[str]:
    return [name.removesuffix("_id").replace("_", " ") for name in names]


def _bar(value: float | None, greatest: float) -> str:
    if value is None:
        return _GAP
    if value <= 0 or greatest <= 0:
        return ""
    whole, rest = divmod(round(value / greatest * _BAR_WIDTH * 8), 8)
    return _EIGHTHS[8] * whole + _EIGHTHS[rest].strip()


def _line(values: Sequence[float | None], least: float, greatest: float) -> str:
    steps, span = len(_LEVELS) - 1, greatest - least
    return "".join(
        _GAP
        if value is None
        else _LEVELS[round((value - least) / span * steps) if span else 0]
        for value in values
    )
