"""A report as a PDF: the same numbers and charts as the page, set by typst.

The same report gives the same bytes: the document's time is the report's `as_of`. Needs the
extra `quality`.
"""

import json
import tempfile
from collections.abc import Callable
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final

from phitrail.errors import ConfigError
from phitrail.quality.report import (
    Line,
    Report,
    UseCase,
    said,
    said_effect,
    said_evidence,
)
from phitrail.quality.report_page import STATE_WORDS
from phitrail.quality.theme import Spec

_TEMPLATE: Final = "report.typ"


def paper_of(report: Report, draw: Callable[[Spec], bytes]) -> bytes:
    """Set a report as a PDF.

    Args:
        report: what it says.
        draw: gives a chart as a PDF of one page.

    Raises:
        ConfigError: the extra is not installed; says what to install.
    """
    try:
        import typst  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError(
            "a PDF needs typst; install phitrail[quality], or leave the PDF out"
        ) from None
    words = resources.files("phitrail.quality").joinpath(_TEMPLATE).read_bytes()
    with tempfile.TemporaryDirectory(prefix="phitrail-report-") as name:
        place = Path(name)
        (place / _TEMPLATE).write_bytes(words)
        for number, one in enumerate(report.use_cases):
            for chart, spec in enumerate(one.charts):
                (place / _file(number, chart)).write_bytes(draw(spec))
        paper: bytes = typst.compile(
            str(place / _TEMPLATE),
            root=str(place),
            format="pdf",
            ignore_system_fonts=True,
            sys_inputs={"report": json.dumps(_told(report))},
            timestamp=int(datetime.fromisoformat(report.as_of).timestamp()),
        )
    return paper


def _told(report: Report) -> dict[str, Any]:
    return {
        "model_id": report.model_id,
        "candidate": report.candidate,
        "baseline": report.baseline,
        "begins": report.begins,
        "as_of": report.as_of,
        "maturity": f"{report.maturity_hours:g}",
        "false_discovery": f"{report.false_discovery:.0%}",
        "family_size": report.family_size,
        "sizes": ", ".join(
            f"{log} {size:,}" for log, size in report.tree_sizes.items()
        ),
        "data_digest": report.data_digest,
        "use_cases": [
            _use_case(number, one) for number, one in enumerate(report.use_cases)
        ],
    }


def _use_case(number: int, one: UseCase) -> dict[str, Any]:
    return {
        "use_case": one.use_case,
        "decision": one.decision,
        "accepted": list(one.accepted),
        "lines": [_line(line) for line in one.lines],
        "charts": [
            {"file": _file(number, chart), "words": spec["description"]}
            for chart, spec in enumerate(one.charts)
        ],
    }


def _line(line: Line) -> dict[str, str]:
    words = line.reason or ""
    if line.since is not None:
        words = f"{words} since {line.since}".strip()
    return {
        "metric": line.metric.replace("_", " "),
        "baseline": said(line.baseline, line.unit),
        "baseline_n": f"{line.baseline_n:,}",
        "candidate": said(line.candidate, line.unit),
        "candidate_n": f"{line.candidate_n:,}",
        "effect": said_effect(line),
        "e_value": said_evidence(line),
        "state": STATE_WORDS.get(line.state, line.state),
        "words": words,
    }


def _file(number: int, chart: int) -> str:
    return f"{number}-{chart}.pdf"
