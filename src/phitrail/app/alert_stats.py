"""How good each rule is, by what people found its alerts to be.

Precision is the share of true positives among the alerts that were judged: true positives,
false positives and explained ones. Tests and duplicates say nothing of a rule and are left
out. Beside it stands the interval of Wilson (1927) at 95 %: three alerts prove little, and it
says how little.

Showing is a read of the security log, recorded before anything is shown.
"""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from phitrail.app.reading import record_read
from phitrail.app.rules import ALERT_SCHEMA
from phitrail.app.wiring import Trail
from phitrail.events.codes import Action, Disposition, Log

Z_95: Final = 1.959963984540054
JUDGED: Final = frozenset(
    {Disposition.TRUE_POSITIVE, Disposition.FALSE_POSITIVE, Disposition.EXPLAINED}
)
_ALERTS: Final = (
    "SELECT arg_min(rule_id, idx) AS rule_id, min(received_at) AS opened_at, "
    "arg_max(disposition, idx) AS disposition, "
    "min(received_at) FILTER (disposition IS NOT NULL) AS disposed_at "
    "FROM security WHERE schema = ? GROUP BY alert_id"
)


@dataclass(frozen=True, slots=True)
class RuleStats:
    """What people made of the alerts of one rule.

    Attributes:
        rule_id: which rule.
        alerts: how many alerts it made.
        dispositions: how many of them have which disposition; `none` are without.
        judged: how many were judged.
        precision: the share of true positives among these.
        low: the lower end of its interval.
        high: the upper end.
        median_wait: how long it took until somebody said what it was, in the middle.
    """

    rule_id: str
    alerts: int
    dispositions: Mapping[str, int]
    judged: int
    precision: float | None
    low: float | None
    high: float | None
    median_wait: timedelta | None


def read_stats(
    trail: Trail, *, by: str, now: datetime, since: datetime | None = None
) -> tuple[RuleStats, ...]:
    """Read what people made of the alerts of each rule, the rule with most of them first.

    Raises:
        InputError: `by` is no user id.
        StorageError: the read could not be recorded; nothing is shown.
        IntegrityError: tables or log are damaged.
    """
    from phitrail.app.tables import open_tables  # noqa: PLC0415 - loads DuckDB

    with open_tables(trail, now) as tables:
        rows = tables.ask(_ALERTS, [ALERT_SCHEMA]).to_pylist()
    by_rule: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if since is None or row["opened_at"].replace(tzinfo=UTC) >= since:
            by_rule[row["rule_id"]].append(row)
    record_read(
        trail,
        Log.SECURITY,
        by=by,
        reason_code="alert_stats",
        result_count=sum(map(len, by_rule.values())),
        action=Action.QUERY,
        now=now,
    )
    found = [_of_rule(rule_id, alerts) for rule_id, alerts in by_rule.items()]
    return tuple(sorted(found, key=lambda one: (-one.alerts, one.rule_id)))


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Give the 95 % interval of a share (Wilson 1927); of nothing it is everything."""
    if count == 0:
        return 0.0, 1.0
    share, square = hits / count, Z_95 * Z_95
    middle = share + square / (2 * count)
    half = Z_95 * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    whole = 1 + square / count
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def _of_rule(rule_id: str, alerts: list[Mapping[str, Any]]) -> RuleStats:
    counts = Counter(str(row["disposition"] or "none") for row in alerts)
    judged, hits = sum(counts[one] for one in JUDGED), counts[Disposition.TRUE_POSITIVE]
    low, high = wilson(hits, judged)
    waits = [
        row["disposed_at"] - row["opened_at"] for row in alerts if row["disposed_at"]
    ]
    return RuleStats(
        rule_id,
        len(alerts),
        dict(counts),
        judged,
        hits / judged if judged else None,
        low if judged else None,
        high if judged else None,
        statistics.median(waits) if waits else None,
    )
