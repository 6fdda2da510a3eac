"""Change notes are of a known kind, and towncrier makes the changelog from them."""

import subprocess
import sys
import tomllib

from tests.docs.pages import ROOT


def test_the_draft_of_the_changelog_holds_every_note() -> None:
    """A note that towncrier passes over is a change that nobody is told of."""
    draft = subprocess.run(
        [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "9.9.9"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    kinds = {
        kind["directory"]: kind["name"]
        for kind in tomllib.loads(
            (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        )["tool"]["towncrier"]["type"]
    }
    notes = sorted((ROOT / "changes").glob("[0-9]*.*.md"))

    for note in notes:
        assert note.read_text(encoding="utf-8").strip() in draft, note.name
        assert f"### {kinds[note.name.split('.')[1]]}" in draft
    assert {"added", "changed", "fixed", "removed", "security"} == set(kinds)
