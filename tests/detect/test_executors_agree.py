"""One rule, two executors, the same episodes: random rules over random events."""

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phitrail.detect.rule import read_rules
from phitrail.detect.schema import FieldType, fields_of
from phitrail.detect.sql import episodes_query
from phitrail.detect.tail import Tail
from phitrail.detect.typed import Detection, Rule
from phitrail.events.codes import Log

SECOND = 1_000_000
LATENESS = 40 * SECOND
CASES = 40
TIMEOUT_S = 300
if os.environ.get("PHITRAIL_LONG"):
    CASES = 500 if os.environ.get("PHITRAIL_CI") else 2_000
    TIMEOUT_S = 1_800

TYPES = ("phi_read", "phi_access_denied", "access_closed", "phi_export")
FIELDS = ("event_type", "user_id", "facility_id", "input_tokens", "patient", "source_ip",
          "response_phi_detected", "use_case", "session_id", "phi_fields_accessed")  # fmt: skip
SQL_TYPES = {
    FieldType.TEXT: "VARCHAR",
    FieldType.WHOLE: "BIGINT",
    FieldType.TRUTH: "BOOLEAN",
    FieldType.TEXTS: "VARCHAR[]",
}


@dataclass(frozen=True)
class Event:
    """An event of the test: when, which, its fields, and when it comes."""

    at: int
    event_id: str
    row: dict[str, object]
    delay: int


texts = {
    "event_type": st.sampled_from(TYPES),
    "user_id": st.sampled_from(["u1", "U1", "u2", "u_3", "u%4"]),
    "facility_id": st.sampled_from(["main", "u1", "u2"]),
    "source_ip": st.sampled_from(["10.0.0.1", "10.0.1.200", "192.168.3.4", "fe80::1"]),
    "use_case": st.sampled_from(["chart_qa", "triage", "coding"]),
    "session_id": st.sampled_from(
        ["10.0.0.1", "10.0.0.1.7", "10.0.1e1.1", "10.99999999999999999.0.1", "10.0.0"]
    ),
}


@st.composite
def rows(draw: st.DrawFn) -> dict[str, object]:
    """Draw the fields of an event; some are absent."""
    row: dict[str, object] = {
        name: draw(st.none() | values) for name, values in texts.items()
    }
    row["event_type"] = draw(texts["event_type"])
    row["input_tokens"] = draw(st.none() | st.integers(0, 4))
    row["response_phi_detected"] = draw(st.none() | st.booleans())
    row["patient"] = draw(
        st.none() | st.lists(st.sampled_from("abcd"), min_size=1, max_size=3).map(tuple)
    )
    row["phi_fields_accessed"] = draw(
        st.none() | st.lists(st.sampled_from(["name", "ssn"]), max_size=2).map(tuple)
    )
    return row


@st.composite
def event_lists(draw: st.DrawFn) -> list[Event]:
    """Draw events: ties in time, repeated ids, and a delay each."""
    count = draw(st.integers(0, 24))
    events = []
    for number in range(count):
        at = draw(st.integers(0, 30)) * 5 * SECOND
        events.append(
            Event(
                at,
                f"e{number}",
                draw(rows()),
                draw(st.sampled_from([0, 0, 0, 10, 39])) * SECOND,
            )
        )
    repeated = draw(st.lists(st.sampled_from(events), max_size=4)) if events else []
    return events + repeated


TESTS = (
    "event_type: phi_read",
    "event_type: [phi_read, phi_access_denied]",
    "event_type|startswith: PHI_",
    "event_type: '*_denied'",
    "event_type: 'phi?read'",
    "event_type|contains: cess",
    "user_id: u1",
    "user_id|cased: U1",
    "user_id|neq: u2",
    "user_id: null",
    "user_id|exists: true",
    "user_id|contains: '_'",
    "user_id: 'u%*'",
    "user_id|re: '^[uU][12]$'",
    "input_tokens|gte: 2",
    "input_tokens: 3",
    "input_tokens|lt: 1",
    "response_phi_detected: true",
    "source_ip|cidr: 10.0.0.0/16",
    "session_id|cidr: 10.0.0.0/8",
    "patient: [a, b]",
    "patient|all: [a, c]",
    "phi_fields_accessed|contains: s",
    "facility_id|fieldref: use_case",
)
CONDITIONS = ("a", "b", "a and b", "a or b", "not a", "a and not b", "1 of them",
              "all of them", "not (a or b)", "1 of a*")  # fmt: skip


@st.composite
def detections(draw: st.DrawFn, name: str) -> str:
    """Draw one detection, as YAML."""
    a, b = draw(st.sampled_from(TESTS)), draw(st.sampled_from(TESTS))
    return f"""
title: {name}
id: {uuid.uuid5(uuid.NAMESPACE_DNS, name)}
name: {name}
logsource: {{product: phitrail, service: audit}}
detection:
  a: {{{a}}}
  b: {{{b}}}
  condition: {draw(st.sampled_from(CONDITIONS))}
"""


@st.composite
def rule_files(draw: st.DrawFn) -> str:
    """Draw a set: two detections, a correlation over them, at times one over that."""
    kind = draw(
        st.sampled_from(
            ["event_count", "value_count", "value_sum", "temporal", "temporal_ordered"]
        )
    )
    group = draw(
        st.sampled_from([[], ["user_id"], ["user_id", "facility_id"], ["who"]])
    )
    named = draw(st.sampled_from([["first"], ["first", "second"], ["second", "first"]]))
    aliases = "{}"
    if group == ["who"]:  # two fields of one kind, so that values meet
        fields = {"first": "user_id", "second": "facility_id"}
        meant = ", ".join(f"{name}: {fields[name]}" for name in named)
        aliases = f"{{who: {{{meant}}}}}"
    condition = ""
    if not kind.startswith("temporal"):
        compare = draw(st.sampled_from(["gt", "gte", "gte", "eq", "lt", "neq", "lte"]))
        number = draw(st.integers(0, 4))
        over = {"value_count": draw(st.sampled_from(["patient", "source_ip", "input_tokens"])),
                "value_sum": "input_tokens"}.get(kind)  # fmt: skip
        field = f", field: {over}" if over else ""
        condition = f"  condition: {{{compare}: {number}{field}}}\n"
    span = draw(st.sampled_from(["5s", "20s", "1m", "2m"]))
    files = [draw(detections("first")), draw(detections("second"))]
    files.append(
        f"""
title: counted
id: {uuid.uuid5(uuid.NAMESPACE_DNS, "counted")}
name: counted
correlation:
  type: {kind}
  rules: [{", ".join(named)}]
  group-by: [{", ".join(group)}]
  aliases: {aliases}
  timespan: {span}
{condition}"""
    )
    if draw(st.booleans()):
        files.append(
            f"""
title: left out
filter:
  rules: [{draw(st.sampled_from(["first", "second"]))}]
  out: {{{draw(st.sampled_from(TESTS))}}}
  condition: out
logsource: {{product: phitrail, service: audit}}
"""
        )
    if draw(st.booleans()):
        files.append(
            f"""
title: chained
id: {uuid.uuid5(uuid.NAMESPACE_DNS, "chained")}
correlation:
  type: {draw(st.sampled_from(["event_count", "temporal", "temporal_ordered"]))}
  rules: [counted, first]
  group-by: [{", ".join(group[:1])}]
  aliases: {{{"who: {first: user_id}" if aliases != "{}" else ""}}}
  timespan: 1m
  generate: true
"""
        )
        if "type: event_count\n  rules: [counted" in files[-1]:
            files[-1] += "  condition: {gte: 2}\n"
    return "---".join(files)


def by_tail(rules: Sequence[Rule], events: Sequence[Event]) -> set[tuple[object, ...]]:
    """Judge events as they come, late ones within the horizon."""
    tail = Tail(tuple(rules))
    newest = 0
    arriving = sorted(events, key=lambda one: one.at + one.delay)
    kept = []
    for event in arriving:
        kept += tail.take(Log.AUDIT, event.at, event.event_id, event.row)
        newest = max(newest, event.at)
        if newest > LATENESS:
            kept += tail.advance(newest - LATENESS)
    kept += tail.advance(newest + 1_000 * SECOND)
    assert tail.beyond == 0
    return {
        (
            one.rule.head.rule_id,
            one.group,
            one.first_us,
            one.last_us,
            one.peak,
            one.instants,
        )
        for one in kept
        if not one.is_joined
    }


@cache
def memory() -> duckdb.DuckDBPyConnection:
    """Open one database for all cases: to open one takes longer than to ask it."""
    return duckdb.connect(config={"threads": 1})


def by_sql(rules: Sequence[Rule], events: Sequence[Event]) -> set[tuple[object, ...]]:
    """Ask DuckDB."""
    columns = fields_of(Log.AUDIT)
    with memory().cursor() as database:
        declared = ", ".join(f"{name} {SQL_TYPES[columns[name]]}" for name in FIELDS)
        database.execute(
            f"CREATE OR REPLACE TABLE audit_events (at_us BIGINT, event_id VARCHAR, {declared})"
        )
        values: list[object] = []
        for event in events:
            values += [event.at, event.event_id]
            values += [
                list(v) if isinstance(v, tuple) else v
                for v in (event.row.get(name) for name in FIELDS)
            ]
        if events:
            marks = ", ".join("?" * (2 + len(FIELDS)))
            rows = ", ".join([f"({marks})"] * len(events))
            database.execute(f"INSERT INTO audit_events VALUES {rows}", values)
        told = set()
        for rule in rules:
            query = episodes_query(rule)
            groups = 1 if isinstance(rule, Detection) else len(rule.group_by)
            for row in database.execute(query.sql, list(query.parameters)).fetchall():
                told.add((rule.head.rule_id, tuple(row[:groups]), *row[groups:]))
        return told


@pytest.mark.timeout(TIMEOUT_S)
@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=rule_files(), events=event_lists())
def test_the_tail_and_the_history_find_the_same_episodes(
    text: str, events: list[Event]
) -> None:
    """A rule that means one thing now and another one in a backtest proves nothing."""
    rules = read_rules([("rules.yml", text.encode())]).judged()

    assert by_sql(rules, events) == by_tail(rules, events)


@pytest.mark.parametrize(
    "written", ["10.0.0.1.7", "10.0.1e1.1", "10.99999999999999999.0.1", "10.0.0"]
)
def test_what_is_no_address_is_in_no_network(written: str) -> None:
    """A text that only begins as an address would be one to the one, or an error."""
    file = """
title: first
id: 6cf9b0b8-5c3a-4c0e-9d5c-0d8a35a9d001
logsource: {product: phitrail, service: audit}
detection: {s: {session_id|cidr: 10.0.0.0/8}, condition: s}
"""
    rules = read_rules([("rules.yml", file.encode())]).judged()
    events = [
        Event(SECOND, name, {"event_type": "phi_read", "session_id": text}, 0)
        for name, text in (("e1", written), ("e2", "10.1.2.3"))
    ]

    assert by_sql(rules, events) == by_tail(rules, events)
    assert {one[1] for one in by_tail(rules, events)} == {("e2",)}
