"""docs/importing.md runs as it stands, and knows every field, key and verdict."""

import re
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, commands_in, first_cells

from phitrail.capture.history.chain import ChainVerdict
from phitrail.capture.history.form import HistoryForm
from phitrail.capture.history.map_file import FIELD_KEYS, MAP_KEYS
from phitrail.capture.history.targets import TARGETS
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.main import main

PAGE = DOCS / "importing.md"
_STEP = re.compile(
    r"(?:<!-- file: (?P<file>[a-z.-]+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_DRAWN = re.compile(r"^(file sha256|on record as) +\S+$", re.MULTILINE)


def test_every_example_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever moves six years of records copies these lines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PHITRAIL_TRAIL", raising=False)
    printed, shown = "", 0
    for step in _STEP.finditer(PAGE.read_text(encoding="utf-8")):
        if step["file"]:
            Path(step["file"]).write_text(step["text"], encoding="utf-8")
        elif step["kind"] == "sh":
            capsys.readouterr()
            _run(step["text"])
            printed = capsys.readouterr().out
        elif step["kind"] == "text":
            shown += 1
            assert _masked(step["text"]) == _masked(printed), step["text"]

    assert shown >= len(HistoryForm)


def _run(shell: str) -> None:
    for line in shell.splitlines():
        expected = ExitCode.CHECK_FAILED if "exit 1" in line else ExitCode.OK
        for command in commands_in(line):
            assert main(command) == expected, line


def _masked(text: str) -> str:
    return _DRAWN.sub(r"\1", text)


def test_every_verdict_is_on_the_page() -> None:
    """A code on record that nobody can look up says nothing to an auditor."""
    assert sorted(ChainVerdict) == sorted(first_cells(PAGE, "## The verdict")[1:])


def test_every_key_of_a_map_is_on_the_page() -> None:
    """A key that is not explained is guessed at."""
    page = PAGE.read_text(encoding="utf-8")
    tables = page.split("## The map")[1].split("## What is never")[0]

    assert not [
        key for key in (*MAP_KEYS, *FIELD_KEYS) if f"\n| `{key}` |" not in tables
    ]


def test_every_target_is_on_the_page() -> None:
    """The error for an unknown field sends people here."""
    page = PAGE.read_text(encoding="utf-8")

    assert not [name for name in TARGETS if f"`{name}`" not in page]
