"""README is true: its commands exist, and its lines run as they stand."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import README, ROOT, blocks, commands_in

from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.main import main


def test_every_make_verb_on_a_page_is_in_the_makefile() -> None:
    """The two commands are the first thing that anybody tries."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    pages = [README, ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    verbs = {
        verb
        for page in pages
        for verb in re.findall(
            r"(?:`|^)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    }

    assert {"demo", "test"} <= verbs
    assert verbs <= targets


def test_every_verb_of_the_makefile_is_in_contributing() -> None:
    """A verb that nobody knows is not used."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE)

    assert not [verb for verb in targets if f"`make {verb}" not in page]


def test_the_first_use_runs_as_it_stands(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever copies the lines of README must get what it says, line by line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PHITRAIL_TRAIL", raising=False)
    shells = [shell for shell in blocks(README, "sh") if "phitrail" in shell]
    (example,) = blocks(README, "python")
    before, after = shells

    _run(before)
    subprocess.run(
        [sys.executable, "-W", "error", "-c", example], check=True, cwd=tmp_path
    )
    _run(after)

    out = capsys.readouterr().out
    assert "UNANCHORED" in out
    assert "access_closed" in out
    assert "Every log verifies" in out
    assert (tmp_path / "entry-1.tlog-proof").is_file()
    assert (tmp_path / "audit-export" / "checkpoint").is_file()


def _run(shell: str) -> None:
    """Run the lines of a block: ours in this process, `cp` by hand."""
    for line in shell.splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["cp"]:
            shutil.copyfile(words[1], words[2])
        for command in commands_in(line):
            assert main(command) == ExitCode.OK, line
