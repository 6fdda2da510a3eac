"""`fact`: lists are loaded, told in numbers, and never shown."""

from pathlib import Path

import pytest
from tests.cli.conftest import Command

from phitrail.cli.exit_codes import ExitCode

PEOPLE = "user,state,surname\ndr-canary,employed,Quux\ndr-b,left,\n"


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Give a file of people."""
    file = tmp_path / "people.csv"
    file.write_text(PEOPLE)
    return file


def test_a_list_is_loaded_and_told_in_numbers(
    trail_dir: Path, people: Path, phitrail: Command
) -> None:
    """Who looks after the lists sees that they are there, and nobody in them."""
    loaded = phitrail(
        "fact", "load", "people", people, "--as", "hr", "--trail", trail_dir
    )
    listed = phitrail("fact", "list", "--trail", trail_dir)
    shown = phitrail("fact", "show", "people", "--trail", trail_dir)

    assert (loaded.code, listed.code, shown.code) == (ExitCode.OK,) * 3
    assert "good lines     2" in loaded.out
    assert "by hr" in loaded.out
    assert "people" in listed.out
    assert "state employed  1" in shown.out.replace("   ", "  ").replace("   ", "  ")
    assert "canary" not in loaded.out + listed.out + shown.out


def test_the_json_of_a_load_and_of_the_lists(
    trail_dir: Path, people: Path, phitrail: Command
) -> None:
    """A job that loads each night reads what came of it."""
    loaded = phitrail("fact", "load", "people", people, "--trail", trail_dir, "--json")
    listed = phitrail("fact", "list", "--trail", trail_dir, "--json")
    shown = phitrail("fact", "show", "people", "--trail", trail_dir, "--json")

    assert (loaded.data["good"], loaded.data["rejected"]) == (2, 0)
    assert loaded.data["rejected_file"] is None
    assert listed.data["facts"] == [loaded.data["in_force"]]
    assert shown.data["counts"]["with surname"] == 1
    assert loaded.data["in_force"]["from"] is None


def test_bad_lines_are_exit_code_1_and_stand_in_the_file_of_refusals(
    trail_dir: Path, people: Path, phitrail: Command
) -> None:
    """A job must not take a list with holes for a whole one."""
    people.write_text("user,state\ndr-a,employed\ndr-b,canary\n")
    tried = phitrail(
        "fact", "load", "people", people, "--trail", trail_dir, "--dry-run"
    )
    loaded = phitrail("fact", "load", "people", people, "--trail", trail_dir)

    assert (tried.code, loaded.code) == (ExitCode.CHECK_FAILED, ExitCode.CHECK_FAILED)
    assert "line 3: state: must be one of employed, on_leave, left" in tried.out
    assert "people.csv.rejected.jsonl" in loaded.err
    assert "canary" not in tried.out + tried.err + loaded.out + loaded.err


@pytest.mark.parametrize(
    "options",
    [
        ("--add", "--replace"),
        ("--zone", "Atlantis/City"),
        ("--as", "Jane Doe"),
    ],
)
def test_what_does_not_fit_is_a_usage_error(
    trail_dir: Path, people: Path, phitrail: Command, options: tuple[str, ...]
) -> None:
    """A refusal names the option and says what it takes."""
    ran = phitrail("fact", "load", "people", people, "--trail", trail_dir, *options)

    assert ran.code == ExitCode.USAGE
    assert options[0] in ran.err


def test_a_list_that_is_not_loaded_cannot_be_shown(
    trail_dir: Path, phitrail: Command
) -> None:
    """An empty answer would look like an empty list."""
    shown = phitrail("fact", "show", "care", "--trail", trail_dir)
    listed = phitrail("fact", "list", "--trail", trail_dir)

    assert shown.code == ExitCode.USAGE
    assert listed.code == ExitCode.OK
    assert "phitrail fact load" in listed.err
