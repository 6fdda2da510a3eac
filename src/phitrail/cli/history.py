"""`phitrail log import`: files of native events, and what old systems logged (`--from`)."""

from pathlib import Path
from typing import Annotated, Any

import typer

from phitrail.app import clock
from phitrail.app.importing import import_file, rejected_path
from phitrail.app.importing_history import ImportedHistory, import_history
from phitrail.app.reading import system_user
from phitrail.app.running import run_trail
from phitrail.capture.history.chain import ChainReport, ChainVerdict
from phitrail.capture.history.form import HistoryForm
from phitrail.capture.importer import Imported
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.errors import InputError

_WORDS = {
    ChainVerdict.INTACT: "intact",
    ChainVerdict.PARTIAL: "intact, but its beginning is not in this file",
    ChainVerdict.ENTRIES_INTACT: "each entry gives its hash; no entry names another",
    ChainVerdict.NOT_CHECKABLE: "cannot be checked: no known rule gives its hashes",
    ChainVerdict.ABSENT: "the file has none",
}


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "import",
        epilog=examples(
            "phitrail log import events.jsonl",
            "phitrail log import old.jsonl --from chained-jsonl",
            "phitrail log import audit.csv --from csv --map audit-map.yaml --json",
        ),
    )(import_)


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="JSON lines, an event a line; or as --from says."
        ),
    ],
    form: Annotated[
        HistoryForm | None,
        typer.Option(
            "--from",
            help="An old system's records in this form.  [default: our own events]",
            show_default=False,
        ),
    ] = None,
    field_map: Annotated[
        Path | None,
        typer.Option(
            "--map",
            metavar="FILE",
            help="YAML: which foreign field is which of ours; with --from.",
        ),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="USER",
            help="Who imports history, for the record of it.  [default: the system user]",
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Record the events of a file, each once however often it is run.

    Bad lines go to FILE.rejected.jsonl as number, field and rule; then the exit code is
    1. A line without event_id gets one that is derived from it. What a file tells is
    marked as imported.

    With --from, the records of an old system become events with its ids in
    source_event_id; its own hashes are checked, and the verdict is recorded. Free text
    is never taken in. A broken chain ends with exit code 1, too.
    """
    if form is None and field_map is not None:
        raise InputError.for_field("--map", "goes with --from")
    output = Output(as_json)
    history: ImportedHistory | None = None
    with run_trail(trail) as running, output.progress("bytes read") as progress:
        if form is None:
            counts = import_file(running, file, progress)
        else:
            history = import_history(
                running,
                file,
                form,
                field_map,
                by=by or system_user(),
                now=clock.now(),
                progress=progress,
            )
            counts = history.counts
    _print(output, file, counts, history)
    unit = "lines" if history is None or history.unit == "line" else "entries"
    if counts.rejected:
        output.say(
            f"{counts.rejected} {unit} were not recorded; see {rejected_path(file)}"
        )
    is_broken = history is not None and _is_broken(history.report.chain)
    if counts.rejected or is_broken:
        return ExitCode.CHECK_FAILED
    return ExitCode.OK


def _is_broken(chain: ChainReport) -> bool:
    return chain.verdict is ChainVerdict.BROKEN


def _print(
    output: Output, file: Path, counts: Imported, history: ImportedHistory | None
) -> None:
    if output.as_json:
        data: dict[str, Any] = {
            "lines": counts.lines,
            "recorded": counts.recorded,
            "already_there": counts.already_there,
            "rejected": counts.rejected,
            "rejected_file": str(rejected_path(file)) if counts.rejected else None,
        }
        if history is not None:
            data |= {"event_id": history.event_id, "report": history.report}
        output.data(data)
        return
    facts: list[tuple[str, object]] = [
        ("recorded", counts.recorded),
        ("already there", counts.already_there),
        ("rejected", counts.rejected),
    ]
    if history is not None:
        facts += _facts(history)
    output.facts(facts)


def _facts(history: ImportedHistory) -> list[tuple[str, object]]:
    report = history.report
    facts: list[tuple[str, object]] = [
        ("first time", report.first_time or "-"),
        ("last time", report.last_time or "-"),
        ("file sha256", report.file_sha256),
        ("own chain", _chain_words(history)),
    ]
    facts += [("not taken in", f"{n} ({k} times)") for n, k in report.left_out.items()]
    facts += [
        ("passed over", f"{n} ({k} times)") for n, k in report.passed_over.items()
    ]
    return [*facts, ("on record as", history.event_id)]


def _chain_words(history: ImportedHistory) -> str:
    chain = history.report.chain
    if not _is_broken(chain):
        return _WORDS[chain.verdict]
    broken_by = "" if chain.broken_by is None else chain.broken_by.value
    return (
        f"BROKEN at {history.unit} {chain.broken_at} ({broken_by}); "
        f"{chain.broken_entries} in all"
    )
