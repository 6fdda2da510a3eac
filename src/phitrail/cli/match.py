"""`phitrail log match`: is this text in the log?

The text comes from standard input and from nowhere else: an argument would stay in the
history of the shell and in the list of processes. It is printed nowhere, also not as part
of a usage error. The tables (DuckDB) are loaded only when the verb runs.
"""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from phitrail.app import clock
from phitrail.app.break_glass import run_for_reading
from phitrail.app.proof_files import check_is_new, write_proof_files
from phitrail.app.reading import system_user
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import (
    DEFAULT_TRAIL,
    STANDARD_INPUT,
    AsJson,
    BreakGlass,
    OneLog,
    Reader,
    TrailDirectory,
    examples,
)
from phitrail.cli.output import Output
from phitrail.errors import InputError
from phitrail.events.codes import Log
from phitrail.events.protected import Protected

DEFAULT_ENTRIES: Final = 100
MAX_TEXT_BYTES: Final = 16 << 20


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog=examples(
            "phitrail log match --answer - < pasted.txt",
            "phitrail log match --query - --prove proofs < question.txt",
        ),
        # A text given as an argument must reach us, not the words of a usage error.
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(match)


def match(
    context: typer.Context,
    query: Annotated[
        str | None,
        typer.Option("--query", metavar="-", help="Standard input holds a question."),
    ] = None,
    answer: Annotated[
        str | None,
        typer.Option("--answer", metavar="-", help="Standard input holds an answer."),
    ] = None,
    limit: Annotated[
        int, typer.Option("-n", metavar="N", min=1, help="How many entries at most.")
    ] = DEFAULT_ENTRIES,
    prove: Annotated[
        Path | None,
        typer.Option(
            "--prove", metavar="DIR", help="Write a proof of each entry into DIR."
        ),
    ] = None,
    log: OneLog = Log.AUDIT,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Reader = None,
    break_glass: BreakGlass = None,
    as_json: AsJson = False,
) -> int:
    """Say whether a pasted question or answer is in the log, and prove where.

    The text is read from standard input, hashed under every key version, and kept
    nowhere. Exit code 0: found; 1: not in this log. An exact match is the very text; a
    normalised one differs in case, spacing or compatible characters.
    """
    from phitrail.app.matching import Side, match_text
    from phitrail.cli.matches import print_matching

    if context.args:
        raise InputError.for_field("(arguments)", "takes options only; no text")
    output = Output(as_json)
    side = Side.QUERY if _is_asked(query, answer) else Side.ANSWER
    if prove is not None:
        check_is_new(prove)
    who = by or system_user()
    with run_for_reading(trail, by=who, break_glass=break_glass) as running:
        matching = match_text(
            running,
            _pasted(output, f"--{side}"),
            side,
            log=log,
            limit=limit,
            by=who,
            now=clock.now(),
        )
        if prove is not None:
            vkey = str(running.parts.log_keys[log.value].checkpoint.vkey)
            write_proof_files(prove, matching.proofs, [vkey])
    print_matching(output, matching, prove)
    return ExitCode.OK if matching.entries else ExitCode.CHECK_FAILED


def _is_asked(query: str | None, answer: str | None) -> bool:
    """Say whether the text is a question; exactly one of the two must be `-`."""
    if (query is None) == (answer is None):
        raise InputError.for_field("--query, --answer", "give one of them")
    for field, given in (("--query", query), ("--answer", answer)):
        if given not in (None, STANDARD_INPUT):
            raise InputError.for_field(
                field, "must be - : the text is read from standard input only"
            )
    return query is not None


def _pasted(output: Output, field: str) -> Protected[str]:
    """Read the text as the bytes that were pasted, line breaks and all."""
    if sys.stdin.isatty():
        output.say("paste the text, then press Ctrl-D on a line of its own")
    data = sys.stdin.buffer.read(MAX_TEXT_BYTES + 1)
    if not 0 < len(data) <= MAX_TEXT_BYTES:
        raise InputError.for_field(field, f"1 to {MAX_TEXT_BYTES} bytes of text")
    text = data.decode(errors="surrogateescape")
    if any("\udc80" <= char <= "\udcff" for char in text):
        raise InputError.for_field(field, "must be text in UTF-8")
    return Protected(text)
