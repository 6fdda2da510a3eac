"""The charts of quality, as Vega-Lite specifications that hold their data.

Each function takes plain rows and gives one specification in the theme (`quality.theme`).
The same one is drawn as SVG, PNG or PDF for a report and by a browser for a console. Where
there is nothing to draw, the chart says so.

Values are in the units that people read: shares in percent points, latency in milliseconds.
Effects of several metrics stand on one scale, in units of the smallest effect that matters
for each, with better to the right.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from phitrail.quality.theme import (
    Spec,
    by_arm,
    by_state,
    chart,
    dash_by_arm,
    shape_by_arm,
    shape_by_state,
)

WIDTH: Final = 560
_HEIGHT = 220
_ROW = 26
_MOST_EFFECT = 6.0
"""Farther out than this many smallest effects, a chart does not go."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One metric's effect in units of its smallest effect, better upwards, and its verdict."""

    label: str
    effect: float
    low: float
    high: float
    state: str


@dataclass(frozen=True, slots=True)
class Shift:
    """One quantile of both versions, in milliseconds."""

    quantile: float
    baseline: float
    candidate: float


@dataclass(frozen=True, slots=True)
class Ripening:
    """Which share of requests of one version was rated within so many hours."""

    arm: str
    hours: float
    share: float


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one version over time, with its interval and how many it rests on.

    `at` is a time in UTC as ISO 8601 writes it.
    """

    arm: str
    at: str
    value: float
    low: float
    high: float
    n: int


def forest(effects: Sequence[Effect], title: str = "Effects, and what is sure") -> Spec:
    """Draw effects with their confidence sequences; the band is what does not matter."""
    if not effects:
        return nothing(title)
    rows = [
        {
            "label": one.label,
            "state": one.state,
            "effect": _within(one.effect),
            "low": _within(one.low),
            "high": _within(one.high),
        }
        for one in effects
    ]
    return chart(
        title,
        f"Forest plot of {len(rows)} metrics: effect of the candidate against the baseline "
        "in units of the smallest effect that matters, with confidence sequences.",
        width=WIDTH,
        height=len(rows) * _ROW,
        data={"values": rows},
        layer=[
            {
                "data": {"values": [{"from": -1, "to": 1}]},
                "mark": {"type": "rect", "color": "#EEEEEE"},
                "encoding": {
                    "x": {"field": "from", "type": "quantitative"},
                    "x2": {"field": "to"},
                },
            },
            {
                "data": {"values": [{"zero": 0}]},
                "mark": {"type": "rule", "color": "#1A1A1A"},
                "encoding": {"x": {"field": "zero", "type": "quantitative"}},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {
                    "y": _labels(),
                    "x": {
                        "field": "low",
                        "type": "quantitative",
                        "title": "worse  ←  effect / smallest effect that matters  →  better",
                        "scale": {"domain": [-_MOST_EFFECT, _MOST_EFFECT]},
                    },
                    "x2": {"field": "high"},
                    "color": by_state(),
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 90},
                "encoding": {
                    "y": _labels(),
                    "x": {"field": "effect", "type": "quantitative"},
                    "color": by_state(),
                    "shape": shape_by_state(),
                },
            },
        ],
    )


def latency_shift(
    shifts: Sequence[Shift], title: str = "Latency, quantile by quantile"
) -> Spec:
    """Draw how many milliseconds each quantile of the candidate lies above the baseline's."""
    if not shifts:
        return nothing(title)
    rows = [
        {"quantile": one.quantile * 100, "shift": one.candidate - one.baseline}
        for one in shifts
    ]
    return chart(
        title,
        f"Shift of {len(rows)} quantiles of latency, candidate less baseline.",
        width=WIDTH,
        height=_HEIGHT,
        data={"values": rows},
        layer=[
            {
                "data": {"values": [{"zero": 0}]},
                "mark": {"type": "rule", "color": "#1A1A1A"},
                "encoding": {"y": {"field": "zero", "type": "quantitative"}},
            },
            {
                "mark": {
                    "type": "line",
                    "color": "#1A1A1A",
                    "point": {"color": "#1A1A1A"},
                },
                "encoding": {
                    "x": {
                        "field": "quantile",
                        "type": "quantitative",
                        "title": "percentile",
                        "scale": {"domain": [0, 100]},
                    },
                    "y": {
                        "field": "shift",
                        "type": "quantitative",
                        "title": "candidate less baseline, ms",
                    },
                },
            },
        ],
    )


def ripening(points: Sequence[Ripening], title: str = "How ratings come in") -> Spec:
    """Draw the share of requests that were rated within so many hours, by version."""
    if not points:
        return nothing(title)
    return chart(
        title,
        "Share of requests that were rated, by hours since the request and by version.",
        width=WIDTH,
        height=_HEIGHT,
        data={"values": [asdict(point) for point in points]},
        mark={"type": "line", "interpolate": "step-after"},
        encoding={
            "x": {
                "field": "hours",
                "type": "quantitative",
                "title": "hours since the request",
            },
            "y": {
                "field": "share",
                "type": "quantitative",
                "title": "rated",
                "axis": {"format": "%"},
            },
            "color": by_arm(),
            "strokeDash": dash_by_arm(),
        },
    )


def over_time(
    points: Sequence[Point], unit: str, *, changes: Sequence[str] = (), title: str
) -> Spec:
    """Draw a metric over time with its intervals, and where it changed.

    Args:
        points: values by version.
        unit: what the axis says.
        changes: instants of change, ISO 8601 in UTC.
        title: what stands above it.
    """
    if not points:
        return nothing(title)
    x = {
        "field": "at",
        "type": "temporal",
        "title": "UTC",
        "scale": {"type": "utc"},
        "axis": {"format": "%d %b %H:%M", "labelOverlap": True},
    }
    return chart(
        title,
        f"{title}: {len(points)} values over time, {len(changes)} changes.",
        width=WIDTH,
        height=_HEIGHT,
        data={"values": [asdict(point) for point in points]},
        layer=[
            {
                "mark": {"type": "rule", "opacity": 0.35},
                "encoding": {
                    "x": x,
                    "y": {"field": "low", "type": "quantitative", "title": unit},
                    "y2": {"field": "high"},
                    "color": by_arm(),
                },
            },
            {
                "mark": {"type": "line"},
                "encoding": {
                    "x": x,
                    "y": _value(unit),
                    "color": by_arm(),
                    "strokeDash": dash_by_arm(),
                },
            },
            {
                "mark": {"type": "point", "filled": True},
                "encoding": {
                    "x": x,
                    "y": _value(unit),
                    "color": by_arm(),
                    "shape": shape_by_arm(),
                },
            },
            {
                "data": {"values": [{"at": at} for at in changes]},
                "mark": {"type": "rule", "strokeDash": [2, 2], "strokeWidth": 2},
                "encoding": {"x": x},
            },
        ],
    )


def nothing(title: str) -> Spec:
    """Say that there is nothing to draw."""
    return chart(
        title,
        f"{title}: nothing to draw.",
        width=WIDTH,
        height=_ROW,
        data={"values": [{"words": "nothing to draw yet"}]},
        mark={"type": "text", "color": "#1A1A1A", "fontSize": 11},
        encoding={"text": {"field": "words", "type": "nominal"}},
    )


def _value(unit: str) -> Spec:
    return {
        "field": "value",
        "type": "quantitative",
        "title": unit,
        "scale": {"zero": False},
    }


def _labels() -> Spec:
    return {"field": "label", "type": "nominal", "title": None, "sort": None}


def _within(effect: float) -> float:
    return max(-_MOST_EFFECT, min(_MOST_EFFECT, effect))
