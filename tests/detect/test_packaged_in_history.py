"""The tests of the rules that come with phitrail hold over history as they do as rows come."""

from collections.abc import Sequence

import duckdb
import pyarrow as pa
import pytest

from phitrail.detect.packaged import packaged_rules
from phitrail.detect.rule import read_rules
from phitrail.detect.rule_tests import Found, RuleTest, TestEvent, read_tests, run_tests
from phitrail.detect.schema import FieldType, fields_of
from phitrail.detect.sql import episodes_query
from phitrail.detect.typed import Correlation, Rule
from phitrail.events.codes import Log

TYPES = {
    FieldType.TEXT: pa.string(),
    FieldType.WHOLE: pa.int64(),
    FieldType.TRUTH: pa.bool_(),
    FieldType.TEXTS: pa.list_(pa.string()),
}
SHIPPED = read_tests(read_rules(packaged_rules()))


def _events_of(log: Log, events: Sequence[TestEvent]) -> pa.Table:
    held = [event for event in events if event.log is log]
    columns = {
        "at_us": pa.array([event.at_us for event in held], pa.int64()),
        "event_id": pa.array([event.event_id for event in held], pa.string()),
    }
    columns |= {
        name: pa.array([event.row.get(name) for event in held], TYPES[kind])
        for name, kind in fields_of(log).items()
    }
    return pa.table(columns)


def by_history(rule: Rule, events: Sequence[TestEvent]) -> Sequence[Found]:
    """Ask DuckDB for the episodes of a rule over the events of a test."""
    groups = len(rule.group_by) if isinstance(rule, Correlation) else 1
    query = episodes_query(rule)
    with duckdb.connect() as database:
        for log in Log:
            database.register(f"{log}_events", _events_of(log, events))
        rows = database.execute(query.sql, list(query.parameters)).fetchall()
    return [Found(tuple(row[:groups]), *row[groups : groups + 3]) for row in rows]


@pytest.mark.parametrize("number", range(len(SHIPPED)))
def test_history_passes_the_tests_of_shipped_rules(number: int) -> None:
    """A backtest that finds other alerts than the tail would mislead whoever tunes a rule."""
    test: RuleTest = SHIPPED[number]

    (result,) = run_tests([test], by_history)

    assert (test.rule.head.title, test.name, result.failures) == (
        test.rule.head.title,
        test.name,
        (),
    )
