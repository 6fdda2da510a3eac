"""The help texts are reviewed as text, and complete."""

import pytest
from tests.cli.help_texts import COMMANDS, GOLDENS, golden_of, help_text


@pytest.mark.parametrize("command", COMMANDS)
def test_a_help_text_is_the_reviewed_one(command: str) -> None:
    """What people read first must not change unseen (python -m tests.cli.help_texts)."""
    assert golden_of(command).read_text(encoding="utf-8") == help_text(command)


def test_every_command_has_a_golden_and_an_example() -> None:
    """A command that nobody listed would have no reviewed help and no example."""
    goldens = {
        path.name: path.read_text(encoding="utf-8") for path in GOLDENS.iterdir()
    }

    assert {golden_of(command).name for command in COMMANDS} == set(goldens)
    for text in goldens.values():
        assert "Examples:" in text or "Commands:" in text
    for parent in ("", "log"):
        listed = golden_of(parent).read_text(encoding="utf-8").split("Commands:\n")[1]
        names = {line.split()[0] for line in listed.split("\n\n")[0].splitlines()}
        expected = {
            c.removeprefix(parent).split()[0]
            for c in COMMANDS
            if c.startswith(parent) and c != parent
        }
        assert expected == names
