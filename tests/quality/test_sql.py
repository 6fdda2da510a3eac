"""The SQL is what stands in the golden file, and Spark's grammar reads it."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp
from tests.quality.made import START

from phitrail.quality.as_of import AsOf
from phitrail.quality.metric import METRICS
from phitrail.quality.sql import Scope, column, entries_sql, feedback_sql, ladder
from phitrail.quality.windows import Dimension, Window, parse_grouping

GROUPINGS = ((), ("hour",), ("day", "facility"), ("release", "model-version"))
SPARK = Path(__file__).with_name("spark.sql")


def scope(names: tuple[str, ...]) -> Scope:
    """Ask for everything."""
    return Scope(
        view=AsOf(START, timedelta(hours=72)),
        since=START - timedelta(days=30),
        only=((Dimension.USE_CASE, "chart_qa"),),
        grouping=parse_grouping(names),
    )


def in_spark(sql: str | None) -> exp.Select:
    """Write SQL for Spark, and read what was written as Spark's grammar does."""
    assert sql is not None
    (written,) = sqlglot.transpile(
        sql, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE
    )
    tree = sqlglot.parse_one(written, read="spark")
    assert isinstance(tree, exp.Select)
    return tree


@pytest.mark.parametrize("names", GROUPINGS)
def test_spark_reads_every_metric(names: tuple[str, ...]) -> None:
    """What grows out of one machine must be asked the same question."""
    asked = scope(names)
    both = (in_spark(entries_sql(asked)), in_spark(feedback_sql(asked)))
    found = {one.alias for tree in both for one in tree.find_all(exp.Alias)}
    called = {one.name.upper() for tree in both for one in tree.find_all(exp.Anonymous)}

    assert {column(metric, "n") for metric in METRICS.values()} <= found
    assert not called
    for tree in both:
        assert len(tree.named_selects) == len(set(tree.named_selects))


def test_the_sql_for_spark_is_the_one_on_file() -> None:
    """A change of the emitter is seen before it runs on somebody's cluster.

    Written anew by `python -m tests.quality.test_sql`.
    """
    assert SPARK.read_text(encoding="utf-8") == spark_text()


def spark_text() -> str:
    """Write what is asked of Spark by day, version and use case."""
    asked = scope(("day", "model-version", "use-case"))
    trees = (in_spark(entries_sql(asked)), in_spark(feedback_sql(asked)))
    return "".join(f"{tree.sql(dialect='spark', pretty=True)};\n" for tree in trees)


def test_what_is_bound_stands_once_in_each_statement() -> None:
    """A question mark too many would bind a use case to something else."""
    for window in Window:
        asked = scope((window.value,))
        for sql in (entries_sql(asked), feedback_sql(asked)):
            assert sql is not None
            assert sql.count("?") == len(asked.values) == 1
            assert "chart_qa" not in sql


def test_the_ladder_has_its_quantile_and_both_ends() -> None:
    """The value itself, the least and the greatest are read with it."""
    steps = ladder(0.95)

    assert steps == tuple(sorted(set(steps)))
    assert {0.0, 0.95, 1.0} <= set(steps)
    assert 0.05 in {round(step, 2) for step in ladder(0.05)}


if __name__ == "__main__":
    SPARK.write_text(spark_text(), encoding="utf-8")
