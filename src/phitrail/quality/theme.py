"""One look for every chart: readable in grey, by colour-blind readers, and on paper.

1. What tells two things apart is never colour alone: each kind has a shape and a line of its
   own beside its colour.
2. Colours are from the palette of Okabe and Ito, chosen here so that their lightness
   differs too; a test holds them apart in grey and under the three kinds of colour
   blindness.
3. Charts are Vega-Lite specifications. They hold their data, ask for nothing from a network
   and name no font that must be installed.

Source: M. Okabe, K. Ito, "Color Universal Design" (2008); Vega-Lite 5.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Spec: TypeAlias = dict[str, Any]
"""A Vega-Lite specification, as JSON holds it."""

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v5.json"
VEGA_LITE: Final = "5.21"
BASELINE, CANDIDATE = "baseline", "candidate"
ARM_COLOURS: Final[Mapping[str, str]] = {BASELINE: "#56B4E9", CANDIDATE: "#1A1A1A"}
ARM_SHAPES: Final[Mapping[str, str]] = {BASELINE: "circle", CANDIDATE: "triangle-up"}
ARM_DASHES: Final[Mapping[str, list[int]]] = {BASELINE: [5, 3], CANDIDATE: [1, 0]}
STATE_COLOURS: Final[Mapping[str, str]] = {
    "regression": "#8B1A00",
    "watch": "#E69F00",
    "ok": "#56B4E9",
    "improved": "#004D40",
    "insufficient": "#8C8C8C",
    "withheld": "#BDBDBD",
}
STATE_SHAPES: Final[Mapping[str, str]] = {
    "regression": "diamond",
    "watch": "triangle-up",
    "ok": "circle",
    "improved": "square",
    "insufficient": "cross",
    "withheld": "stroke",
}
_INK, _FAINT = "#1A1A1A", "#DDDDDD"
_FONT = "sans-serif"

CONFIG: Final[Spec] = {
    "background": "white",
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": _INK,
        "titleColor": _INK,
        "gridColor": _FAINT,
        "domainColor": _INK,
        "tickColor": _INK,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
    },
    "legend": {"labelFontSize": 11, "titleFontSize": 11, "orient": "bottom"},
    "title": {"fontSize": 13, "anchor": "start", "color": _INK, "subtitleColor": _INK},
    "point": {"size": 70, "filled": True, "opacity": 1},
    "line": {"strokeWidth": 1.6},
}


def chart(title: str, description: str, **parts: Any) -> Spec:  # noqa: ANN401 - JSON
    """Make a specification in the theme.

    Args:
        title: what stands above it.
        description: what it shows, for whoever hears it read out.
        parts: the rest of the specification.
    """
    return {
        "$schema": SCHEMA,
        "title": title,
        "description": description,
        "config": CONFIG,
        **parts,
    }


def by_arm() -> Spec:
    """Tell baseline and candidate apart by colour."""
    return _scale("arm", "version", ARM_COLOURS)


def shape_by_arm() -> Spec:
    """Tell baseline and candidate apart by the shape of their points."""
    return _scale("arm", "version", ARM_SHAPES)


def dash_by_arm() -> Spec:
    """Tell baseline and candidate apart by how their lines are drawn."""
    return _scale("arm", "version", ARM_DASHES)


def by_state() -> Spec:
    """Tell verdicts apart by colour."""
    return _scale("state", "verdict", STATE_COLOURS)


def shape_by_state() -> Spec:
    """Tell verdicts apart by shape."""
    return _scale("state", "verdict", STATE_SHAPES)


def _scale(field: str, title: str, kinds: Mapping[str, Any]) -> Spec:
    return {
        "field": field,
        "type": "nominal",
        "title": title,
        "scale": {"domain": list(kinds), "range": list(kinds.values())},
    }
