"""The shipped rules over made weeks, by the tail and by SQL, which must agree.

1. The tail gets rows as the log does: by when they arrive, the watermark `LATENESS_US` behind
   the log's own clock. What is behind the watermark is for history alone and counted.
2. SQL gets the rows that the tail judged, and must find the same episodes.
3. The same SQL without the rows of misuse says what would have been told anyway: an alert is
   owed to misuse where no episode of its rule and group stands in its place then.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import duckdb
import pyarrow as pa

from bench.clinic_weeks_house import FACILITY_ZONES
from bench.clinic_weeks_rows import INNOCENT, Made
from phitrail.detect.enrich import Zones
from phitrail.detect.judge import Episode
from phitrail.detect.packaged import packaged_rules
from phitrail.detect.row import Row
from phitrail.detect.rule import read_rules
from phitrail.detect.scan import Scan, fields_tested, scans_for
from phitrail.detect.schema import FieldType, fields_of
from phitrail.detect.sql import episodes_query, groups_of
from phitrail.detect.tail import Tail
from phitrail.detect.typed import Rule
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import LeafRecord
from phitrail.events.codes import Log
from phitrail.events.quality import Rollout
from phitrail.events.security import SecurityEvent

LATENESS_US = 120_000_000
ADVANCE_EVERY_US = 300_000_000
_KINDS: Mapping[Log, type] = {
    Log.AUDIT: AuditEvent,
    Log.SECURITY: SecurityEvent,
    Log.QUALITY: Rollout,
}
_TYPES = {
    FieldType.TEXT: pa.string(),
    FieldType.WHOLE: pa.int64(),
    FieldType.TRUTH: pa.bool_(),
    FieldType.TEXTS: pa.list_(pa.string()),
}
Key: TypeAlias = tuple[str, tuple[str, ...], int, int, int, int]
"""Of an episode: rule, group, first and last instant, peak, how many instants."""


@dataclass(slots=True)
class Told:
    """One alert of the tail."""

    rule: Rule
    group: tuple[str, ...]
    first_us: int
    alerted_us: int
    """When the log could hold it: the arrival of the row that made it."""
    labels: frozenset[int]
    """The misuse whose rows are among its evidence."""
    is_owed: bool
    """No alert of this rule and group would stand there without misuse."""


@dataclass(slots=True)
class Judged:
    """What the rules told of some weeks."""

    alerts: list[Told]
    rows: int
    beyond: int
    """Rows that came too late for the tail."""


@dataclass(slots=True)
class _Open:
    """An episode as it came up: when the first row made it, and whose rows it rests on."""

    alerted_us: int
    labels: set[int] = field(default_factory=set)


def shipped_rules() -> tuple[Rule, ...]:
    """Read the rules that come with phitrail."""
    return read_rules(packaged_rules()).judged()


def judge(rules: Sequence[Rule], rows: Sequence[Made]) -> Judged:
    """Judge rows by the tail and by SQL.

    Raises:
        AssertionError: the two do not find the same episodes.
    """
    zones = Zones(FACILITY_ZONES)
    arriving = sorted(rows, key=lambda one: (one.arrives_us, one.event_id))
    records = [Row(record_of(one), one.at_us, zones) for one in arriving]
    episodes, is_judged = _by_tail(rules, arriving, records)
    history = _History(rules, arriving, records, is_judged)
    by_sql = history.episodes(with_misuse=True)
    by_tail = {key_of(one) for one in episodes}
    assert by_tail == by_sql, _difference(rules, by_tail, by_sql)
    anyway: dict[tuple[str, tuple[str, ...]], list[tuple[int, int]]] = {}
    for rule_id, group, first, last, _, _ in history.episodes(with_misuse=False):
        anyway.setdefault((rule_id, group), []).append((first, last))
    alerts = []
    for one, opened in episodes.items():
        held = anyway.get((one.rule.head.rule_id, one.group), ())
        is_anyway = any(a <= one.last_us and one.first_us <= b for a, b in held)
        labels = frozenset(opened.labels)
        alerts.append(
            Told(
                one.rule,
                one.group,
                one.first_us,
                opened.alerted_us,
                labels,
                not is_anyway,
            )
        )
    alerts.sort(key=lambda one: (one.alerted_us, one.rule.head.rule_id, one.group))
    return Judged(alerts, len(rows), len(rows) - sum(is_judged))


def record_of(made: Made) -> LeafRecord:
    """Make the record of a row; its codes stay text, as rules see them."""
    record: LeafRecord = _KINDS[made.log](**made.leaf)
    return record


def key_of(one: Episode) -> Key:
    """Say what an episode is by what both executors give of it."""
    rule_id = one.rule.head.rule_id
    return rule_id, one.group, one.first_us, one.last_us, one.peak, one.instants


def _difference(rules: Sequence[Rule], tail: set[Key], sql: set[Key]) -> str:
    titles = {one.head.rule_id: one.head.title for one in rules}
    told = [f"tail only: {titles[one[0]]} {one[1:]}" for one in sorted(tail - sql)[:5]]
    told += [f"SQL only: {titles[one[0]]} {one[1:]}" for one in sorted(sql - tail)[:5]]
    return "\n".join(told)


# --- the tail ---


def _by_tail(
    rules: Sequence[Rule], rows: Sequence[Made], records: Sequence[Row]
) -> tuple[dict[Episode, _Open], list[bool]]:
    tail, found = Tail(tuple(rules)), dict[Episode, _Open]()
    is_judged, advanced_us = [], 0
    for number, (made, record) in enumerate(zip(rows, records, strict=True)):
        beyond = tail.beyond
        changed = tail.take(made.log, made.at_us, made.event_id, record, ref=number)
        is_judged.append(tail.beyond == beyond)
        _note(found, changed, made.arrives_us, rows, made.label)
        if made.arrives_us - advanced_us >= ADVANCE_EVERY_US:
            advanced_us = made.arrives_us
            changed = tail.advance(advanced_us - LATENESS_US)
            _note(found, changed, advanced_us, rows, INNOCENT)
    end_us = rows[-1].arrives_us + 40 * 86_400_000_000
    _note(found, tail.advance(end_us), end_us, rows, INNOCENT)
    return {
        one: opened for one, opened in found.items() if not one.is_joined
    }, is_judged


def _note(
    found: dict[Episode, _Open],
    changed: Sequence[Episode],
    now_us: int,
    rows: Sequence[Made],
    label: int,
) -> None:
    for one in changed:
        opened = found.get(one)
        if opened is None:
            opened = found[one] = _Open(now_us)
            opened.labels |= {rows[ref].label for ref in one.evidence()} - {INNOCENT}
        elif label != INNOCENT:
            opened.labels.add(label)


# --- SQL ---


class _History:
    """The rows that the tail judged, as relations that SQL asks."""

    def __init__(
        self,
        rules: Sequence[Rule],
        rows: Sequence[Made],
        records: Sequence[Row],
        is_judged: Sequence[bool],
    ) -> None:
        self._rules = rules
        self._scans = scans_for(rules)
        self._tables = {
            log: _table(scan, log, rows, records, is_judged)
            for log, scan in self._scans.of.items()
        }

    def episodes(self, *, with_misuse: bool) -> set[Key]:
        """Find the episodes of all rules."""
        with duckdb.connect() as database:
            database.execute("SET threads = 1")
            for log, scan in self._scans.of.items():
                database.register(f"{log}_rows", self._tables[log])
                kept = "" if with_misuse else f" WHERE label = {INNOCENT}"
                query = scan.query(f"SELECT * FROM {log}_rows{kept}")
                database.execute(
                    f"CREATE TEMP TABLE {scan.table} AS {query.sql}",
                    list(query.parameters),
                )
            return {key for rule in self._rules for key in self._of(database, rule)}

    def _of(self, database: duckdb.DuckDBPyConnection, rule: Rule) -> Iterator[Key]:
        query = episodes_query(rule, self._scans.matches)
        groups = len(groups_of(rule))
        for row in database.execute(query.sql, list(query.parameters)).fetchall():
            yield (rule.head.rule_id, tuple(row[:groups]), *row[groups:])


def _table(
    scan: Scan,
    log: Log,
    rows: Sequence[Made],
    records: Sequence[Row],
    is_judged: Sequence[bool],
) -> pa.Table:
    """Write the rows of a log as a scan reads them: only the fields that rules name."""
    types = fields_of(log)
    tested = {
        name
        for one in scan.detections
        for name in fields_tested(one.selection.predicate)
    }
    held = [
        (number, made, record)
        for number, (made, record) in enumerate(zip(rows, records, strict=True))
        if made.log is log and is_judged[number]
    ]
    columns = {
        "idx": pa.array([number for number, _, _ in held], pa.int64()),
        "at_us": pa.array([made.at_us for _, made, _ in held], pa.int64()),
        "event_id": pa.array([made.event_id for _, made, _ in held], pa.string()),
        "label": pa.array([made.label for _, made, _ in held], pa.int32()),
    }
    for name in sorted({*scan.kept, *tested}):
        values = [record.get(name) for _, _, record in held]
        columns[name] = pa.array(values, _TYPES[types[name]])
    return pa.table(columns)
