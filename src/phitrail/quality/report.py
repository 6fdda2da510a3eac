"""A report on one version of a model against another: what was measured, how sure, decided.

A report is data: the page (`quality.report_page`), the paper (`quality.report_paper`) and
the JSON are made of it and of nothing else. It holds no person, no patient and no words of a
model. Who has the same log and the same `as_of` and `maturity_hours` gets the same report,
and `data_digest` says so: it is the SHA-256 of every number the verdicts rest on.

Values are in the unit of their metric (`share`, `ms`, ...); an effect is candidate less
baseline, in that unit or as a share of the baseline. `e_value` is the evidence against "not
worse by more than what matters"; at 20 a single one would be enough at 5 %.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from phitrail.quality.theme import Spec

SCHEMA: Final = "phitrail/quality-report/v1"
_PLENTY: Final = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """One metric of both versions in one use case, and the verdict on it.

    `effect` and its bounds are shares of the baseline where `is_relative`. Absent numbers
    were not measured: absent is not zero.
    """

    metric: str
    meaning: str
    unit: str
    is_relative: bool
    baseline: float | None
    baseline_n: int
    candidate: float | None
    candidate_n: int
    effect: float | None
    low: float | None
    high: float | None
    e_value: float | None
    state: str
    reason: str | None
    still_needed: int | None
    since: str | None


@dataclass(frozen=True, slots=True)
class UseCase:
    """One use case: the decision in a sentence, its lines, its charts."""

    use_case: str
    decision: str
    lines: tuple[Line, ...]
    charts: tuple[Spec, ...]
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A report. Times are UTC, ISO 8601; `tree_sizes` says of which log it speaks."""

    model_id: str
    candidate: str
    baseline: str
    begins: str
    as_of: str
    maturity_hours: float
    false_discovery: float
    family_size: int
    tree_sizes: dict[str, int]
    data_digest: str
    use_cases: tuple[UseCase, ...]

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON holds it; charts are Vega-Lite specifications."""
        return {"schema": SCHEMA, **asdict(self)}

    def as_json(self) -> str:
        """Write it as JSON."""
        return json.dumps(self.as_dict(), ensure_ascii=False, indent=1, allow_nan=False)


def digest_of(numbers: Any) -> str:  # noqa: ANN401 - JSON
    """Hash what verdicts rest on: plain lists, texts and numbers, written in one way."""
    written = json.dumps(numbers, ensure_ascii=True, sort_keys=True, allow_nan=False)
    return hashlib.sha256(written.encode("ascii")).hexdigest()


def decision_of(lines: tuple[Line, ...], baseline: str) -> str:
    """Say in a sentence what was found."""
    worse = [line for line in lines if line.state == "regression"]
    if worse:
        found = "; ".join(f"{line.metric} {said_effect(line)}" for line in worse)
        return f"Worse than {baseline}: {found}."
    unsure = sum(line.state in {"insufficient", "withheld"} for line in lines)
    if unsure == len(lines):
        return "No verdict: too little was measured."
    watched = [line.metric for line in lines if line.state == "watch"]
    rest = f" {unsure} without a verdict." if unsure else ""
    if watched:
        return f"Nothing is shown to be worse; watched: {', '.join(watched)}.{rest}"
    return f"Nothing is shown to be worse than {baseline}.{rest}"


def said(value: float | None, unit: str) -> str:
    """Write a value as people read it."""
    if value is None:
        return "not measured"
    if unit == "share":
        return f"{value * 100:.1f} %"
    if unit == "ms":
        return f"{value:,.0f} ms"
    if unit == "count" and value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def said_evidence(line: Line) -> str:
    """Write an e-value; beyond a thousand it is enough to say so."""
    if line.e_value is None:
        return ""
    return "> 1,000" if line.e_value > _PLENTY else f"{line.e_value:.3g}"


def said_effect(line: Line) -> str:
    """Write an effect with its interval: points of a share, or per cent of the baseline."""
    if line.effect is None:
        return "not measured"
    scale, unit, places = 1.0, "", ".3g"
    if line.is_relative:
        scale, unit, places = 100.0, " %", ".1f"
    elif line.unit == "share":
        scale, unit, places = 100.0, " points", ".1f"
    effect, low, high = (
        "unknown" if number is None else f"{number * scale:+{places}}"
        for number in (line.effect, line.low, line.high)
    )
    return f"{effect}{unit} ({low} to {high})"
