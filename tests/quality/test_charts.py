"""Charts are valid Vega-Lite, draw what they are given, and can be read without colour."""

import itertools
import json
import re
from functools import cache

import altair as alt
import pytest
import vl_convert

from phitrail.quality import theme
from phitrail.quality.charts import (
    Effect,
    Point,
    Ripening,
    Shift,
    forest,
    latency_shift,
    over_time,
    ripening,
)

EFFECTS = (
    Effect("positive ratings", -3.2, -5.0, -1.4, "regression"),
    Effect("latency p95", -0.4, -40.0, 0.3, "ok"),
)
POINTS = tuple(
    Point(arm, f"2026-03-0{day}T00:00:00Z", 0.8, 0.7, 0.9, 40)
    for arm in ("baseline", "candidate")
    for day in (1, 2, 3)
)
CHARTS = {
    "forest": forest(EFFECTS),
    "shift": latency_shift((Shift(0.5, 100.0, 110.0), Shift(0.95, 300.0, 390.0))),
    "ripening": ripening(
        (Ripening("baseline", 1.0, 0.2), Ripening("candidate", 2.0, 0.3))
    ),
    "time": over_time(
        POINTS, "share", changes=("2026-03-02T00:00:00Z",), title="Rated"
    ),
    "no effects": forest(()),
    "no shift": latency_shift(()),
    "no ratings": ripening(()),
    "no values": over_time((), "share", title="Rated"),
}


@cache
def _drawn(name: str) -> str:
    return vl_convert.vegalite_to_svg(CHARTS[name], vl_version=theme.VEGA_LITE)


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_valid_and_can_be_drawn(name: str) -> None:
    """A specification that the schema refuses would be blank in a console or a report."""
    spec = CHARTS[name]
    alt.Chart.from_dict(spec, validate=True)
    drawn = _drawn(name)
    assert "NaN" not in drawn
    assert spec["title"] in drawn


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_asks_for_nothing_outside_itself(name: str) -> None:
    """Data by address would tell somebody who opens a report, and fail offline."""
    parts = json.dumps(CHARTS[name])
    assert set(re.findall(r"https?://[^\"]*", parts)) == {theme.SCHEMA}


def test_every_metric_and_number_of_a_forest_is_drawn() -> None:
    """A metric left out of the picture would look as if it had not been tested."""
    drawn = _drawn("forest")
    for one in EFFECTS:
        assert one.label in drawn
        assert one.state in drawn


def test_an_empty_chart_says_so() -> None:
    """Empty axes would look like a measured nothing."""
    for name in CHARTS:
        assert ("nothing to draw yet" in _drawn(name)) == name.startswith("no ")


def _channels(colour: str) -> tuple[float, float, float]:
    """Read a colour as linear light (IEC 61966-2-1)."""

    def light(part: str) -> float:
        value = int(part, 16) / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    return light(colour[1:3]), light(colour[3:5]), light(colour[5:7])


def _contrast(one: str, other: str) -> float:
    """Ratio of luminances as WCAG 2.2 defines it."""

    def luminance(colour: str) -> float:
        red, green, blue = _channels(colour)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_the_two_versions_are_told_apart_in_grey() -> None:
    """On a black-and-white print the baseline would be taken for the candidate."""
    assert _contrast(*theme.ARM_COLOURS.values()) >= 3  # WCAG 2.2, 1.4.11


def test_a_regression_is_told_apart_from_what_is_well_in_grey() -> None:
    """The verdict that matters would be lost on paper."""
    for other in ("ok", "watch", "insufficient", "withheld"):
        colours = theme.STATE_COLOURS
        assert _contrast(colours["regression"], colours[other]) >= 2, other


def test_shape_alone_tells_kinds_apart() -> None:
    """Two verdicts of one shape would differ by colour alone."""
    for shapes in (theme.STATE_SHAPES, theme.ARM_SHAPES):
        for one, other in itertools.combinations(shapes, 2):
            assert shapes[one] != shapes[other], (one, other)
    assert theme.ARM_DASHES["baseline"] != theme.ARM_DASHES["candidate"]
