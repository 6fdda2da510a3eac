"""Rules over history, through a real trail: what the tail finds, recorded as a read."""

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.trails import NOW, found, read_leaves

from phitrail.app.backtest import Asked, backtest
from phitrail.app.backtest_answer import Backtest
from phitrail.app.backtest_rules import Between, History
from phitrail.app.documents import open_document
from phitrail.app.running import run_trail
from phitrail.app.tables import advance_tables, open_tables
from phitrail.app.wiring import Trail, open_trail
from phitrail.detect.enrich import Zones
from phitrail.detect.relation import needed, offset_values, relation
from phitrail.detect.row import Row, instant_of
from phitrail.detect.rule import read_rules
from phitrail.detect.schema import fields_of
from phitrail.detect.sql import spans_of
from phitrail.detect.sweep import thresholds_between
from phitrail.detect.tail import Tail
from phitrail.detect.typed import Detection, Rule
from phitrail.errors import InputError
from phitrail.events.alert import Alert
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import (
    AlertState,
    Disposition,
    EventType,
    Log,
    Outcome,
    Severity,
)
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.protected import Protected
from phitrail.events.quality import QualityEntry
from phitrail.projection.rows import INDEX
from phitrail.projection.segment_file import has_records
from phitrail.projection.tables import Tables

BY = "officer-7"
START = datetime(2026, 10, 31, 20, 0, tzinfo=UTC)
"""The night in which New York's clock goes back."""
HOLIDAYS = {"main": [date(2026, 11, 1)], "elsewhere": [date(2026, 10, 31)]}
ZONES = Zones({"main": "America/New_York", "pune": "Asia/Kolkata"}, HOLIDAYS)
TYPES = (EventType.PHI_READ, EventType.PHI_EXPORT, EventType.PHI_ACCESS_DENIED)

DETECTIONS = {
    "opening": "{event_type: [phi_read, phi_export]}",
    "denied": "{event_type: '*_denied'}",
    "by_night": "{time_band: after_hours}",
    "on_holiday": "{day_kind: holiday}",
    "of_two": "{record_count|gte: 2, resource_types: Condition}",
    "model": "{schema|startswith: phitrail/quality}",
}
CORRELATIONS = {
    "many": "{type: event_count, rules: [opening], group-by: [user_id], timespan: 1h,"
    " condition: {gt: 5}}",
    "patients": "{type: value_count, rules: [opening], group-by: [user_id],"
    " timespan: 2h, condition: {gte: 4, field: patient}}",
    "accesses": "{type: value_count, rules: [opening, denied],"
    " group-by: [user_id, facility_id], timespan: 3h, condition: {gt: 3, field: access}}",
    "tokens": "{type: value_sum, rules: [opening], group-by: [], timespan: 30m,"
    " condition: {gte: 60, field: input_tokens}}",
    "few": "{type: event_count, rules: [denied], group-by: [facility_id],"
    " timespan: 30m, condition: {lt: 2}}",
    "granted": "{type: temporal_ordered, rules: [denied, opening],"
    " group-by: [user_id], timespan: 10m}",
    "both": "{type: temporal, rules: [many, denied], group-by: [user_id], timespan: 1h}",
    "night": "{type: event_count, rules: [by_night], group-by: [user_id, night],"
    " timespan: 10h, condition: {gt: 3}}",
    "again": "{type: event_count, rules: [granted], group-by: [user_id], timespan: 4h,"
    " condition: {gte: 3}}",
}


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def rule_file() -> bytes:
    """Write the rules."""
    logs = {"model": "quality"}
    told = [
        f"title: {name}\nid: {_id(name)}\nname: {name}\n"
        f"logsource: {{product: phitrail, service: {logs.get(name, 'audit')}}}\n"
        f"detection:\n  one: {what}\n  condition: one\n"
        for name, what in DETECTIONS.items()
    ]
    told += [
        f"title: {name}\nid: {_id(name)}\nname: {name}\ncorrelation: {what}\n"
        for name, what in CORRELATIONS.items()
    ]
    return "---\n".join(told).encode()


RULES = read_rules([("rules.yml", rule_file())]).rules


def rule(name: str) -> Rule:
    """Find a rule by its name."""
    return next(one for one in RULES if one.head.name == name)


def made_event(draw: random.Random, number: int) -> AuditEvent[Any, Any, Any]:
    """Draw an event; some fields are absent, some events have many records."""
    count = draw.choice((0, 1, 1, 2, 3, 400 if number % 97 == 0 else 1))
    records = tuple(
        (
            Protected(f"mrn-{draw.randrange(9) if count < 9 else n % 20}"),
            Protected(f"n-{number}-{n}"),
            draw.choice(("Observation", "Condition")),
        )
        for n in range(count)
    )
    moment = START + timedelta(minutes=draw.randrange(0, 16 * 60))
    return AuditEvent(
        event_type=draw.choice(TYPES),
        timestamp_utc=format_time(moment),
        user_id=draw.choice(("u1", "u1", "u2", "U2")),
        facility_id=draw.choice(("main", "pune", "elsewhere", None)),
        local_offset_s=draw.choice((None, None, 3_600, -20_700, 70_000)),
        access_id=draw.choice(
            (None, new_uuid7(START, bytes([draw.randrange(9)] * 10)))
        ),
        input_tokens=draw.choice((None, 1, 20)),
        outcome=draw.choice((None, Outcome.DENIED)),
        phi_fields_accessed=draw.choice(((), ("name", "ssn"))),
        records=records,
    )


def alert(number: int, name: str, user: str, disposition: Disposition | None) -> Alert:
    """Make an alert as the log holds it."""
    return Alert(
        alert_id=f"alert-{number}",
        rule_id=_id(name),
        state=AlertState.OPEN,
        severity=Severity.HIGH,
        event_id=new_uuid7(NOW),
        timestamp_utc=format_time(NOW),
        window_start=format_time(START),
        window_end=format_time(START + timedelta(hours=16)),
        user_id=user,
        disposition=disposition,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trail of random events, half of them in segments, half in the tail."""
    directory = found(tmp_path_factory.mktemp("backtest") / "trail")
    tenant = directory / "tenant.yaml"
    settled = yaml.safe_load(tenant.read_text())
    settled["vocabulary"]["facilities"] += ["pune", "elsewhere"]
    settled["facility_zones"] = {"main": "America/New_York", "pune": "Asia/Kolkata"}
    tenant.write_text(yaml.safe_dump(settled))
    draw = random.Random(8)
    with run_trail(directory) as running:
        recorder = running.parts.recorder
        recorder.record(alert(1, "many", "u1", Disposition.TRUE_POSITIVE), NOW)
        recorder.record(alert(2, "many", "nobody", Disposition.EXPLAINED), NOW)
        recorder.record(alert(3, "many", "u2", None), NOW)
        for number in range(220):
            recorder.record(made_event(draw, number), NOW)
            if number % 40 == 0:
                recorder.record(
                    QualityEntry(request_id=f"r-{number}", model_id="extractive-demo"),
                    NOW,
                )
            if number in {50, 120}:
                advance_tables(running.parts, NOW, close_rows=1)
    return directory


@contextmanager
def opened(directory: Path) -> Iterator[tuple[Trail, Tables]]:
    """Open a trail and its tables."""
    trail = open_trail(directory)
    try:
        with open_tables(trail, NOW) as tables:
            yield trail, tables
    finally:
        trail.close()


def by_tail(trail: Trail, rules: tuple[Rule, ...]) -> set[tuple[Any, ...]]:
    """Judge every entry in its order, without a watermark before the end."""
    tail = Tail(rules)
    kept = []
    for log in Log:
        for leaf in read_leaves(trail, log):
            at_us = instant_of(leaf)
            if at_us is not None:
                is_part = (getattr(leaf, "parts", None) or 1) > 1
                row = Row(leaf, at_us, ZONES)
                kept += tail.take(log, at_us, leaf.event_id, row, is_part=is_part)  # type: ignore[arg-type]
    kept += tail.advance(round((NOW + timedelta(days=90)).timestamp()) * 1_000_000)
    return {
        (e.rule.head.name, e.group, e.first_us, e.last_us, e.peak, e.instants)
        for e in kept
        if not e.is_joined
    }


def by_history(
    tables: Tables, rules: tuple[Rule, ...], between: Between | None = None
) -> set[tuple[Any, ...]]:
    """Judge the tables."""
    history = History(tables, ZONES, between or Between())
    history.read_recorded()
    history.scan(rules)
    told = set()
    for one in rules:
        history.judge(one)
        groups = 1 if isinstance(one, Detection) else len(one.group_by)
        for row in tables.select("SELECT * FROM episodes").to_pylist():
            values = list(row.values())
            told.add((one.head.name, tuple(values[:groups]), *values[groups:]))
    return told


def test_history_finds_what_the_tail_finds(made: Path) -> None:
    """If tables lose or change a field, a backtest promises what the tail does not do."""
    with opened(made) as (trail, tables):
        judged = by_history(tables, RULES)
        expected = by_tail(trail, RULES)

    assert judged == expected
    fired = {name for name, *_ in expected}
    assert fired >= set(CORRELATIONS) | {"opening", "of_two", "model", "on_holiday"}


@pytest.mark.parametrize("log", list(Log))
def test_a_field_is_the_same_in_a_row_and_in_the_tables(made: Path, log: Log) -> None:
    """A field that history reads in another way makes another rule of the same file."""
    with opened(made) as (trail, tables):
        leaves = read_leaves(trail, log)
        names = sorted(fields_of(log))
        for tested in (frozenset(names), frozenset[str]()):
            rows = _relation(tables, log, names, tested)
            assert [row[INDEX] for row in rows] == [
                index
                for index, leaf in enumerate(leaves)
                if instant_of(leaf) is not None
            ]
            for row in rows:
                leaf = leaves[row[INDEX]]
                at_us = instant_of(leaf)
                assert at_us is not None
                assert at_us == row["at_us"]
                seen = Row(leaf, at_us, ZONES)
                for name in names:
                    assert _plain(row[name]) == _plain(seen.get(name)), name


def _relation(
    tables: Tables, log: Log, names: list[str], tested: frozenset[str]
) -> list[dict[str, Any]]:
    what = needed(log, names, tested)
    segments = tables.segments(log)
    events = tables.events(log, [f for s in segments for f in s.events], what.columns)
    records = None
    if has_records(log):
        records = tables.records(log, [f for s in segments for f in s.records])
    low = round(START.timestamp() * 1_000_000)
    offsets = ZONES.offset_rows(low, low + 40 * 86_400_000_000)
    tables.keep("offsets", offset_values(offsets))
    sql = relation(what, events, records, "offsets", ZONES.holidays)
    rows: list[dict[str, Any]] = tables.select(f"{sql} ORDER BY {INDEX}").to_pylist()
    return rows


def _plain(value: object) -> object:
    """Take ids as text, and lists as rules take them: no order, each value once."""
    if isinstance(value, list | tuple):
        return set(value)
    return str(value) if isinstance(value, uuid.UUID) else value


def test_from_and_to_cut_what_is_judged_and_not_the_windows(made: Path) -> None:
    """A window that begins before --from still counts what happened in it."""
    since = round((START + timedelta(hours=5)).timestamp() * 1_000_000)
    until = round((START + timedelta(hours=11)).timestamp() * 1_000_000)
    rules = tuple(one for one in RULES if spans_of(one))
    with opened(made) as (_, tables):
        whole = by_history(tables, rules)
        part = by_history(tables, rules, Between(since, until))

    inner = {one for one in whole if one[2] >= since and one[3] < until}
    assert {one for one in inner if one not in part} == set()
    assert all(one[2] >= since and one[3] < until for one in part)


def test_a_sweep_is_what_rules_with_those_thresholds_find(made: Path) -> None:
    """A threshold is chosen by the sweep: it must be what the rule then does."""
    thresholds = (1, 3, 5, 8, 200)
    text = rule_file().decode()
    with opened(made) as (_, tables):
        history = History(tables, ZONES, Between())
        history.read_recorded()
        history.scan(RULES)
        swept = history.judge(rule("many"), thresholds=thresholds).sweep
        for one in swept:
            other = text.replace(
                "condition: {gt: 5}", f"condition: {{gt: {one.threshold}}}"
            )
            (changed,) = (
                r
                for r in read_rules([("r", other.encode())]).rules
                if r.head.name == "many"
            )
            found_alone = history.judge(changed)
            assert (one.alerts, one.groups) == (found_alone.alerts, found_alone.groups)
    assert tuple(one.threshold for one in swept) == thresholds


def ask(directory: Path, **changes: Any) -> Backtest:
    """Ask through the whole trail."""
    trail = open_trail(directory)
    try:
        return backtest(trail, Asked(RULES, **changes), by=BY, now=NOW)
    finally:
        trail.close()


def test_the_answer_sums_up_its_episodes(made: Path) -> None:
    """Alerts a day, groups and the sample are what people decide by."""
    told = ask(made, thresholds=(1, 5), top=2)

    many = next(one for one in told.rules if one.rule.head.name == "many")
    assert many.alerts == sum(many.days.values()) > 0
    assert set(many.days) <= {"2026-10-31", "2026-11-01"}
    assert 0 < len(many.top) <= 2
    assert many.top[0].alerts >= many.top[-1].alerts
    assert many.sample is not None
    assert many.sample.peak == max(one.peak for one in many.top)
    assert 0 < len(many.sample.entries) <= 5
    assert [one.threshold for one in many.sweep] == [1, 5]
    assert many.sweep[0].alerts >= 1
    assert told.days >= 1


def test_a_sample_names_entries_of_its_group_and_window(made: Path) -> None:
    """Who opens the entries of a sample must find the events that made it."""
    told = ask(made)
    leaves = {}
    trail = open_trail(made)
    try:
        leaves = dict(enumerate(read_leaves(trail)))
    finally:
        trail.close()

    many = next(one for one in told.rules if one.rule.head.name == "many")
    assert many.sample is not None
    for index in many.sample.entries:
        leaf = leaves[index]
        assert getattr(leaf, "user_id", None) == many.sample.group["user_id"]
        at_us = instant_of(leaf)
        assert at_us is not None
        assert many.sample.first_us - 3_600_000_000 < at_us <= many.sample.last_us


def test_it_says_which_recorded_alerts_are_found_again(made: Path) -> None:
    """A rule that loses its true positives must not look better for it."""
    told = ask(made)

    many = next(one for one in told.rules if one.rule.head.name == "many")
    assert many.overlap.again == {"true_positive": 1, "none": 1}
    assert many.overlap.missed == {"explained": 1}


def test_the_read_is_recorded_with_what_was_asked(made: Path) -> None:
    """A look at everybody's behaviour is a read of the log like any other."""
    ask(made)

    trail = open_trail(made)
    try:
        reads = [
            leaf
            for leaf in read_leaves(trail)
            if getattr(leaf, "reason_code", None) == "rule_backtest"
        ]
        last = reads[-3:]
        assert {one.read_log for one in last} == {Log.AUDIT, Log.SECURITY, Log.QUALITY}  # type: ignore[union-attr]
        assert {one.user_id for one in last} == {BY}  # type: ignore[union-attr]
        asked = open_document(trail, last[0].object_digest)  # type: ignore[union-attr, arg-type]
    finally:
        trail.close()
    assert asked is not None
    assert _id("many").encode() in asked


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("--to", {"since": NOW, "until": NOW}),
        ("--threshold", {"thresholds": tuple(range(65))}),
        ("--threshold", {"thresholds": (-1,)}),
    ],
)
def test_what_does_not_fit_is_refused(
    made: Path, field: str, changes: dict[str, Any]
) -> None:
    """Nobody should read an answer to another question than the one that was asked."""
    with pytest.raises(InputError) as refused:
        ask(made, **changes)

    assert refused.value.field == field


def test_a_range_of_thresholds_keeps_both_ends() -> None:
    """The ends are what was asked for."""
    assert thresholds_between(50, 500) == (
        50,
        100,
        150,
        200,
        250,
        300,
        350,
        400,
        450,
        500,
    )
    assert thresholds_between(5, 7) == (5, 6, 7)
    assert thresholds_between(1, 30)[-1] == 30
    assert thresholds_between(4, 4) == (4,)
