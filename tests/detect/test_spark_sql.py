"""The SQL of rules is said in Spark SQL too, by sqlglot, and means the same there.

Spark itself lives in an environment of its own (`make spark`), and needs Java; without them
the long tests skip and say so.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import HealthCheck, Phase, given, seed, settings
from tests.detect.test_executors_agree import Event, event_lists, rule_files

from phitrail.detect.packaged import packaged_rules
from phitrail.detect.rule import read_rules
from phitrail.detect.rule_tests import TestEvent, read_tests
from phitrail.detect.schema import FieldType, fields_of
from phitrail.detect.sql import Query, episodes_query
from phitrail.detect.typed import Rule
from phitrail.events.codes import Log

SPARK = Path(__file__).parents[2] / ".venv" / "spark" / "bin" / "python"
SECONDS = 900
SHIPPED = read_rules(packaged_rules())
ARROW = {
    FieldType.TEXT: pa.string(),
    FieldType.WHOLE: pa.int64(),
    FieldType.TRUTH: pa.bool_(),
    FieldType.TEXTS: pa.list_(pa.string()),
}
ASK_SPARK = """
import json, sys
from pyspark.sql import SparkSession

spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.memory", "1g")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
with open(sys.argv[1], encoding="utf-8") as given, open(sys.argv[2], "w") as out:
    for line in given:
        asked = json.loads(line)
        for name, (columns, rows) in asked["tables"].items():
            table = spark.createDataFrame(rows, columns)
            table.coalesce(1).createOrReplaceTempView(name)
        told = [
            [list(row) for row in spark.sql(sql, args=values).collect()]
            for sql, values in asked["queries"]
        ]
        out.write(json.dumps(told) + "\\n")
"""
needs_spark = pytest.mark.skipif(
    not SPARK.exists() or shutil.which("java") is None,
    reason="no Spark here: install Java 17, then run make spark",
)


def in_spark(query: Query) -> str:
    """Say a query in Spark SQL; what sqlglot cannot say there is an error."""
    (sql,) = sqlglot.transpile(
        query.sql,
        read="duckdb",
        write="spark",
        unsupported_level=sqlglot.ErrorLevel.RAISE,
    )
    assert sql.count("?") == len(query.parameters)
    return sql


@pytest.mark.parametrize("rule", SHIPPED.judged(), ids=lambda one: one.head.title)
def test_every_rule_that_is_shipped_is_said_in_spark_sql(rule: Rule) -> None:
    """A house that keeps its history in Spark would have no rules there."""
    in_spark(episodes_query(rule))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=rule_files())
def test_any_rule_is_said_in_spark_sql(text: str) -> None:
    """A modifier or a kind that no shipped rule uses would be missing there."""
    for rule in read_rules([("rules.yml", text.encode())]).judged():
        in_spark(episodes_query(rule))


# --- Spark itself ---

Tables = Mapping[str, Sequence[Mapping[str, object]]]
Told = set[tuple[object, ...]]


@needs_spark
@pytest.mark.long
@pytest.mark.timeout(SECONDS)
def test_spark_finds_what_duckdb_finds_by_shipped_rules(tmp_path: Path) -> None:
    """A rule that means something else in Spark shows nobody what happened."""
    rules = SHIPPED.judged()
    tables = _tables_of_tests()

    assert ask_spark(tmp_path, [(tables, rules)]) == [ask_duckdb(tables, rules)]


@needs_spark
@pytest.mark.long
@pytest.mark.timeout(SECONDS)
def test_spark_finds_what_duckdb_finds_by_any_rule(tmp_path: Path) -> None:
    """Ties, copies and absent fields may be another thing to another engine."""
    cases: list[tuple[Tables, tuple[Rule, ...]]] = []

    @seed(89)
    @settings(
        max_examples=40,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(text=rule_files(), events=event_lists())
    def draw(text: str, events: list[Event]) -> None:
        rules = read_rules([("rules.yml", text.encode())]).judged()
        rows = [{"at_us": e.at, "event_id": e.event_id, **e.row} for e in events]
        cases.append(({"audit_events": rows}, rules))

    draw()

    assert ask_spark(tmp_path, cases) == [ask_duckdb(*case) for case in cases]


def _tables_of_tests() -> Tables:
    """Put the events of all tests of shipped rules side by side, each an event of its own."""
    tables: dict[str, list[Mapping[str, object]]] = {f"{log}_events": [] for log in Log}
    for number, test in enumerate(read_tests(SHIPPED)):
        for event in test.events:
            own: TestEvent = replace(event, event_id=f"{number}-{event.event_id}")
            names = fields_of(own.log)
            row = {name: own.row.get(name) for name in names}
            tables[f"{own.log}_events"].append(
                {"at_us": own.at_us, "event_id": own.event_id, **row}
            )
    return tables


def _columns(table: str) -> dict[str, FieldType]:
    fields = fields_of(Log(table.removesuffix("_events")))
    return {"at_us": FieldType.WHOLE, "event_id": FieldType.TEXT, **fields}


def ask_duckdb(tables: Tables, rules: Sequence[Rule]) -> list[Told]:
    """Ask DuckDB for the episodes of each rule."""
    with duckdb.connect() as database:
        for name, rows in tables.items():
            kinds = _columns(name)
            schema = pa.schema([(field, ARROW[kind]) for field, kind in kinds.items()])
            database.register(name, pa.Table.from_pylist(list(rows), schema=schema))
        queries = [episodes_query(rule) for rule in rules]
        return [
            set(database.execute(one.sql, list(one.parameters)).fetchall())
            for one in queries
        ]


def ask_spark(
    place: Path, cases: Sequence[tuple[Tables, Sequence[Rule]]]
) -> list[list[Told]]:
    """Ask Spark for the episodes of each rule of each case."""
    asked, told = place / "asked.jsonl", place / "told.jsonl"
    with asked.open("w", encoding="utf-8") as lines:
        for tables, rules in cases:
            queries = [episodes_query(rule) for rule in rules]
            case = {
                "tables": {name: _shown(name, rows) for name, rows in tables.items()},
                "queries": [(in_spark(q), list(q.parameters)) for q in queries],
            }
            lines.write(json.dumps(case) + "\n")
    ran = subprocess.run(
        [str(SPARK), "-c", ASK_SPARK, str(asked), str(told)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2_000:]
    return [
        [{tuple(row) for row in rows} for rows in json.loads(line)]
        for line in told.read_text(encoding="utf-8").splitlines()
    ]


SPARK_TYPES = {
    FieldType.TEXT: "string",
    FieldType.WHOLE: "bigint",
    FieldType.TRUTH: "boolean",
    FieldType.TEXTS: "array<string>",
}


def _shown(
    table: str, rows: Sequence[Mapping[str, object]]
) -> tuple[str, list[list[object]]]:
    """Give the columns of a table as Spark declares them, and its rows."""
    kinds = _columns(table)
    declared = ", ".join(f"{name} {SPARK_TYPES[kind]}" for name, kind in kinds.items())
    return declared, [[row.get(name) for name in kinds] for row in rows]
