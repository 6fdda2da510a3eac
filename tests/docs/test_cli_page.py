"""docs/cli.md prints the real help texts, every command and every exit code."""

import json
from pathlib import Path

import msgspec
from scripts.make_cli_doc import PAGE, commands_of, fill
from tests.cli.help_texts import COMMANDS
from tests.docs.pages import blocks, first_cells

from phitrail.app.export import ExportFormat
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.main import main


def test_every_help_text_is_the_one_that_the_program_prints() -> None:
    """Documented options that do not exist cost more than none (make docs)."""
    page = PAGE.read_text(encoding="utf-8")

    assert fill(page) == page


def test_every_command_is_on_the_page() -> None:
    """A command without a page is found by nobody."""
    assert sorted(COMMANDS) == sorted(commands_of(PAGE.read_text(encoding="utf-8")))


def test_every_exit_code_is_on_the_page() -> None:
    """Scripts rely on these numbers."""
    page = PAGE.read_text(encoding="utf-8")

    assert [str(code.value) for code in ExitCode] == first_cells(PAGE, "## Exit codes")[
        1:
    ]
    for code in ExitCode:
        assert f"| {code.value} | {code.name} |" in page


def test_every_format_of_an_export_is_on_the_page() -> None:
    """A format that is not explained is guessed at."""
    assert [form.value for form in ExportFormat] == first_cells(PAGE, "### log export")[
        1:
    ]


def test_the_line_for_an_import_is_one_that_is_recorded(
    trail_dir: Path, tmp_path: Path
) -> None:
    """The first line that somebody writes is the one that is copied from here."""
    (line,) = blocks(PAGE, "json")
    file = tmp_path / "events.jsonl"
    file.write_text(line, encoding="utf-8")

    assert main(["log", "import", str(file), "--trail", str(trail_dir)]) == ExitCode.OK
    assert json.loads(line) == msgspec.json.decode(line)
