"""`phitrail source reconcile`: our record held against somebody else's count."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from phitrail.app import clock
from phitrail.app.reading import system_user
from phitrail.app.reconciliation import (
    OurRow,
    Reconciliation,
    ReconciliationReport,
    Refused,
    TheirRow,
    Wanted,
)
from phitrail.app.running import run_trail
from phitrail.capture.history.compared import Comparison
from phitrail.capture.history.form import HistoryForm
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, Reader, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.cli.times import parse_moment
from phitrail.errors import InputError

SHOWN_ROWS: Final = 10


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "reconcile",
        epilog=examples(
            "phitrail source reconcile --against usage.csv --from csv --map usage.yaml "
            "--by request",
            "phitrail source reconcile --against audit-events.ndjson --from fhir "
            "--by access --tolerance 60",
            "phitrail source reconcile --against /srv/usage --from audit-jsonl "
            "--by request --out differences.jsonl --json",
        ),
    )(reconcile)


def reconcile(
    against: Annotated[
        Path,
        typer.Option(
            "--against",
            metavar="FILE|DIR",
            help="What somebody else counted: a file, or a directory of files.",
        ),
    ],
    form: Annotated[
        HistoryForm, typer.Option("--from", help="The form of what they counted.")
    ],
    by: Annotated[
        Comparison,
        typer.Option(
            "--by", help="What must be equal: the request, or user and patient."
        ),
    ],
    field_map: Annotated[
        Path | None,
        typer.Option(
            "--map",
            metavar="FILE",
            help="YAML: which foreign field is which of ours; as for log import.",
        ),
    ] = None,
    tolerance_s: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            metavar="SECONDS",
            min=0,
            max=86_400,
            help="How far apart two accounts of one access may lie; with --by access."
            "  [default: reconcile_tolerance_s of policy.yaml]",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="From this time or day (UTC) on.  [default: their first entry]",
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="TIME",
            help="Before this time or day (UTC).  [default: after their last entry]",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write everything that only one side has, as JSON lines; a new file.",
        ),
    ] = None,
    reader: Reader = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    as_json: AsJson = False,
) -> int:
    """Hold our record against what somebody else counted, and name the differences.

    What only they have went past us, or we lost it. Nothing of theirs is recorded as an
    event; the outcome is. No identifier is shown: theirs by file, number and time, ours
    by index, event and time. Exit code 1 if the counts differ or an entry of theirs could
    not be compared.
    """
    from phitrail.app.reconciling import reconcile_source  # noqa: PLC0415 - loads DuckDB

    if tolerance_s is not None and by is Comparison.REQUEST:
        raise InputError.for_field("--tolerance", "goes with --by access")
    if out is not None and out.exists():
        raise InputError.for_field("--out", "exists; give a new file")
    output = Output(as_json)
    wanted = Wanted(
        path=against,
        form=form,
        map_path=field_map,
        by=by,
        tolerance_s=tolerance_s,
        since=None if since is None else parse_moment("--since", since),
        until=None if until is None else parse_moment("--until", until),
    )
    with run_trail(trail) as running, output.progress("bytes read") as progress:
        found = reconcile_source(
            running.parts,
            wanted,
            by=reader or system_user(),
            now=clock.now(),
            progress=progress,
        )
    if out is not None:
        _write(out, found)
    if as_json:
        _print_object(output, found)
    else:
        _tell(output, found)
    return ExitCode.OK if found.report.is_agreed else ExitCode.CHECK_FAILED


def _rows(found: Reconciliation) -> Iterator[tuple[str, TheirRow | OurRow | Refused]]:
    for theirs in found.theirs_only():
        yield "theirs_only", theirs
    for ours in found.ours_only():
        yield "ours_only", ours
    for refused in found.report.refused:
        yield "refused", refused


def _write(path: Path, found: Reconciliation) -> None:
    """Write all rows, for the eyes of whoever asked alone."""
    encode = msgspec.json.Encoder().encode
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            for kind, row in _rows(found):
                file.write(
                    encode({"kind": kind, **msgspec.structs.asdict(row)}) + b"\n"
                )
    except OSError as error:
        raise InputError.for_field(
            "--out",
            f"cannot be written ({error.strerror}); what came of it is recorded",
        ) from None


def _print_object(output: Output, found: Reconciliation) -> None:
    report = found.report
    first = {
        name: tuple(rows[:SHOWN_ROWS])
        for name, rows in (
            ("theirs_only", report.theirs_only),
            ("ours_only", report.ours_only),
            ("refused", report.refused),
        )
    }
    output.data(
        {
            "agrees": report.is_agreed,
            "event_id": found.event_id,
            **msgspec.structs.asdict(report),
            **first,
        }
    )


def _tell(output: Output, found: Reconciliation) -> None:
    report, counts = found.report, found.report.counts
    facts: list[tuple[str, object]] = [
        ("window", f"{report.since} to {report.until}"),
        ("matched", counts.matched),
        ("theirs only", counts.theirs_only),
        ("ours only", counts.ours_only),
    ]
    facts += [(name, count) for name, count in _beside(report) if count]
    facts += [("sha256", report.sha256), ("on record as", found.event_id)]
    output.facts(facts)
    _table(
        output,
        "theirs only: it went past us, or we lost it",
        ("file", "number#", "time"),
        [(r.file, f"{r.unit} {r.number}", r.time) for r in report.theirs_only],
        counts.theirs_only,
    )
    _table(
        output,
        "ours only: they do not count it",
        ("index#", "event", "time"),
        [(r.index, r.event_id, r.time) for r in report.ours_only],
        counts.ours_only,
    )
    _table(
        output,
        "not compared",
        ("file", "number#", "field", "rule"),
        [(r.file, r.number, r.field, r.rule) for r in report.refused],
        counts.refused,
    )
    if not report.is_agreed:
        output.say("the two accounts differ; --out FILE writes every difference")


def _beside(report: ReconciliationReport) -> tuple[tuple[str, int], ...]:
    counts = report.counts
    return (
        ("not compared", counts.refused),
        ("no openings", counts.passed_over),
        ("theirs outside", counts.outside),
        (f"ours without {_key(report)}", counts.ours_without_key),
        ("ours imported", counts.ours_imported),
    )


def _key(report: ReconciliationReport) -> str:
    return "request" if report.by is Comparison.REQUEST else "user or patient"


def _table(
    output: Output,
    title: str,
    columns: tuple[str, ...],
    rows: list[tuple[object, ...]],
    count: int,
) -> None:
    if not count:
        return
    shown = rows[:SHOWN_ROWS]
    rest = f", the first {len(shown)} of {count}" if count > len(shown) else ""
    output.line()
    output.line(f"{title}{rest}")
    output.table(columns, shown)
