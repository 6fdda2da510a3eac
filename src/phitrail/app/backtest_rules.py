"""Judging rules over tables: one pass over each log, then each rule over what it kept.

1. A scan of a log (`detect.scan`) is kept as a table of the connection, once for all rules.
2. Of each rule the qualifying instants are kept with their measures, from the lowest threshold
   that is asked about; its episodes and those of every other threshold come from them.
3. From `since` on: instants are judged from there, over windows that reach back before it.
   Before `until`: later events are not looked at.
4. Of the alerts that the security log holds for the same rule it is said which of them were
   found again, by what people said of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from phitrail.app.backtest_answer import EpisodeFound, Overlap, RuleFound, TopGroup
from phitrail.detect.enrich import Zones
from phitrail.detect.relation import offset_values, relation
from phitrail.detect.scan import Scan, Scans, scans_for
from phitrail.detect.sql import (
    Query,
    episodes_of,
    groups_of,
    holds,
    instants_query,
    spans_of,
)
from phitrail.detect.sweep import Swept, sweep_query, swept_bound
from phitrail.detect.typed import Correlation, Detection, Rule
from phitrail.events.codes import Log
from phitrail.events.ids import format_time
from phitrail.projection.pruning import segments_between
from phitrail.projection.rows import INDEX
from phitrail.projection.segment_file import has_records
from phitrail.projection.tables import Tables

TIMEOUT_S: Final = 3_600.0
DAY_US: Final = 86_400_000_000
SAMPLED: Final = 5
"""How many entries of one episode are named."""
FOREVER_US: Final = 1 << 62
_NO_TIME: Final = (0, 1)
ALERT_FIELDS: Final = (
    "user_id", "source_ip", "use_case", "facility_id", "ai_model_id", "ai_model_version"
)  # fmt: skip
"""Fields of a recorded alert that tell which group it is about."""


@dataclass(frozen=True, slots=True)
class Between:
    """From which instant on, and before which one."""

    since_us: int | None = None
    until_us: int | None = None


class History:
    """Rules over one state of the tables."""

    def __init__(self, tables: Tables, zones: Zones, between: Between) -> None:
        """Take open tables; they are used by this alone from here on."""
        self._tables = tables
        self._zones = zones
        self._between = between
        self._scans = Scans({})

    def scan(self, rules: Sequence[Rule]) -> Mapping[Log, int]:
        """Read each log once for all these rules; count the events that some rule selects."""
        self._scans = scans_for(rules)
        reach_us = max(map(spans_of, rules), default=0)
        counted = {}
        for log, scan in self._scans.of.items():
            query = scan.query(self._relation(scan, reach_us))
            counted[log] = self._keep(scan.table, query)
        return counted

    def judge(
        self, rule: Rule, *, thresholds: Sequence[int] = (), top: int = 5
    ) -> RuleFound:
        """Judge one of the rules that were scanned for."""
        bound = swept_bound(rule) if thresholds else None
        least = None if bound is None else min(bound.number, *thresholds)
        query = instants_query(rule, self._scans.matches, least=least)
        since = self._between.since_us
        judged = "" if since is None else f" WHERE at_us >= {since}"
        self._keep(
            "instants",
            Query(f"SELECT * FROM ({query.sql}) AS i{judged}", query.parameters),
        )
        own = f"SELECT * FROM instants WHERE {holds(rule)}"
        self._keep("episodes", Query(episodes_of(rule, own), ()))
        swept = self._sweep(rule, thresholds) if bound is not None else ()
        return self._told(rule, top, swept)

    def _told(self, rule: Rule, top: int, swept: tuple[Swept, ...]) -> RuleFound:
        groups = ", ".join(groups_of(rule)) or "1"
        counted = self._rows(
            f"SELECT COUNT(*) AS alerts, COUNT(DISTINCT ({groups})) AS groups FROM episodes"
        )[0]
        days = self._rows(
            f"SELECT CAST(first_us // {DAY_US} AS BIGINT) AS day, COUNT(*) AS alerts "
            "FROM episodes GROUP BY day ORDER BY day"
        )
        return RuleFound(
            rule=rule,
            alerts=counted["alerts"],
            groups=counted["groups"],
            days={_day(row["day"]): row["alerts"] for row in days},
            top=self._top(rule, top),
            sample=self._sample(rule),
            overlap=self._overlap(rule),
            sweep=swept,
        )

    def _sweep(self, rule: Rule, thresholds: Sequence[int]) -> tuple[Swept, ...]:
        assert isinstance(rule, Correlation)  # noqa: S101 - it has a bound to sweep
        found = {
            row["threshold"]: Swept(**row)
            for row in self._rows(
                sweep_query(rule, thresholds, "SELECT * FROM instants")
            )
        }
        return tuple(found.get(one, Swept(one, 0, 0)) for one in thresholds)

    def _top(self, rule: Rule, top: int) -> tuple[TopGroup, ...]:
        if isinstance(rule, Detection) or not rule.group_by:
            return ()
        listed = ", ".join(groups_of(rule))
        rows = self._rows(
            f"SELECT {listed}, COUNT(*) AS alerts, MAX(peak) AS peak FROM episodes "
            f"GROUP BY {listed} ORDER BY alerts DESC, peak DESC, {listed} LIMIT {int(top)}"
        )
        return tuple(
            TopGroup(_group(rule, row), row["alerts"], row["peak"]) for row in rows
        )

    # --- one episode ---

    def _sample(self, rule: Rule) -> EpisodeFound | None:
        listed = "".join(f", {name}" for name in groups_of(rule))
        rows = self._rows(
            "SELECT * FROM episodes ORDER BY peak DESC, instants DESC, first_us"
            f"{listed} LIMIT 1"
        )
        if not rows:
            return None
        (row,) = rows
        return EpisodeFound(
            _group(rule, row),
            row["first_us"],
            row["last_us"],
            row["peak"],
            row["instants"],
            self._entries(rule, row),
        )

    def _entries(self, rule: Rule, row: Mapping[str, Any]) -> tuple[int, ...]:
        if isinstance(rule, Detection):
            where, values = "CAST(event_id AS VARCHAR) = ?", [row["g0"]]
            from_us, parts = row["first_us"] - 1, [(rule, where)]
        else:
            values = [row[name] for name in groups_of(rule)]
            from_us = row["first_us"] - rule.span_us
            parts = [
                (
                    source.rule,
                    " AND ".join(
                        f"CAST({source.field(name)} AS VARCHAR) = ?"
                        for name in rule.group_by
                    )
                    or "TRUE",
                )
                for source in rule.sources
                if isinstance(source.rule, Detection)
            ]
        logs = {detection.selection.log for detection, _ in parts}
        if len(logs) != 1:
            return ()  # an index alone would not say of which log
        (log,) = logs
        found = " UNION ".join(
            f"SELECT at_us, {INDEX} FROM ({self._scans.of[log].selected(one)}) AS s "
            f"WHERE {where}"
            for one, where in parts
        )
        rows = self._rows(
            f"SELECT {INDEX} FROM ({found}) AS f WHERE at_us > {from_us} "
            f"AND at_us <= {row['last_us']} ORDER BY at_us, {INDEX} LIMIT {SAMPLED}",
            values * len(parts),
        )
        return tuple(one[INDEX] for one in rows)

    # --- what the log holds ---

    def read_recorded(self) -> int:
        """Read the alerts that the security log holds, each in its last state; count them."""
        columns = [
            "schema",
            INDEX,
            "alert_id",
            "rule_id",
            "timestamp_utc",
            "disposition",
        ]
        columns += ["window_start", "window_end", *ALERT_FIELDS]
        segments = self._tables.segments(Log.SECURITY)
        files = [file for segment in segments for file in segment.events]
        about = ", ".join(f"MAX({name}) AS {name}" for name in ALERT_FIELDS)
        sql = (
            "SELECT alert_id, ANY_VALUE(rule_id) AS rule_id, "
            f"ARG_MAX(disposition, {INDEX}) FILTER (WHERE disposition IS NOT NULL) "
            "AS disposition, "
            "epoch_us(MIN(COALESCE(window_start, timestamp_utc))) AS first_us, "
            f"epoch_us(MAX(COALESCE(window_end, timestamp_utc))) AS last_us, {about} "
            f"FROM {self._tables.events(Log.SECURITY, files, columns)} AS t "
            "WHERE schema = 'phitrail/alert/v1' GROUP BY alert_id"
        )
        return self._keep("recorded", Query(sql, ()))

    def _overlap(self, rule: Rule) -> Overlap:
        same = ["r.first_us <= e.last_us", "r.last_us >= e.first_us"]
        if isinstance(rule, Correlation):
            same += [
                f"(r.{name} IS NULL OR r.{name} = e.g{number})"
                for number, name in enumerate(rule.group_by)
                if name in ALERT_FIELDS
            ]
        since = self._between.since_us or -FOREVER_US
        until = self._between.until_us or FOREVER_US
        rows = self._rows(
            "SELECT COALESCE(disposition, 'none') AS disposition, "
            f"EXISTS (SELECT 1 FROM episodes e WHERE {' AND '.join(same)}) AS is_again, "
            "COUNT(*) AS alerts FROM recorded r WHERE rule_id = ? "
            f"AND last_us >= {since} AND first_us < {until} GROUP BY ALL ORDER BY ALL",
            [rule.head.rule_id],
        )
        return Overlap(
            {row["disposition"]: row["alerts"] for row in rows if row["is_again"]},
            {row["disposition"]: row["alerts"] for row in rows if not row["is_again"]},
        )

    # --- tables ---

    def times(self, logs: Sequence[Log]) -> tuple[datetime | None, datetime | None]:
        """Say when the first and the last event of some logs happened."""
        ends = [end for log in logs if (end := self._ends(log)) != _NO_TIME]
        if not ends:
            return None, None
        first, last = min(low for low, _ in ends), max(high for _, high in ends)
        return _moment(first), _moment(last)

    def _ends(self, log: Log) -> tuple[int, int]:
        """Say from which instant on and before which one the events of a log lie."""
        files = [f for s in self._tables.segments(log) for f in s.events]
        (row,) = self._rows(
            "SELECT epoch_us(MIN(timestamp_utc)) AS low, epoch_us(MAX(timestamp_utc)) "
            f"AS high FROM {self._tables.events(log, files, ['timestamp_utc'])} AS t"
        )
        return _NO_TIME if row["low"] is None else (row["low"], row["high"] + 1)

    def _relation(self, scan: Scan, reach_us: int) -> str:
        what, between = scan.needed(), self._between
        since = None if between.since_us is None else between.since_us - reach_us
        segments = segments_between(
            self._tables.segments(scan.log),
            None if since is None else format_time(_moment(since)),
            None
            if between.until_us is None
            else format_time(_moment(between.until_us)),
        )
        files = [file for segment in segments for file in segment.events]
        records = None
        if has_records(scan.log):
            touched = [file for segment in segments for file in segment.records]
            records = self._tables.records(scan.log, touched)
        if what.has_local_time:
            self._keep_offsets(scan.log, since, between.until_us)
        inner = relation(
            what,
            self._tables.events(scan.log, files, what.columns),
            records,
            "offsets",
            self._zones.holidays,
        )
        bounds = [f"at_us >= {since}"] if since is not None else []
        if between.until_us is not None:
            bounds.append(f"at_us < {between.until_us}")
        where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
        return f"SELECT * FROM ({inner}) AS b{where}"

    def _keep_offsets(self, log: Log, since: int | None, until: int | None) -> None:
        low, high = self._ends(log)
        low = low if since is None else max(low, since)
        high = high if until is None else min(high, until)
        offsets = self._zones.offset_rows(low, max(low + 1, high))
        self._keep("offsets", Query(offset_values(offsets), ()))

    def _keep(self, name: str, query: Query) -> int:
        return self._tables.keep(name, query.sql, query.parameters, timeout_s=TIMEOUT_S)

    def _rows(self, select: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        table = self._tables.select(select, values, timeout_s=TIMEOUT_S)
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows


def _group(rule: Rule, row: Mapping[str, Any]) -> Mapping[str, str]:
    names = ("event_id",) if isinstance(rule, Detection) else rule.group_by
    return {name: row[f"g{number}"] for number, name in enumerate(names)}


def _moment(at_us: int) -> datetime:
    return datetime.fromtimestamp(max(0, at_us) / 1_000_000, UTC)


def _day(number: int) -> str:
    return _moment(number * DAY_US).date().isoformat()
