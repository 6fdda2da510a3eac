"""A transaction is kept, not kept, or of unknown outcome, and says which."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from phitrail.durable.database import fold_wal, open_database, transaction
from phitrail.errors import ConfigError, OutcomeUnknownError, StorageError

SCHEMA = "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY); "


class Failing(sqlite3.Connection):
    """Fails statements that begin with a word."""

    word = ""
    is_closed = False

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Fail, or do as asked."""
        if self.word and sql.startswith(self.word):
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *values)

    def close(self) -> None:
        """Note that it was closed."""
        self.is_closed = True
        super().close()


def open_failing(path: Path) -> Failing:
    """Open a database whose statements can be made to fail."""
    made: list[Failing] = []

    def connect(*args: Any, **named: Any) -> sqlite3.Connection:
        made.append(sqlite3.connect(*args, **named, factory=Failing))
        return made[0]

    open_database(path, schema=SCHEMA, connect=connect)
    return made[0]


def count(path: Path) -> int:
    """Count the rows that another connection sees."""
    database = sqlite3.connect(path)
    (rows,) = database.execute("SELECT count(*) FROM t").fetchone()
    database.close()
    return int(rows)


def test_a_commit_is_synced(tmp_path: Path) -> None:
    """Without WAL and FULL an acknowledged event is lost with the power."""
    database = open_database(tmp_path / "db", schema=SCHEMA, fold_by_hand=True)

    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)
    assert database.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    database.close()


@pytest.mark.parametrize("word", ["BEGIN", "INSERT"])
def test_an_error_before_commit_keeps_nothing(tmp_path: Path, word: str) -> None:
    """The caller may simply try again, and the connection goes on."""
    database = open_failing(tmp_path / "db")
    database.word = word

    with pytest.raises(StorageError) as caught, transaction(database):
        database.execute("INSERT INTO t VALUES (1)")
    database.word = ""
    with transaction(database):
        database.execute("INSERT INTO t VALUES (2)")

    assert not isinstance(caught.value, OutcomeUnknownError)
    assert count(tmp_path / "db") == 1
    database.close()


def test_an_error_of_the_block_rolls_back_and_goes_on_up(tmp_path: Path) -> None:
    """A refusal inside a transaction must not keep half of it."""
    database = open_failing(tmp_path / "db")

    with pytest.raises(KeyError), transaction(database):  # noqa: PT012 - both lines are the case
        database.execute("INSERT INTO t VALUES (1)")
        raise KeyError

    assert count(tmp_path / "db") == 0
    database.close()


def test_an_error_at_commit_is_of_unknown_outcome(tmp_path: Path) -> None:
    """Saying `not kept` here would let a caller record an event twice."""
    database = open_failing(tmp_path / "db")
    database.word = "COMMIT"

    with (
        pytest.raises(OutcomeUnknownError, match="same event_id"),
        transaction(database),
    ):
        database.execute("INSERT INTO t VALUES (1)")
    database.close()


def test_a_rollback_that_fails_is_of_unknown_outcome(tmp_path: Path) -> None:
    """A connection stuck in a transaction must not be used again."""
    database = open_failing(tmp_path / "db")
    database.word = "ROLLBACK"

    with pytest.raises(OutcomeUnknownError, match="rolled back"), transaction(database):
        raise KeyError
    database.close()


def test_a_missing_database_is_made_only_from_a_schema(tmp_path: Path) -> None:
    """A lost journal must be an error, never a new empty one."""
    for read_only in (True, False):
        with pytest.raises(ConfigError, match="phitrail init"):
            open_database(tmp_path / "db", read_only=read_only)

    assert not (tmp_path / "db").exists()


def test_what_is_no_database_says_what_to_do(tmp_path: Path) -> None:
    """The operator needs the next step, not an errno."""
    (tmp_path / "db").write_bytes(b"not a database at all" * 100)

    with pytest.raises(StorageError, match="restore it from the archive"):
        open_database(tmp_path / "db")


def test_a_failed_opening_closes_its_connection(tmp_path: Path) -> None:
    """A descriptor left open keeps locks and files of the trail alive."""
    made: list[Failing] = []

    def connect(*args: Any, **named: Any) -> sqlite3.Connection:
        made.append(sqlite3.connect(*args, **named, factory=Failing))
        made[0].word = "PRAGMA synchronous"
        return made[0]

    with pytest.raises(StorageError):
        open_database(tmp_path / "db", schema=SCHEMA, connect=connect)

    assert made[0].is_closed


def test_a_read_only_connection_cannot_write(tmp_path: Path) -> None:
    """Readers must not be able to change the journal by mistake."""
    open_database(tmp_path / "db", schema=SCHEMA).close()
    database = open_database(tmp_path / "db", read_only=True)

    with pytest.raises(StorageError, match="READONLY"), transaction(database):
        database.execute("INSERT INTO t VALUES (1)")
    database.close()


def test_folding_moves_the_log_and_says_when_it_cannot(tmp_path: Path) -> None:
    """A write-ahead log that is never folded grows without end."""
    database = open_failing(tmp_path / "db")
    with transaction(database):
        database.execute("INSERT INTO t VALUES (1)")

    fold_wal(database)
    folded = sqlite3.connect(f"{(tmp_path / 'db').as_uri()}?immutable=1", uri=True)
    database.word = "PRAGMA wal_checkpoint"
    with pytest.raises(StorageError, match="look at the disk"):
        fold_wal(database)

    assert folded.execute("SELECT n FROM t").fetchall() == [(1,)]
    folded.close()
    database.close()


def test_writers_wait_once_when_the_log_outgrows_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers that never pause must not fill the disk with what is folded already."""
    monkeypatch.setattr("phitrail.durable.database.WAL_FRAMES_AT_MOST", 20)
    database = open_failing(tmp_path / "db")
    database.word = "PRAGMA wal_checkpoint(RESTART)"
    for number in range(50):
        with transaction(database):
            database.execute("INSERT INTO t VALUES (?)", (number,))
        if number == 5:
            fold_wal(database)  # within the bound: nobody waits

    with pytest.raises(StorageError):
        fold_wal(database)
    database.word = ""
    fold_wal(database)
    with transaction(database):
        database.execute("INSERT INTO t VALUES (-1)")

    assert database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1] < 20
    database.close()
