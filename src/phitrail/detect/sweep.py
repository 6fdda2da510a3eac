"""What another threshold would have told: one measure of every instant, many thresholds.

The measures are taken once, at the lowest threshold that is asked about; the episodes of each
threshold are then made from them (`sql.episodes_of` says what an episode is).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from phitrail.detect.sql import groups_of, is_first
from phitrail.detect.typed import COUNTING, MONOTONE, Bound, Correlation, Rule

STEPS = (50, 500)
"""From which threshold to which a sweep goes, where nobody says."""
MOST_THRESHOLDS = 64


@dataclass(frozen=True, slots=True)
class Swept:
    """What one threshold would have told."""

    threshold: int
    alerts: int
    groups: int


def swept_bound(rule: Rule) -> Bound | None:
    """Return the bound that a sweep changes; None for a rule that has no single one."""
    if not isinstance(rule, Correlation) or rule.kind not in COUNTING:
        return None
    if len(rule.bounds) != 1 or rule.bounds[0].compare not in MONOTONE:
        return None
    return rule.bounds[0]


def sweep_query(rule: Correlation, thresholds: Sequence[int], instants: str) -> str:
    """Write `threshold`, `alerts`, `groups` over the measures of a SELECT.

    Args:
        rule: a rule with a `swept_bound`.
        thresholds: whole numbers, none below the one that was measured at.
        instants: gives `g...`, `at_us`, `measure`.
    """
    groups = ["threshold", *groups_of(rule)]
    listed = ", ".join(groups)
    asked = " UNION ALL ".join(f"SELECT {one} AS threshold" for one in thresholds)
    above = ">" if rule.bounds[0].compare.value == "gt" else ">="
    return (
        "SELECT threshold, CAST(SUM(begun) AS BIGINT) AS alerts, COUNT(*) AS groups FROM ("
        f"SELECT {listed}, SUM(begins) AS begun FROM ("
        f"SELECT {listed}, {is_first(groups, rule.span_us)} AS begins FROM ("
        f"SELECT * FROM ({instants}) AS q CROSS JOIN ({asked}) AS asked "
        f"WHERE measure {above} threshold) AS a) AS f GROUP BY {listed}) AS s "
        "GROUP BY threshold ORDER BY threshold"
    )


def thresholds_between(low: int, high: int, steps: int = 10) -> tuple[int, ...]:
    """Cut a range of thresholds into steps of one size, both ends among them."""
    width = max(1, -(-(high - low) // max(1, steps - 1)))
    return tuple(sorted({*range(low, high, width), high}))
