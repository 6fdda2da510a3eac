"""What several verbs share: options, arguments, how they are read, examples for help."""

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from phitrail.events.codes import Log
from phitrail.events.protected import Protected

TrailDirectory = Annotated[
    Path,
    typer.Option(
        "--trail",
        metavar="DIR",
        envvar="PHITRAIL_TRAIL",
        help="The trail's directory.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
OneLog = Annotated[Log, typer.Option("--log", help="Which log.")]
Reader = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="USER",
        help="Who reads, as the audit log will name them.  [default: the system user]",
    ),
]
BreakGlass = Annotated[
    str | None,
    typer.Option(
        "--break-glass",
        metavar="REASON",
        help="Open what a compromised key sealed, too; why is recorded first.",
    ),
]
Entry = Annotated[
    str,
    typer.Argument(metavar="INDEX|EVENT_ID", help="Which entry.", show_default=False),
]
DEFAULT_TRAIL = Path("phitrail")


STANDARD_INPUT: Final = "-"
"""What stands for it in an argument."""


def option(name: str, metavar: str, text: str) -> Any:  # noqa: ANN401 - typer's own
    """Describe an option by its name, what it takes and what it is for."""
    return typer.Option(name, metavar=metavar, help=text)


def read_identifier(given: str | None) -> Protected[str] | None:
    """Take an identifier; `-` reads one line of standard input, out of shell histories."""
    if given == STANDARD_INPUT:
        return Protected(sys.stdin.readline().rstrip("\r\n"))
    return None if given is None else Protected(given)


def examples(*commands: str) -> str:
    """Write the examples that end a help text, each on a line of its own."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)
