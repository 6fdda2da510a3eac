"""Put the help texts into docs/cli.md, each between its marks; the words around them stay.

python -m scripts.make_cli_doc

A block begins with a line `<!-- help: log import -->` (the command; nothing for the
program itself) and ends with `<!-- end -->`.
"""

import contextlib
import io
import os
import re
from pathlib import Path

from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.main import main

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
WIDTH = "80"

_BLOCK = re.compile(r"<!-- help:(?P<command>[a-z -]*?)-->\n.*?<!-- end -->", re.DOTALL)


def commands_of(page: str) -> tuple[str, ...]:
    """List the commands whose help a page shows."""
    return tuple(match["command"].strip() for match in _BLOCK.finditer(page))


def fill(page: str) -> str:
    """Return the page with every help text as the program prints it now."""

    def block(match: re.Match[str]) -> str:
        command = match["command"].strip()
        mark = f"<!-- help: {command} -->" if command else "<!-- help: -->"
        return f"{mark}\n```text\n{help_text(command)}\n```\n<!-- end -->"

    return _BLOCK.sub(block, page)


def help_text(command: str) -> str:
    """Print a command's help, 80 columns wide.

    Raises:
        ValueError: there is no such command.
    """
    before = {name: os.environ.get(name) for name in ("COLUMNS", "PHITRAIL_TRAIL")}
    written = io.StringIO()
    try:
        os.environ["COLUMNS"] = WIDTH
        os.environ.pop("PHITRAIL_TRAIL", None)
        with contextlib.redirect_stdout(written):
            code = main([*command.split(), "--help"])
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
    if code != ExitCode.OK:
        raise ValueError(command)
    return written.getvalue().rstrip("\n")


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {PAGE.name}")
