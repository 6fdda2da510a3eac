"""`phitrail log query` and `phitrail log rebuild`: ask the tables, make them anew.

DuckDB and PyArrow are loaded when one of them runs, not by every other command.
"""

from pathlib import Path
from typing import Annotated

import typer

from phitrail.app import clock
from phitrail.app.break_glass import run_for_reading
from phitrail.app.query_filter import DEFAULT_ROWS, Filter
from phitrail.app.reading import system_user
from phitrail.cli.answer_format import AnswerFormat
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import (
    DEFAULT_TRAIL,
    AsJson,
    BreakGlass,
    OneLog,
    Reader,
    TrailDirectory,
    examples,
    option,
    read_identifier,
)
from phitrail.cli.output import Output
from phitrail.cli.times import parse_moment
from phitrail.errors import InputError
from phitrail.events.codes import Action, EventType, Log, Outcome
from phitrail.events.ids import format_time


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command(
        epilog=examples(
            "phitrail log query --user dr-0012 --since 2026-11-01",
            "phitrail log query --patient-id - --timeline --prove proofs < mrn.txt",
            "phitrail log query --event-type phi_access_denied --format csv",
            "phitrail log query --sql 'SELECT use_case, count(*) FROM accesses GROUP BY 1'",
        )
    )(query)
    app.command(
        epilog=examples("phitrail log rebuild", "phitrail log rebuild --log audit")
    )(rebuild)


def query(
    user: Annotated[str | None, option("--user", "USER", "Who acted.")] = None,
    patient: Annotated[
        str | None, option("--patient", "SURROGATE", "Which patient, by surrogate.")
    ] = None,
    patient_id: Annotated[
        str | None,
        option("--patient-id", "ID|-", "Which patient, by identifier; - reads stdin."),
    ] = None,
    record: Annotated[
        str | None, option("--record", "SURROGATE", "Which record, by surrogate.")
    ] = None,
    record_id: Annotated[
        str | None,
        option("--record-id", "ID|-", "Which record, by identifier; - reads stdin."),
    ] = None,
    resource_type: Annotated[
        str | None, option("--resource-type", "TYPE", "Which FHIR resource type.")
    ] = None,
    event_type: Annotated[
        EventType | None, option("--event-type", "TYPE", "What happened.")
    ] = None,
    action: Annotated[
        Action | None, option("--action", "ACTION", "What was done.")
    ] = None,
    outcome: Annotated[
        Outcome | None, option("--outcome", "OUTCOME", "How it ended.")
    ] = None,
    use_case: Annotated[str | None, option("--use-case", "TERM", "For what.")] = None,
    model: Annotated[str | None, option("--model", "MODEL", "Which model.")] = None,
    department: Annotated[
        str | None, option("--department", "TERM", "Which department.")
    ] = None,
    session: Annotated[str | None, option("--session", "ID", "Which session.")] = None,
    request: Annotated[str | None, option("--request", "ID", "Which request.")] = None,
    access: Annotated[str | None, option("--access", "UUID", "Which access.")] = None,
    source: Annotated[str | None, option("--source", "ID", "Which source.")] = None,
    since: Annotated[
        str | None, option("--since", "TIME", "From this time or day (UTC) on.")
    ] = None,
    until: Annotated[
        str | None, option("--until", "TIME", "Before this time or day (UTC).")
    ] = None,
    timeline: Annotated[
        bool,
        typer.Option(
            "--timeline",
            help="Add every entry of the accesses found; in order of time.",
        ),
    ] = False,
    sql: Annotated[
        str | None,
        option("--sql", "SELECT", "One SELECT over the views of docs/tables.md."),
    ] = None,
    after: Annotated[
        int | None, option("--after", "INDEX", "Go on after this entry (paging).")
    ] = None,
    limit: Annotated[
        int, typer.Option("-n", metavar="N", min=1, help="How many entries at most.")
    ] = DEFAULT_ROWS,
    all_columns: Annotated[
        bool, typer.Option("--all-columns", help="Show every column of the log.")
    ] = False,
    form: Annotated[
        AnswerFormat, typer.Option("--format", help="In which form.")
    ] = AnswerFormat.TABLE,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to.  [default: stdout]"),
    ] = None,
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
    """Ask a log anything; what is given must all hold.

    The question is itself recorded in the audit log, before anything is shown. Rows name
    patients by surrogates; looking an identifier up is recorded and limited by policy.
    """
    from phitrail.app.query import Question, ask, write_proofs
    from phitrail.cli.answers import print_answer

    output = Output(as_json)
    question = Question(
        Filter(
            log=log,
            user=user,
            patient=patient,
            record=record,
            resource_type=resource_type,
            event_type=event_type,
            action=action,
            outcome=outcome,
            use_case=use_case,
            model=model,
            department=department,
            session=session,
            request=request,
            access=access,
            source=source,
            since=_moment("--since", since),
            until=_moment("--until", until),
            with_accesses=timeline,
            sql=sql,
            after=-1 if after is None else after,
            limit=limit,
        ),
        read_identifier(patient_id),
        read_identifier(record_id),
        all_columns,
    )
    if out is not None and out.exists():
        raise InputError.for_field("--out", "must not exist yet")
    if form is AnswerFormat.PARQUET and out is None:
        raise InputError.for_field("--out", "is needed for parquet")
    who = by or system_user()
    with run_for_reading(trail, by=who, break_glass=break_glass) as running:
        answer = ask(running.parts, question, by=who, now=clock.now())
        proven = None if prove is None else write_proofs(running, answer, prove)
    print_answer(output, answer, form, out, proven)
    return ExitCode.OK


def rebuild(
    log: Annotated[
        list[Log] | None,
        typer.Option(
            "--log", metavar="LOG", help="Rebuild this log only; may be repeated."
        ),
    ] = None,
    processes: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many share the work.")
    ] = 2,
    trail: TrailDirectory = DEFAULT_TRAIL,
    as_json: AsJson = False,
) -> int:
    """Throw the tables away and make them anew from the log alone."""
    from phitrail.app.tables import rebuild_tables

    output = Output(as_json)
    logs = tuple(dict.fromkeys(log)) if log else tuple(Log)
    with output.progress("entries") as progress:
        made = rebuild_tables(trail, logs, processes=processes, progress=progress)
    if as_json:
        output.data(
            {
                "logs": [
                    {"log": name, "entries": m.size, "segments": len(m.segments)}
                    for name, m in made.items()
                ]
            }
        )
    else:
        output.table(
            ("log", "entries#", "segments#"),
            [(name, m.size, len(m.segments)) for name, m in made.items()],
        )
    return ExitCode.OK


def _moment(field: str, given: str | None) -> str | None:
    """Write a day or a time in the one written form."""
    return None if given is None else format_time(parse_moment(field, given))
