"""The options and arguments that several verbs share, and examples for their help."""

from pathlib import Path
from typing import Annotated

import typer

from phitrail.events.codes import Log

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
Entry = Annotated[
    str,
    typer.Argument(metavar="INDEX|EVENT_ID", help="Which entry.", show_default=False),
]
DEFAULT_TRAIL = Path("phitrail")


def examples(*commands: str) -> str:
    """Write the examples that end a help text, each on a line of its own."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)
