"""The entry point: run a command, and turn what went wrong into one line and a code.

1. A mistake of the user, or anything else that phitrail raises on purpose, is one line
   `error: ...` on stderr (with `--json`: one JSON object) and the code of its kind.
2. Anything unexpected is our bug: its type and its place are printed, never its message,
   which may hold what it was working on.
3. A closed pipe ends quietly, an interrupt with 130.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

import phitrail
from phitrail.cli import (
    alert,
    anchor,
    fact,
    guard,
    key,
    log,
    quality,
    rule,
    source,
    top,
    witness,
)
from phitrail.cli.exit_codes import ExitCode, code_of
from phitrail.cli.options import examples
from phitrail.errors import InputError, PhitrailError

app = typer.Typer(
    name="phitrail",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "phitrail demo",
        "phitrail init --tenant hospital.example --recovery-out recovery.key",
        "phitrail verify --checkpoint /media/officer/audit.checkpoint",
    ),
)
top.add_to(app)
app.add_typer(log.app, name="log")
app.add_typer(anchor.app, name="anchor")
app.add_typer(key.app, name="key")
app.add_typer(witness.app, name="witness")
app.add_typer(source.app, name="source")
app.add_typer(fact.app, name="fact")
app.add_typer(guard.app, name="guard")
app.add_typer(rule.app, name="rule")
app.add_typer(alert.app, name="alert")
app.add_typer(quality.app, name="quality")


def _print_version(is_asked: bool) -> None:
    if is_asked:
        sys.stdout.write(f"phitrail {version('phitrail')}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def phitrail_command(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Keep a metadata-only, tamper-evident record of every AI access to PHI.

    Exit codes: 0 ok; 1 a check failed; 2 usage; 3 cannot be verified; 70 a bug of ours;
    75 try again; 77 refused; 78 configuration.
    """
    log.require_verb(context)


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    as_json = "--json" in arguments
    try:
        result = app(args=list(arguments), prog_name="phitrail", standalone_mode=False)
        sys.stdout.flush()
    except PhitrailError as error:
        return _report(error, code_of(error), as_json)
    except typer.TyperException as error:
        usage = InputError(" ".join(error.format_message().split()))
        return _report(usage, ExitCode.USAGE, as_json)
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return _end_quietly()
    except SystemExit as stop:
        # Typer ends with 1 on a closed pipe, which would say that a check failed.
        if isinstance(stop.__context__, BrokenPipeError):
            return _end_quietly()
        raise
    except Exception as error:  # noqa: BLE001 - the top of the program (rule 2)
        return _report_bug(error, as_json)
    return int(result or ExitCode.OK)


def run() -> NoReturn:
    """Run the command of this process."""
    sys.exit(main(sys.argv[1:]))


def _report(error: PhitrailError, code: ExitCode, as_json: bool) -> ExitCode:
    if as_json:
        written = {"kind": type(error).__name__, "message": str(error), "exit": code}
        if isinstance(error, InputError) and error.field:
            written |= {"field": error.field, "rule": error.rule}
        _complain(msgspec.json.encode({"error": written}).decode())
    else:
        _complain(f"error: {error}")
    return code


def _report_bug(error: Exception, as_json: bool) -> ExitCode:
    message = (
        f"this is a bug in phitrail: {type(error).__name__} at {_place_of(error)}; "
        "please report this line and `phitrail --version`"
    )
    if as_json:
        written = {"kind": "Bug", "message": message, "exit": ExitCode.BUG}
        _complain(msgspec.json.encode({"error": written}).decode())
    else:
        _complain(f"error: {message}")
    return ExitCode.BUG


def _place_of(error: Exception) -> str:
    """Say where in our code an exception came up: file and line, no content."""
    home = Path(phitrail.__file__).parent
    place = "an unknown place"
    for frame in traceback.extract_tb(error.__traceback__):
        file = Path(frame.filename)
        if file.is_relative_to(home):
            place = f"phitrail/{file.relative_to(home)}:{frame.lineno}"
    return place


def _complain(line: str) -> None:
    sys.stderr.write(line + "\n")


def _end_quietly() -> ExitCode:
    """Let the interpreter flush into nothing; nobody reads us any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.PIPE_CLOSED
