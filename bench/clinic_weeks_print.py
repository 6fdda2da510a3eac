"""The tables of the clinic weeks, as text and as JSON; both follow from the figures alone."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from bench.clinic_weeks_scoring import Recall, Scores

MOST_RULES = 12
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def recall_rows(scores: Scores) -> list[list[str]]:
    """Write a row for each scenario."""
    return [
        [
            one.scenario,
            f"{one.caught} of {one.instances}",
            f"{one.low:.2f}-{one.high:.2f}",
            str(one.caught_at_medium),
            span(one.median_s),
            span(one.p90_s),
            _first(one),
        ]
        for one in scores.recalls
    ]


RECALL_HEAD = (
    "misuse", "caught", "95 % interval", "at medium or above", "median time", "p90",
    "first by (how often)",
)  # fmt: skip
LEVEL_HEAD = (
    "level",
    "false alerts / 1,000 users / week",
    "false",
    "owed",
    "precision",
)
RULE_HEAD = ("rule", "level", "false alerts / 1,000 users / week", "false", "owed")


def level_rows(scores: Scores) -> list[list[str]]:
    """Write a row for each level, and one for all."""
    return [
        [
            one.level,
            f"{one.a_week:.1f}",
            str(one.false),
            str(one.owed),
            f"{one.owed / (one.owed + one.false):.2f}" if one.owed + one.false else "-",
        ]
        for one in scores.levels
    ]


def rule_rows(scores: Scores, most: int = MOST_RULES) -> list[list[str]]:
    """Write a row for each of the rules that told the most of innocent weeks."""
    return [
        [one.title, one.level.value, f"{one.a_week:.1f}", str(one.false), str(one.owed)]
        for one in scores.rules[:most]
    ]


def as_json(scores: Scores, made: Sequence[dict[str, object]]) -> str:
    """Write all figures, and what each seed was made of."""
    return json.dumps({"made": made, **asdict(scores)}, indent=1, sort_keys=True)


def span(seconds: float | None) -> str:
    """Write a time as one reads it."""
    if seconds is None:
        return "-"
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _first(one: Recall) -> str:
    if not one.first_rules:
        return "-"
    return "; ".join(f"{title} ({count})" for title, count in one.first_rules[:3])
