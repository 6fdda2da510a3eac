"""The documents as data: pages, code blocks, tables, links, commands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from phitrail.cli.main import app

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
ADRS = DOCS / "adr"

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def pages() -> list[Path]:
    """List every page that people read."""
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("changes/*.md")])


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of one language, in order."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for marked, text in found if marked == language]


def links(page: Path) -> list[str]:
    """Return the targets of a page's links, outside its code."""
    return _LINK.findall(_BLOCK.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """Name the headings of a page as links name them."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    words = (re.sub(r"[^\w\- ]", "", found.lower()) for found in _HEADING.findall(text))
    return {word.strip().replace(" ", "-") for word in words}


def first_cells(page: Path, heading: str) -> list[str]:
    """Return the first cells of the table under a heading, the column's name first.

    Marks around a name (`backquotes`, *stars*, a remark in brackets) are taken off.
    """
    text = "\n" + page.read_text(encoding="utf-8")
    section = text.split(f"\n{heading}\n", 1)[1]
    section = re.split(r"^#+ ", section, maxsplit=1, flags=re.MULTILINE)[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    cells = [line.split("|")[1].strip() for line in rows]
    return [cell.split(" ")[0].strip("`") for cell in cells if cell]


def commands_in(text: str) -> Iterator[list[str]]:
    """Give the words of every `phitrail` command in a block of shell lines."""
    for line in text.replace("\\\n", " ").splitlines():
        for command in line.split(" | "):
            words = shlex.split(command, comments=True)
            if words[:1] == ["phitrail"]:
                yield words[1:]


def parse_command(words: list[str]) -> str:
    """Parse a command without running it; return its name.

    Raises:
        TyperException: the program does not know it.
    """
    command: Any = get_command(app)
    parent: Any = None
    name = "phitrail"
    while True:
        context = command.make_context(name, list(words), parent=parent)
        subcommands = getattr(command, "commands", None)
        if subcommands is None:
            return str(context.command_path)
        words = [*context._protected_args, *context.args]
        if not words:
            return str(context.command_path)
        name, command, words = command.resolve_command(context, words)
        parent = context
