"""`source statement` and `verify --statement` as a person uses them."""

import io
from pathlib import Path

import pytest
from tests.app.sourced import MINUTE, program, register
from tests.app.statement_cases import HOUR, prepare
from tests.cli.conftest import Command
from tests.trails import found

from phitrail.app import clock
from phitrail.cli.exit_codes import ExitCode
from phitrail.events.ids import format_time

BEGUN = clock.now().replace(microsecond=0) - 3 * HOUR
WINDOW = ("--from", format_time(BEGUN), "--to", format_time(BEGUN + HOUR))


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trail with an hour of work."""
    directory = prepare(found(tmp_path_factory.mktemp("statement") / "trail"))
    credential = register(directory, "assistant", BEGUN - MINUTE)
    with program(directory, credential, BEGUN) as one:
        one.access(BEGUN)
        one.close(BEGUN + 2 * HOUR)
    return directory


def test_a_statement_is_written_checked_and_made_again(
    trail: Path, tmp_path: Path, phitrail: Command
) -> None:
    """The three things that somebody does with one."""
    note, again = tmp_path / "week.note", tmp_path / "again.note"
    ask = ("source", "statement", "--trail", trail)

    made = phitrail(*ask, *WINDOW, "--out", note)
    assert made.code == ExitCode.OK
    assert made.out.startswith(f"Between {format_time(BEGUN)} and ")

    checked = phitrail("verify", "--trail", trail, "--statement", note)
    assert checked.code == ExitCode.OK
    assert "signed by this trail" in checked.out
    assert made.out in checked.out

    repeated = phitrail(*ask, "--as-of", note, "--out", again, "--json")
    told = phitrail("verify", "--trail", trail, "--statement", again, "--json")
    (one,) = told.data["statements"]
    assert one["statement"] == repeated.data["statement"]
    first = phitrail("verify", "--trail", trail, "--statement", note, "--json")
    assert (
        one["statement"]["known"] == first.data["statements"][0]["statement"]["known"]
    )


def test_an_altered_file_fails(trail: Path, tmp_path: Path, phitrail: Command) -> None:
    """Scripts act on the code."""
    note = tmp_path / "week.note"
    phitrail("source", "statement", "--trail", trail, *WINDOW, "--out", note)
    note.write_bytes(note.read_bytes().replace(b'"numbers":0', b'"numbers":9'))
    ran = phitrail("verify", "--trail", trail, "--statement", note)

    assert ran.code == ExitCode.CHECK_FAILED
    assert "signature" in ran.err


def test_what_is_missing_sets_the_exit_code(
    trail_dir: Path, phitrail: Command, tmp_path: Path
) -> None:
    """A job that makes one each week must notice."""
    credential = tmp_path / "gateway.credential"
    phitrail("source", "add", "gateway", "--out", credential, "--trail", trail_dir)
    ran = phitrail("source", "statement", "--trail", trail_dir)

    assert ran.code == ExitCode.CHECK_FAILED
    assert "Nothing was heard of gateway" in ran.out


def test_a_patient_comes_from_standard_input(
    trail: Path, phitrail: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An identifier on the command line stays in the history of the shell."""
    monkeypatch.setattr("sys.stdin", io.StringIO("mrn-1\n"))
    ask = ("source", "statement", "--trail", trail, *WINDOW, "--json")
    by_id = phitrail(*ask, "--patient-id", "-").data["statement"]["known"]
    surrogate = by_id["scope"]["patient"]
    by_surrogate = phitrail(*ask, "--patient", surrogate).data["statement"]["known"]

    assert by_id["received"] == by_surrogate["received"]
    assert by_id["received"]["total"]["accesses"] == 1
    assert "mrn-1" not in str(by_id)


def test_what_does_not_go_together_is_refused(
    trail: Path, tmp_path: Path, phitrail: Command
) -> None:
    """Half an answer to two questions is an answer to none."""
    ask = ("source", "statement", "--trail", trail)
    note = tmp_path / "note"
    note.write_text("no statement\n")

    for more, field in (
        (("--out", note), "--out"),
        (("--as-of", note, "--user", "dr-1"), "--as-of"),
        (("--as-of", tmp_path / "none"), "--as-of"),
        (("--from", "soon"), "--from"),
        (("--from", "2027-01-01", "--to", "2026-01-01"), "--from"),
    ):
        ran = phitrail(*ask, *more)
        assert (ran.code, field in ran.err) == (ExitCode.USAGE, True), field
    assert phitrail(*ask, "--as-of", note).code == ExitCode.CHECK_FAILED
    unknown = phitrail("verify", "--trail", trail, "--statement", tmp_path / "none")
    assert unknown.code == ExitCode.USAGE
