"""Fill the generated part of docs/quality.md: the metrics (make docs)."""

import re
from pathlib import Path

from phitrail.quality.metric import CLASSIC, METRICS, SHARE, Metric

PAGE = Path(__file__).parents[1] / "docs/quality.md"


def fill(page: str) -> str:
    """Return the page with the table of metrics written anew."""
    return re.sub(
        r"(<!-- metrics -->\n).*?(<!-- end -->)",
        lambda match: match[1] + _table() + match[2],
        page,
        flags=re.DOTALL,
    )


def _table() -> str:
    head = "| metric | is | rows that count | better | least effect | least rows |"
    rows = [_row(metric) for metric in METRICS.values()]
    return "\n".join([head, "|---|---|---|---|---|---|", *rows]) + "\n"


def _row(metric: Metric) -> str:
    cells = (
        f"`{metric.name}`{' (classic)' if metric.name in CLASSIC else ''}",
        f"{metric.meaning} ({metric.unit})",
        "all" if metric.counted == "TRUE" else f"`{metric.counted}`",
        metric.better.value,
        _effect(metric),
        str(metric.min_n),
    )
    return f"| {' | '.join(cells)} |"


def _effect(metric: Metric) -> str:
    if metric.is_relative:
        return f"{100 * metric.min_effect:g} % of the baseline"
    points = metric.unit == SHARE
    return f"{100 * metric.min_effect:g} points" if points else f"{metric.min_effect:g}"


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
