"""`log query`, `log rebuild` and `verify --tables` as a person uses them."""

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.trails import found, record_events

from phitrail.app.table_checks import verify_tables
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.main import main
from phitrail.projection.segments import TABLES


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trail with eight reads."""
    directory = found(tmp_path_factory.mktemp("query") / "trail")
    record_events(directory, range(8))
    return directory


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run a command; return its code, stdout and stderr."""
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_every_format_holds_the_same_rows(
    trail: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever takes an answer to another tool must find the same rows there."""
    ask = ("log", "query", "--trail", trail, "--event-type", "phi_read")

    code, as_json, _ = run(capsys, *ask, "--json")
    _, lines, words = run(capsys, *ask, "--format", "jsonl")
    _, table, _ = run(capsys, *ask)
    _, as_csv, _ = run(capsys, *ask, "--format", "csv")
    parquet = tmp_path / "answer.parquet"
    run(capsys, *ask, "--format", "parquet", "--out", parquet)

    rows = json.loads(as_json)["rows"]
    assert (code, len(rows)) == (ExitCode.OK, 8)
    assert rows == [json.loads(line) for line in lines.splitlines()]
    assert "8 rows as of audit" in words
    ids = [row["event_id"] for row in rows]
    assert ids == [row["event_id"] for row in csv.DictReader(io.StringIO(as_csv))]
    assert ids == pq.read_table(parquet)["event_id"].to_pylist()
    assert all(each in table for each in ids)


def test_an_identifier_comes_from_standard_input(
    trail: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An identifier on the command line stays in the history of the shell."""
    monkeypatch.setattr("sys.stdin", io.StringIO("mrn-3\n"))

    code, out, err = run(
        capsys, "log", "query", "--trail", trail, "--patient-id", "-", "--json"
    )

    assert code == ExitCode.OK
    assert len(json.loads(out)["rows"]) == 1
    assert "mrn-3" not in out + err


def test_pages_are_asked_for_by_the_last_entry(
    trail: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The words must say how to go on."""
    ask = ("log", "query", "--trail", trail, "--user", "dr-0012")

    _, _, words = run(capsys, *ask, "-n", 5)
    _, out, _ = run(capsys, *ask, "--after", words.split("--after ")[1], "--json")

    assert len(json.loads(out)["rows"]) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        ("--sql", "DROP TABLE audit"),
        ("--since", "yesterday"),
        ("--user", "two words"),
        ("--format", "parquet"),
        ("--log", "quality", "--patient-id", "mrn-1"),
    ],
)
def test_a_wrong_question_is_a_usage_error(
    trail: Path, capsys: pytest.CaptureFixture[str], wrong: tuple[str, ...]
) -> None:
    """A mistake must not look like an empty answer, nor quote what was typed."""
    code, out, err = run(capsys, "log", "query", "--trail", trail, *wrong)

    assert (code, out) == (ExitCode.USAGE, "")
    assert err.startswith("error: ")
    assert "mrn-1" not in err


def test_damaged_tables_are_found_and_made_anew(
    trail: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The two commands that the messages name must do what the messages say."""
    code, _, _ = run(capsys, "log", "rebuild", "--trail", trail, "--processes", 1)
    assert code == ExitCode.OK
    verify = ("verify", "--tables", "--trail", trail, "--json")
    assert run(capsys, *verify)[0] == ExitCode.UNVERIFIABLE  # nothing from outside
    place = next((trail / TABLES / "audit").glob("events-*.parquet"))
    place.write_bytes(place.read_bytes()[:-1] + b"?")

    code, out, _ = run(capsys, *verify)
    assert code == ExitCode.CHECK_FAILED
    assert place.name in json.dumps(json.loads(out)["tables"])

    run(capsys, "log", "rebuild", "--trail", trail, "--json")
    assert not any(check.findings for check in verify_tables(trail))
