"""The tables answer one SELECT over what they were opened on, and reach nothing else."""

from collections.abc import Iterator

import pytest
from tests.projection.leaves import START, ListedEntries, make_leaves
from tests.projection.stores import make_folder, make_store, open_tables, scan

from phitrail.errors import InputError
from phitrail.events.codes import Log
from phitrail.projection.follower import Follower
from phitrail.projection.rows import RECORDS, columns_of
from phitrail.projection.tables import Tables
from phitrail.projection.views import VIEWS

LEAVES = make_leaves(Log.AUDIT, 150)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    """Tables of 150 entries: one segment of 100, a tail of 50."""
    directory = tmp_path_factory.mktemp("tables")
    entries = ListedEntries(LEAVES, 100)
    store = make_store(directory)
    Follower(entries, make_folder(), store).advance(START, close=True)
    entries.visible = 150
    opened = open_tables(directory, store, entries)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "CREATE TABLE t (a INT)",
        "COPY audit TO '/tmp/out.csv'",
        "ATTACH ':memory:' AS other",
        "PRAGMA database_list",
        "SET threads = 64",
        "INSTALL httpfs",
        "LOAD httpfs",
        "CALL enable_logging()",
        "DELETE FROM audit_tail",
        "EXPLAIN SELECT 1",
        "",
        "SELEC 1",
        "WITH gone AS (DELETE FROM audit_tail RETURNING *) SELECT * FROM gone",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM 'https://example.org/x.parquet'",
        "SELECT * FROM LEAVES",
        "SELECT no_such_column FROM audit",
    ],
)
def test_what_is_not_one_select_over_the_views_is_refused(
    tables: Tables, sql: str
) -> None:
    """A question that can write, load or read files is a way around the record of reads."""
    with pytest.raises(InputError):
        tables.ask(sql)

    assert tables.ask("SELECT count(*) AS n FROM audit").to_pylist() == [{"n": 150}]


def test_a_question_that_takes_too_long_is_stopped(tables: Tables) -> None:
    """One bad join must not hold the machine."""
    with pytest.raises(InputError, match="shorter time range"):
        tables.ask(
            "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b",
            timeout_s=0.05,
        )


def test_values_go_as_parameters(tables: Tables) -> None:
    """A user id that looks like SQL must stay a user id."""
    evil = "x' OR 1=1 --"

    answer = tables.ask("SELECT idx FROM audit WHERE user_id = ?", [evil])

    assert answer.num_rows == 0


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_view_can_be_asked_when_its_log_is_empty(
    tables: Tables, view: str
) -> None:
    """A view that fails on a new trail would fail on an analyst's first day."""
    name = getattr(view, "name", view)

    assert tables.ask(f"SELECT count(*) FROM {name}").num_rows == 1


def test_accesses_join_openings_with_their_closing(tables: Tables) -> None:
    """An access counted twice, or an unclosed one that vanishes, misleads a reviewer."""
    by_access: dict[object, list[dict[str, object]]] = {}
    for row in scan(Log.AUDIT, LEAVES):
        if row["access_id"] is not None:
            by_access.setdefault(row["access_id"], []).append(row)

    answer = tables.ask("SELECT access_id, is_closed, first_idx FROM accesses")

    expected = {
        access: (any(r["event_type"] == "access_closed" for r in rows), rows[0]["idx"])
        for access, rows in by_access.items()
    }
    assert expected == {
        r["access_id"]: (r["is_closed"], r["first_idx"]) for r in answer.to_pylist()
    }


def test_records_touched_meets_its_events_in_segments_and_tail(tables: Tables) -> None:
    """A record whose event is in the tail, or in another row group, must not vanish."""
    answer = tables.ask("SELECT idx, user_id FROM records_touched")

    expected = sorted(
        (row["idx"], row["user_id"])
        for row in scan(Log.AUDIT, LEAVES)
        for _ in (row[RECORDS] or ())  # type: ignore[attr-defined]
    )
    assert expected == sorted(tuple(r.values()) for r in answer.to_pylist())


def test_as_of_is_the_tree_size_of_each_log(tables: Tables) -> None:
    """An answer that does not say what it covers cannot be completed later."""
    assert tables.as_of == {"audit": 150, "security": 0, "quality": 0}


def test_the_tables_have_the_columns_that_rows_say(tables: Tables) -> None:
    """A column that no segment holds yet must still be there to ask for."""
    for log in Log:
        names = set(tables.ask(f"SELECT * FROM {log} LIMIT 0").column_names)

        assert {c.name for c in columns_of(log)} - {RECORDS} == names - {"cluster"}
