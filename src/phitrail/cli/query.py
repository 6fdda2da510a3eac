"""`phitrail log query` and `phitrail log rebuild`: ask the tables, make them anew.

An answer goes to stdout as a table, JSON lines, CSV or Parquet; what it covers (`as_of`)
and where the next page begins go to stderr, or with `--json` into the one object.
"""

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import typer

from phitrail.app import clock
from phitrail.app.query import Answer, Question, ask, write_proofs
from phitrail.app.query_filter import DEFAULT_ROWS, Filter
from phitrail.app.reading import system_user
from phitrail.app.running import run_trail
from phitrail.app.tables import rebuild_tables
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import (
    DEFAULT_TRAIL,
    AsJson,
    OneLog,
    Reader,
    TrailDirectory,
    examples,
)
from phitrail.cli.output import Output
from phitrail.errors import InputError
from phitrail.events.codes import Action, EventType, Log, Outcome
from phitrail.events.ids import format_time
from phitrail.events.protected import Protected

STANDARD_INPUT = "-"


class AnswerFormat(StrEnum):
    """In which form rows are written."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


def _option(name: str, metavar: str, text: str) -> Any:  # noqa: ANN401 - typer's own
    return typer.Option(name, metavar=metavar, help=text)


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
    user: Annotated[str | None, _option("--user", "USER", "Who acted.")] = None,
    patient: Annotated[
        str | None, _option("--patient", "SURROGATE", "Which patient, by surrogate.")
    ] = None,
    patient_id: Annotated[
        str | None,
        _option("--patient-id", "ID|-", "Which patient, by identifier; - reads stdin."),
    ] = None,
    record: Annotated[
        str | None, _option("--record", "SURROGATE", "Which record, by surrogate.")
    ] = None,
    record_id: Annotated[
        str | None,
        _option("--record-id", "ID|-", "Which record, by identifier; - reads stdin."),
    ] = None,
    resource_type: Annotated[
        str | None, _option("--resource-type", "TYPE", "Which FHIR resource type.")
    ] = None,
    event_type: Annotated[
        EventType | None, _option("--event-type", "TYPE", "What happened.")
    ] = None,
    action: Annotated[
        Action | None, _option("--action", "ACTION", "What was done.")
    ] = None,
    outcome: Annotated[
        Outcome | None, _option("--outcome", "OUTCOME", "How it ended.")
    ] = None,
    use_case: Annotated[str | None, _option("--use-case", "TERM", "For what.")] = None,
    model: Annotated[str | None, _option("--model", "MODEL", "Which model.")] = None,
    department: Annotated[
        str | None, _option("--department", "TERM", "Which department.")
    ] = None,
    session: Annotated[str | None, _option("--session", "ID", "Which session.")] = None,
    request: Annotated[str | None, _option("--request", "ID", "Which request.")] = None,
    access: Annotated[str | None, _option("--access", "UUID", "Which access.")] = None,
    source: Annotated[str | None, _option("--source", "ID", "Which source.")] = None,
    since: Annotated[
        str | None, _option("--since", "TIME", "From this time or day (UTC) on.")
    ] = None,
    until: Annotated[
        str | None, _option("--until", "TIME", "Before this time or day (UTC).")
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
        _option("--sql", "SELECT", "One SELECT over the views of docs/tables.md."),
    ] = None,
    after: Annotated[
        int | None, _option("--after", "INDEX", "Go on after this entry (paging).")
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
    as_json: AsJson = False,
) -> int:
    """Ask a log anything; what is given must all hold.

    The question is itself recorded in the audit log, before anything is shown. Rows name
    patients by surrogates; looking an identifier up is recorded and limited by policy.
    """
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
        _identifier(patient_id),
        _identifier(record_id),
        all_columns,
    )
    if out is not None and out.exists():
        raise InputError.for_field("--out", "must not exist yet")
    if form is AnswerFormat.PARQUET and out is None:
        raise InputError.for_field("--out", "is needed for parquet")
    with run_trail(trail) as running:
        answer = ask(running.parts, question, by=by or system_user(), now=clock.now())
        proven = None if prove is None else write_proofs(running, answer, prove)
    _print_answer(output, answer, form, out, proven)
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


def _identifier(given: str | None) -> Protected[str] | None:
    if given == STANDARD_INPUT:
        return Protected(sys.stdin.readline().rstrip("\r\n"))
    return None if given is None else Protected(given)


def _moment(field: str, given: str | None) -> str | None:
    """Write a day or a time in the one written form."""
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise InputError.for_field(
            field, "a day or a time in UTC, as 2026-11-21 or 2026-11-21T08:30:00Z"
        ) from None
    return format_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _print_answer(
    output: Output,
    answer: Answer,
    form: AnswerFormat,
    out: Path | None,
    proven: int | None,
) -> None:
    if output.as_json and out is None:
        facts: dict[str, object] = {
            "log": answer.log,
            "as_of": answer.as_of,
            "next_after": answer.next_after,
            "rows": [_plain(row) for row in answer.rows.to_pylist()],
        }
        output.data(facts if proven is None else facts | {"proven": proven})
        return
    if out is not None:
        with out.open("xb") as file:
            _write(answer.rows, form, file)
    elif form is AnswerFormat.TABLE:
        _print_table(output, answer.rows)
    else:
        _write(answer.rows, form, sys.stdout.buffer)
    sizes = ", ".join(f"{log} {size}" for log, size in answer.as_of.items())
    output.say(f"{answer.rows.num_rows} rows as of {sizes}")
    if proven is not None:
        output.say(f"{proven} entries are proven")
    if answer.next_after is not None:
        output.say(f"more: --after {answer.next_after}")


def _print_table(output: Output, rows: pa.Table) -> None:
    names = [n for n in rows.column_names if rows[n].null_count < rows.num_rows]
    names = names or rows.column_names
    output.table(
        [
            f"{n}#" if pa.types.is_integer(rows.schema.field(n).type) else n
            for n in names
        ],
        [
            ["" if row[n] is None else _text(row[n]) for n in names]
            for row in rows.to_pylist()
        ],
    )


def _text(value: object) -> str:
    plain = _plain_value(value)
    return plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()


def _write(rows: pa.Table, form: AnswerFormat, file: Any) -> None:  # noqa: ANN401
    if form is AnswerFormat.PARQUET:
        pyarrow.parquet.write_table(_written(rows), file)
    elif form is AnswerFormat.CSV:
        pyarrow.csv.write_csv(_written(rows), file)
    else:
        for row in rows.to_pylist():
            file.write(msgspec.json.encode(_plain(row)) + b"\n")
        file.flush()


def _written(rows: pa.Table) -> pa.Table:
    """Write what CSV and other readers do not know (UUIDs, lists) as text."""
    for place, field in enumerate(rows.schema):
        is_plain = not pa.types.is_nested(field.type) and not isinstance(
            field.type, pa.BaseExtensionType
        )
        if not is_plain:
            texts = [
                None if v is None else _text(v) for v in rows[field.name].to_pylist()
            ]
            rows = rows.set_column(place, field.name, pa.array(texts, pa.string()))
    return rows


def _plain(row: dict[str, object]) -> dict[str, object]:
    return {
        name: _plain_value(value) for name, value in row.items() if value is not None
    }


def _plain_value(value: object) -> object:
    if isinstance(value, datetime):
        return format_time(value if value.tzinfo else value.replace(tzinfo=UTC))
    return msgspec.to_builtins(value)
