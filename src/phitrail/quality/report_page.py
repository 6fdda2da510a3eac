"""A report as one HTML file that needs nothing else: no script, no font, no network.

Charts are SVG inside the file, each with its description for whoever hears it read out. The
page may be mailed, printed, and kept for years; a content security policy of its own forbids
it to load anything.
"""

import base64
import html
from collections.abc import Callable
from typing import Final

from phitrail.quality.report import (
    Line,
    Report,
    UseCase,
    said,
    said_effect,
    said_evidence,
)
from phitrail.quality.theme import Spec

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE: Final = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; }
h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; min-width: 40rem; font-size: .87rem; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #e5e5e5;
  vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.decision { border-left: 4px solid #1a1a1a; padding: .4rem .8rem; background: #f5f5f5; }
.state { white-space: nowrap; font-weight: 600; }
.small, figcaption { color: #444; font-size: .82rem; }
figure { margin: 1rem 0; } img { max-width: 92vw; height: auto; }
code { font-size: .82em; overflow-wrap: anywhere; }
@media print { body { margin: 0; max-width: none; } figure, tr { break-inside: avoid; } }
"""
STATE_WORDS: Final = {
    "regression": "◆ worse",
    "watch": "▲ watched",
    "ok": "● not worse so far",
    "improved": "■ better",
    "insufficient": "✚ too few",
    "withheld": "○ withheld",
}


def page_of(report: Report, draw: Callable[[Spec], str]) -> str:
    """Write a report as HTML.

    Args:
        report: what it says.
        draw: gives a chart as SVG.
    """
    body = "".join(_use_case(one, report, draw) for one in report.use_cases)
    title = f"{report.model_id}: {report.candidate} against {report.baseline}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{_text(title)}</h1>\n{_head(report)}{body}{_foot(report)}</body>\n</html>\n"
    )


def _head(report: Report) -> str:
    rows = "".join(
        f"<tr><td>{_text(one.use_case)}</td><td>{_text(one.decision)}</td></tr>"
        for one in report.use_cases
    )
    return (
        f'<p class="small">Requests from {_text(report.begins)} to {_text(report.as_of)}, '
        f"each with {report.maturity_hours:g} hours for its ratings to come in. Model quality "
        "measured without prompts, answers, patients or names of raters.</p>\n"
        f"<table><thead><tr><th>use case</th><th>decision</th></tr></thead><tbody>{rows}"
        "</tbody></table>\n"
    )


def _use_case(one: UseCase, report: Report, draw: Callable[[Spec], str]) -> str:
    lines = "".join(_line(line) for line in one.lines)
    figures = "".join(_figure(spec, draw) for spec in one.charts)
    accepted = "".join(f"<p>{_text(words)}</p>" for words in one.accepted)
    return (
        f"<section>\n<h2>{_text(one.use_case)}</h2>\n"
        f'<p class="decision">{_text(one.decision)}</p>\n{accepted}'
        '<table><thead><tr><th>metric</th><th class="n">'
        f'{_text(report.baseline)}</th><th class="n">{_text(report.candidate)}</th>'
        '<th class="n">effect (what is sure)</th><th class="n">e-value</th>'
        f"<th>verdict</th></tr></thead><tbody>{lines}</tbody></table>\n{figures}</section>\n"
    )


def _line(line: Line) -> str:
    words = line.reason or ""
    if line.since is not None:
        words = f"{words} since {line.since}".strip()
    note = f'<div class="small">{_text(words)}</div>' if words else ""
    return (
        f"<tr><td>{_text(_spaced(line.metric))}"
        f'<div class="small">{_text(line.meaning)}</div></td>'
        f'<td class="n">{_text(said(line.baseline, line.unit))}'
        f'<div class="small">n {line.baseline_n:,}</div></td>'
        f'<td class="n">{_text(said(line.candidate, line.unit))}'
        f'<div class="small">n {line.candidate_n:,}</div></td>'
        f'<td class="n">{_text(said_effect(line))}</td>'
        f'<td class="n">{_text(said_evidence(line))}</td>'
        f'<td><span class="state">{STATE_WORDS.get(line.state, _text(line.state))}</span>'
        f"{note}</td></tr>\n"
    )


def _figure(spec: Spec, draw: Callable[[Spec], str]) -> str:
    drawn = base64.b64encode(draw(spec).encode("utf-8")).decode("ascii")
    words = _text(str(spec["description"]))
    return (
        f'<figure><img alt="{words}" src="data:image/svg+xml;base64,{drawn}">'
        f"<figcaption>{words}</figcaption></figure>\n"
    )


def _foot(report: Report) -> str:
    sizes = ", ".join(f"{log} {size:,}" for log, size in report.tree_sizes.items())
    return (
        "<h2>How to read this, and how to make it again</h2>\n"
        '<p class="small">Verdicts are by betting e-processes: they may be looked at every '
        "day without more false alarms. The smallest effect that matters stands in the "
        f"hypothesis. {report.family_size} tests were looked at together (e-BH, false "
        f"discovery at most {report.false_discovery:.0%}). Intervals hold at all times at "
        "once. “Not worse so far” is no proof that it is not worse.</p>\n"
        f'<p class="small">Log: {_text(sizes)} entries. Data: SHA-256 '
        f"<code>{_text(report.data_digest)}</code>. The same log, time and hours of ripening "
        "give the same report.</p>\n"
    )


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _text(words: str) -> str:
    return html.escape(words, quote=True)
