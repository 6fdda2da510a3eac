"""`phitrail source statement`, and what `phitrail verify --statement` says of one."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from phitrail.app import clock
from phitrail.app.pins import read_lines
from phitrail.app.reading import system_user
from phitrail.app.running import run_trail
from phitrail.app.statement_checks import check_statement
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import (
    DEFAULT_TRAIL,
    AsJson,
    Reader,
    TrailDirectory,
    examples,
    option,
    read_identifier,
)
from phitrail.cli.output import Output
from phitrail.cli.times import parse_moment
from phitrail.errors import InputError, StorageError
from phitrail.events.codes import Log
from phitrail.events.ids import parse_time
from phitrail.evidence.completeness_statement import Statement, open_statement

A_WEEK: Final = timedelta(days=7)


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog=examples(
            "phitrail source statement --from 2026-11-14 --to 2026-11-21 --out week.note",
            "phitrail source statement --patient-id - --from 2026-10-01 < mrn.txt",
            "phitrail source statement --as-of week.note --json",
        )
    )(statement)


def statement(
    since: Annotated[
        str | None,
        option(
            "--from", "TIME", "From this time or day (UTC) on.  [default: a week ago]"
        ),
    ] = None,
    until: Annotated[
        str | None,
        option("--to", "TIME", "Before this time or day (UTC).  [default: now]"),
    ] = None,
    patient: Annotated[
        str | None, option("--patient", "SURROGATE", "Which patient, by surrogate.")
    ] = None,
    patient_id: Annotated[
        str | None,
        option("--patient-id", "ID|-", "Which patient, by identifier; - reads stdin."),
    ] = None,
    user: Annotated[str | None, option("--user", "USER", "Who acted.")] = None,
    source: Annotated[str | None, option("--source", "ID", "Which source.")] = None,
    as_of: Annotated[
        Path | None,
        typer.Option(
            "--as-of",
            metavar="FILE",
            help="Make this statement again, from the logs as they were then.",
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Derive the logs anew as well.")
    ] = False,
    out: Annotated[
        Path | None,
        option("--out", "FILE", "Write the signed statement there; a new file."),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Reader = None,
    as_json: AsJson = False,
) -> int:
    """Say what is known of a window, and what is known to be missing; signed.

    Events and accesses are narrowed to the patient, user and source. What is missing is not
    narrowed to a person: a number that never came belongs to nobody. Exit code 1 if
    anything is known to be missing, differs, or is open and treated as released.
    """
    from phitrail.app.completeness_statement import (  # noqa: PLC0415 - loads DuckDB
        Asked,
        make_statement,
    )

    output = Output(as_json)
    if out is not None and out.exists():
        raise InputError.for_field("--out", "must not exist yet")
    if as_of is not None and any((since, until, patient, patient_id, user, source)):
        raise InputError.for_field("--as-of", "says what is asked; leave the rest out")
    now = clock.now()
    again = None
    asked = Asked(
        parse_moment("--from", since) if since else now - A_WEEK,
        parse_moment("--to", until) if until else now,
        patient,
        read_identifier(patient_id),
        user,
        source,
    )
    if as_of is not None:
        again = open_statement(
            read_note(as_of, "--as-of"), read_lines(trail)[Log.AUDIT]
        )
        scope = again.known.scope
        asked = Asked(
            parse_time(scope.since),
            parse_time(scope.until),
            scope.patient,
            None,
            scope.user,
            scope.source,
        )
    with run_trail(trail) as running:
        made = make_statement(
            running.parts,
            asked,
            by=by or system_user(),
            now=now,
            again=again,
            is_verifying=verify,
        )
    if out is not None:
        _write(out, made.note)
    if as_json:
        output.data({"statement": made.statement, "note": made.note.decode()})
    else:
        output.line(made.statement.words)
        if out is not None:
            output.say(f"the signed statement is in {out}")
    return ExitCode.OK if made.statement.known.is_complete else ExitCode.CHECK_FAILED


def check_statements(
    output: Output, trail: Path, files: list[Path]
) -> list[tuple[Path, Statement]]:
    """Check statements against a trail or a copy; print what they say.

    Raises:
        IntegrityError: one does not verify.
        UnverifiableError: one speaks of more than is published here.
    """
    checked = []
    for place in files:
        found = check_statement(trail, read_note(place, "--statement"))
        checked.append((place, found))
        if not output.as_json:
            made = found.made
            output.line(
                f"{place}: signed by this trail, made {made.at} by {made.by}, and the "
                "logs here have the roots that it names. It says:"
            )
            output.line(found.words)
    return checked


def statements_object(checked: list[tuple[Path, Statement]]) -> list[object]:
    """Write checked statements as JSON."""
    return [{"file": str(place), "statement": found} for place, found in checked]


def read_note(place: Path, option: str) -> bytes:
    """Read a signed statement.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return place.read_bytes()
    except OSError as error:
        raise InputError.for_field(
            option, f"{place} cannot be read ({error.strerror})"
        ) from None


def _write(place: Path, data: bytes) -> None:
    try:
        with place.open("xb") as file:
            file.write(data)
    except OSError as error:
        raise StorageError(f"cannot write {place}: {error.strerror}") from error
