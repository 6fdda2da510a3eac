"""A report says what it was given, stands alone, and is the same when made again."""

import dataclasses
import json
import re

import pytest

from phitrail.quality.charts import Effect, forest
from phitrail.quality.drawing import pdf_of, png_of, svg_of
from phitrail.quality.report import (
    Line,
    Report,
    UseCase,
    decision_of,
    digest_of,
    said,
    said_effect,
)
from phitrail.quality.report_page import page_of
from phitrail.quality.report_paper import paper_of
from phitrail.quality.theme import Spec

WORSE = Line(
    metric="positive_rate",
    meaning="ratings that are positive",
    unit="share",
    is_relative=False,
    baseline=0.861,
    baseline_n=640,
    candidate=0.731,
    candidate_n=655,
    effect=-0.13,
    low=-0.2,
    high=-0.06,
    e_value=345.2,
    state="regression",
    reason=None,
    still_needed=None,
    since="2026-03-04T09:00:00Z",
)
UNKNOWN = dataclasses.replace(
    WORSE,
    metric="flag_rate",
    baseline=None,
    candidate=None,
    effect=None,
    low=None,
    high=None,
    e_value=None,
    state="insufficient",
    reason="about 640 ratings still needed",
    since=None,
)
WELL = dataclasses.replace(WORSE, metric="error_rate", state="ok", since=None)
FOREST = forest((Effect("positive_rate", -3.2, -5.0, -1.4, "regression"),))
REPORT = Report(
    model_id="summariser",
    candidate="v2",
    baseline="v1",
    begins="2026-03-01T00:00:00.000Z",
    as_of="2026-03-15T09:26:53.589Z",
    maturity_hours=72.0,
    false_discovery=0.05,
    family_size=84,
    tree_sizes={"quality": 120_034},
    data_digest="ab" * 32,
    use_cases=(
        UseCase("discharge_summary", "Worse than v1.", (WORSE, UNKNOWN), (FOREST,)),
    ),
)


def _no_picture(_: Spec) -> str:
    return "<svg/>"


def test_the_page_needs_nothing_else() -> None:
    """A page that loads something tells somebody who reads it, and is blank offline."""
    page = page_of(REPORT, svg_of)
    without_data = re.sub(r'src="data:image/svg\+xml;base64,[^"]*"', "", page)
    assert "default-src 'none'" in page
    assert not re.search(r"(?i)<script|<link|<iframe|https?:|src=|url\(", without_data)


def test_the_page_writes_names_as_text() -> None:
    """A name of a version is a caller's: it must not become markup."""
    named = dataclasses.replace(REPORT, candidate='v2"><img src=x>')
    assert "<img src=x>" not in page_of(named, _no_picture)


def test_every_number_of_a_line_is_on_the_page() -> None:
    """A verdict without its interval and n cannot be judged."""
    page = page_of(REPORT, _no_picture)
    for words in ("86.1 %", "73.1 %", "n 640", "n 655", "-13.0 points (-20.0 to -6.0)"):
        assert words in page
    for words in ("345", "worse", "since 2026-03-04T09:00:00Z", "ab" * 32, "84 tests"):
        assert words in page
    assert "not measured" in page
    assert "about 640 ratings still needed" in page


def test_a_chart_of_the_page_has_its_words() -> None:
    """Whoever cannot see the picture would be told nothing."""
    assert f'alt="{FOREST["description"]}"' in page_of(REPORT, _no_picture)


def test_the_json_holds_the_charts_and_reads_back() -> None:
    """A console draws the same specification that the page shows."""
    told = json.loads(REPORT.as_json())
    assert told["schema"] == "phitrail/quality-report/v1"
    assert told["use_cases"][0]["charts"] == [json.loads(json.dumps(FOREST))]
    assert told["use_cases"][0]["lines"][0]["effect"] == WORSE.effect


def test_the_paper_is_the_same_when_made_again() -> None:
    """Two papers of one report would have two hashes, and nobody knew which was signed."""
    first = paper_of(REPORT, pdf_of)
    assert first.startswith(b"%PDF-")
    assert paper_of(REPORT, pdf_of) == first


def test_a_chart_can_be_a_png() -> None:
    """Mail and slides take pictures that are not SVG."""
    assert png_of(FOREST).startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((WELL, UNKNOWN), "Nothing is shown to be worse than v1. 1 without a verdict."),
        ((UNKNOWN,), "No verdict: too little was measured."),
        ((WELL, WORSE), "Worse than v1: positive_rate -13.0 points (-20.0 to -6.0)."),
        (
            (dataclasses.replace(WELL, state="watch"),),
            "Nothing is shown to be worse; watched: error_rate.",
        ),
    ],
)
def test_the_decision_follows_the_lines(lines: tuple[Line, ...], words: str) -> None:
    """A missing verdict must never read as a good one."""
    assert decision_of(lines, "v1") == words


def test_zero_is_said_and_nothing_is_not_zero() -> None:
    """Absent and zero are different findings."""
    assert said(0.0, "share") == "0.0 %"
    assert said(None, "share") == "not measured"
    assert said_effect(UNKNOWN) == "not measured"


def test_the_digest_changes_with_a_number() -> None:
    """A report of other data with the same digest would pass as the same."""
    assert digest_of([["a", 1, 0.5]]) != digest_of([["a", 1, 0.25]])
    assert digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})
