"""Every help text, as it is printed; run this file to write the goldens anew.

python -m tests.cli.help_texts
"""

import contextlib
import io
import os
from pathlib import Path
from unittest import mock

from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.main import main

GOLDENS = Path(__file__).with_name("help")
COMMANDS = (
    "",
    "init",
    "status",
    "verify",
    "demo",
    "log",
    "log import",
    "log show",
    "log tail",
    "log prove",
    "log export",
    "log query",
    "log match",
    "log unclosed",
    "log rebuild",
    "anchor",
    "anchor add",
    "anchor list",
    "anchor run",
    "fact",
    "fact load",
    "fact list",
    "fact show",
    "key",
    "key list",
    "key create",
    "key rotate",
    "key compromise",
    "key suspend",
    "key destroy",
    "key except",
    "key show",
    "key due",
    "key uses",
    "key recover",
    "source",
    "source add",
    "source list",
    "source statement",
    "source completeness",
    "source reconcile",
    "quality",
    "quality summary",
    "quality trend",
    "quality compare",
    "quality report",
    "quality watch",
    "quality accept",
    "guard",
    "guard scan",
    "guard eval",
    "witness",
    "witness init",
    "witness add-log",
    "witness list",
    "witness serve",
    "rule",
    "rule list",
    "rule lint",
    "rule test",
    "rule fields",
    "rule backtest",
    "alert",
    "alert list",
    "alert show",
    "alert assign",
    "alert close",
    "alert stats",
)


def golden_of(command: str) -> Path:
    """Name the golden of one command."""
    return GOLDENS / f"{'-'.join(['phitrail', *command.split()])}.txt"


def help_text(command: str) -> str:
    """Run a command with --help, 80 columns wide."""
    written = io.StringIO()
    with (
        mock.patch.dict(os.environ, {"COLUMNS": "80"}),
        contextlib.redirect_stdout(written),
    ):
        os.environ.pop("PHITRAIL_TRAIL", None)
        if main([*command.split(), "--help"]) != ExitCode.OK:
            raise ValueError("no such command")
    return written.getvalue()


if __name__ == "__main__":
    for each in COMMANDS:
        golden_of(each).write_text(help_text(each), encoding="utf-8")
