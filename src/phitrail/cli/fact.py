"""`phitrail fact`: what the house's own lists say of people, patients, shifts and care."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from phitrail.app import clock
from phitrail.app.fact_listing import count_facts, list_facts
from phitrail.app.fact_loading import (
    FactLoad,
    LoadedFacts,
    load_facts,
    zone_named,
)
from phitrail.app.importing import rejected_path
from phitrail.app.reading import system_user
from phitrail.app.running import run_trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.log import require_verb
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.errors import InputError
from phitrail.events.ids import format_time
from phitrail.identity.fact_store import FactFile
from phitrail.identity.fact_table import FactKind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OPEN = "open"

Kind = Annotated[FactKind, typer.Argument(metavar="KIND", help="Which list.")]

app = typer.Typer(
    rich_markup_mode=None,
    epilog=examples(
        "phitrail fact load people people.csv",
        "phitrail fact load roster november.csv --add --zone America/New_York",
        "phitrail fact list",
    ),
)


@app.callback(invoke_without_command=True)
def fact(context: typer.Context) -> None:
    """Lists of the house that say what was true: people, patients, roster, care, relations.

    From then on each event keeps what they say of it at its time.
    """
    require_verb(context)


@app.command(
    epilog=examples(
        "phitrail fact load people people.csv --dry-run",
        "phitrail fact load care care.csv --replace",
        "phitrail fact load roster week-48.csv --add --zone America/New_York",
    )
)
def load(
    kind: Kind,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV with a header; gzip is fine.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="The file is the whole list.")
    ] = False,
    add: Annotated[
        bool, typer.Option("--add", help="The file comes on top of what is loaded.")
    ] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help="Load nothing where one line is bad.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read every line; change nothing.")
    ] = False,
    zone: Annotated[
        str | None,
        typer.Option(
            "--zone",
            metavar="ZONE",
            help="Whose wall times stand there without an offset.  "
            "[default: times need one, dates are UTC]",
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="USER",
            help="Who loads, for the record of it.  [default: the system user]",
        ),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    as_json: AsJson = False,
) -> int:
    """Load a list, in force at once; the load is recorded in the audit log.

    Good lines are loaded. Bad ones go to FILE.rejected.jsonl as number, field and rule;
    then the exit code is 1. Events that stand in the log stay as they are.
    """
    if add and replace:
        raise InputError.for_field("--add", "does not go with --replace")
    output = Output(as_json)
    asked = FactLoad(
        kind,
        file,
        is_adding=add if add or replace else None,
        is_whole=whole,
        is_rehearsal=dry_run,
        zone=zone_named(zone) if zone is not None else None,
    )
    with run_trail(trail) as running, output.progress("bytes read") as progress:
        loaded = load_facts(
            running.parts,
            asked,
            by=by or system_user(),
            now=clock.now(),
            progress=progress,
        )
    _tell(output, asked, loaded)
    return ExitCode.CHECK_FAILED if loaded.rejected else ExitCode.OK


@app.command("list", epilog=examples("phitrail fact list", "phitrail fact list --json"))
def list_(trail: TrailDirectory = DEFAULT_TRAIL, as_json: AsJson = False) -> int:
    """List what is loaded: counts, times and digests."""
    output = Output(as_json)
    with run_trail(trail) as running:
        files = list_facts(running.parts)
    if as_json:
        output.data({"facts": [_object(file) for file in files]})
        return ExitCode.OK
    if not files:
        output.say("no facts; `phitrail fact load KIND FILE` loads a list")
    output.table(
        ("kind", "rows#", "of#", "from", "until", "loaded", "by", "sha256 of the file"),
        [
            (
                file.kind,
                file.rows,
                file.subjects,
                _time(file.first_us),
                _time(file.last_us),
                file.loaded_at,
                file.loaded_by,
                file.sources[-1],
            )
            for file in files
        ],
    )
    return ExitCode.OK


@app.command(epilog=examples("phitrail fact show people", "phitrail fact show care"))
def show(
    kind: Kind, trail: TrailDirectory = DEFAULT_TRAIL, as_json: AsJson = False
) -> int:
    """Show how often each thing stands in a list, and never of whom.

    Exit code 2 if none of this kind is loaded.
    """
    output = Output(as_json)
    with run_trail(trail) as running:
        found = count_facts(running.parts, kind)
    if found is None:
        raise InputError.for_field("KIND", "none of it is loaded")
    if as_json:
        output.data({**_object(found.file), "counts": found.counts})
        return ExitCode.OK
    output.facts([*_facts(found.file), *found.counts.items()])
    return ExitCode.OK


def _tell(output: Output, asked: FactLoad, loaded: LoadedFacts) -> None:
    rejected = rejected_path(asked.path)
    if output.as_json:
        output.data(
            {
                "kind": asked.kind,
                "good": loaded.good,
                "rejected": loaded.rejected,
                "first_rejected": loaded.first_rejected,
                "rejected_file": str(rejected)
                if loaded.rejected and not asked.is_rehearsal
                else None,
                "in_force": None if loaded.file is None else _object(loaded.file),
            }
        )
        return
    facts: list[tuple[str, object]] = [
        ("good lines", loaded.good),
        ("rejected", loaded.rejected),
    ]
    if loaded.file is not None:
        facts += _facts(loaded.file)
    output.facts(facts)
    if asked.is_rehearsal:
        for line in loaded.first_rejected:
            output.line(f"line {line.line}: {line.field}: {line.rule}")
        output.say("nothing was changed")
    elif loaded.rejected:
        output.say(f"{loaded.rejected} lines were not loaded; see {rejected}")


def _facts(file: FactFile) -> list[tuple[str, object]]:
    return [
        ("rows in force", file.rows),
        ("of", f"{file.subjects} users or patients"),
        ("from", _time(file.first_us)),
        ("until", _time(file.last_us)),
        ("loaded", f"{file.loaded_at} by {file.loaded_by}"),
        ("file sha256", file.sources[-1]),
        ("on record as", file.event_id),
    ]


def _object(file: FactFile) -> dict[str, object]:
    return {
        "kind": file.kind,
        "rows": file.rows,
        "subjects": file.subjects,
        "from": None if file.first_us is None else _time(file.first_us),
        "until": None if file.last_us is None else _time(file.last_us),
        "loaded_at": file.loaded_at,
        "loaded_by": file.loaded_by,
        "files_sha256": file.sources,
        "event_id": file.event_id,
    }


def _time(at_us: int | None) -> str:
    if at_us is None:
        return _OPEN
    return format_time(_EPOCH + timedelta(microseconds=at_us))
