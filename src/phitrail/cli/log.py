"""`phitrail log`: import, show, tail, prove, export; more verbs stand in files of their own.

Query and rebuild: `cli.query`. Match: `cli.match`. Unclosed: `cli.unclosed`. Showing,
proving and exporting write one `audit_log_read` into the audit log first.
"""

import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from phitrail.app import clock
from phitrail.app.break_glass import run_for_reading
from phitrail.app.export import ExportFormat, export_log
from phitrail.app.reading import (
    ProvenEntry,
    ShownEntry,
    newer_entries,
    prove_entry,
    show_entries,
    system_user,
    tail_entries,
)
from phitrail.cli import history, match, query, unclosed
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import (
    DEFAULT_TRAIL,
    AsJson,
    BreakGlass,
    Entry,
    OneLog,
    Reader,
    TrailDirectory,
    examples,
)
from phitrail.cli.output import Output
from phitrail.errors import InputError, StorageError
from phitrail.events.codes import Log
from phitrail.tlog.spelling import print_base64

FOLLOW_EVERY_S = 0.5

app = typer.Typer(
    rich_markup_mode=None,
    epilog=examples("phitrail log tail -n 20", "phitrail log prove 17 --out 17.proof"),
)


def require_verb(context: typer.Context) -> None:
    """Print the help and end with a usage error where no verb was given.

    Raises:
        Exit: no verb was given.
    """
    if context.invoked_subcommand is None:
        sys.stderr.write(context.get_help() + "\n")
        raise typer.Exit(ExitCode.USAGE)


@app.callback(invoke_without_command=True)
def log(context: typer.Context) -> None:
    """Fill, read, prove and export the logs: audit, security, quality.

    Reading a log is itself recorded in the audit log, before anything is shown.
    """
    require_verb(context)


history.add_to(app)
query.add_to(app)
match.add_to(app)
unclosed.add_to(app)


@app.command(
    epilog=examples(
        "phitrail log show 17",
        "phitrail log show 019a9f2e-6d3c-7abc-8def-0123456789ab --log audit --json",
    )
)
def show(
    entry: Entry,
    log: OneLog = Log.AUDIT,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Reader = None,
    break_glass: BreakGlass = None,
    as_json: AsJson = False,
) -> int:
    """Show one entry, or every part of one event."""
    output = Output(as_json)
    who = by or system_user()
    with run_for_reading(trail, by=who, break_glass=break_glass) as running:
        shown = show_entries(running.parts, log, entry, by=who, now=clock.now())
        if as_json:
            output.data({"log": log, "entries": [_entry_object(one) for one in shown]})
        else:
            for one in shown:
                print_entry(output, one)
    return ExitCode.OK


@app.command(
    epilog=examples(
        "phitrail log tail -n 20", "phitrail log tail --log quality --follow --json"
    )
)
def tail(
    count: Annotated[
        int, typer.Option("-n", metavar="N", min=0, help="How many entries.")
    ] = 10,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    log: OneLog = Log.AUDIT,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Reader = None,
    break_glass: BreakGlass = None,
    as_json: AsJson = False,
) -> int:
    """Show the newest entries, one a line."""
    output = Output(as_json)
    who = by or system_user()
    with run_for_reading(trail, by=who, break_glass=break_glass) as running:
        end, entries = tail_entries(running.parts, log, count, by=who, now=clock.now())
        _print_lines(output, entries)
        while follow:
            end += _print_lines(output, newer_entries(running.parts, log, end))
            time.sleep(FOLLOW_EVERY_S)
    return ExitCode.OK


@app.command(
    epilog=examples(
        "phitrail log prove 17 --out entry-17.tlog-proof",
        "phitrail log prove 17 --log security --json",
    )
)
def prove(
    entry: Entry,
    log: OneLog = Log.AUDIT,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to.  [default: stdout]"),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Reader = None,
    break_glass: BreakGlass = None,
    as_json: AsJson = False,
) -> int:
    """Prove that an entry is in the log: a C2SP tlog-proof file.

    The proof holds no content: whoever checks it needs the entry and the log's key.
    """
    output = Output(as_json)
    if out is not None and out.exists():
        raise InputError.for_field("--out", "must not exist yet")
    who = by or system_user()
    with run_for_reading(trail, by=who, break_glass=break_glass) as running:
        proof = prove_entry(running, log, entry, by=who, now=clock.now())
    if out is not None:
        _write(out, proof.proof_file)
    if as_json:
        output.data(proof_object(proof, out))
    elif out is None:
        output.line(proof.proof_file.decode().removesuffix("\n"))
    else:
        output.say(f"entry {proof.entry.index} of {log} is proven by {out}")
    return ExitCode.OK


@app.command(
    epilog=examples(
        "phitrail log export --log audit --format c2sp --out audit-export",
        "phitrail log export --log audit --format chained-jsonl --out audit.jsonl",
        "phitrail log export --log security --format cloudtrail --out security.json",
    )
)
def export(
    form: Annotated[
        ExportFormat,
        typer.Option("--format", help="c2sp makes a directory, the others a file."),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="PATH", help="Where to; must not exist yet."),
    ],
    log: OneLog = Log.AUDIT,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Reader = None,
    break_glass: BreakGlass = None,
    as_json: AsJson = False,
) -> int:
    """Export a whole log with a checkpoint that covers it.

    What is exported names patients by surrogates only, and remains PHI in law.
    """
    output = Output(as_json)
    who = by or system_user()
    with (
        run_for_reading(trail, by=who, break_glass=break_glass) as running,
        output.progress("entries") as progress,
    ):
        exported = export_log(
            running,
            log,
            form,
            out,
            by=who,
            now=clock.now(),
            progress=progress,
        )
    checkpoint = exported.checkpoint
    facts: list[tuple[str, Any]] = [
        ("origin", checkpoint.origin),
        ("vkey", exported.vkey),
        ("size", checkpoint.size),
        ("root", print_base64(checkpoint.root)),
        ("out", str(exported.out)),
        ("checkpoint", str(exported.checkpoint_file)),
    ]
    if as_json:
        output.data(dict(facts))
    else:
        output.facts(facts)
    return ExitCode.OK


def print_entry(output: Output, entry: ShownEntry) -> None:
    """Print one entry, a field a line."""
    rows: list[tuple[str, object]] = [
        ("log", entry.log),
        ("index", entry.index),
        ("leaf_hash", print_base64(entry.leaf_hash)),
    ]
    for name, value in _fields(entry).items():
        rows += [(name, text) for text in _texts(value)]
    if entry.document is not None:
        rows.append(("document", entry.document.decode()))
    output.facts(rows)


def proof_object(proof: ProvenEntry, out: Path | None) -> dict[str, object]:
    """Write a proof as a JSON object."""
    checkpoint = proof.proven.checkpoint
    return {
        "log": proof.entry.log,
        "index": proof.entry.index,
        "leaf_hash": print_base64(proof.entry.leaf_hash),
        "origin": checkpoint.origin,
        "vkey": proof.vkey,
        "size": checkpoint.size,
        "root": print_base64(checkpoint.root),
        "proof": [print_base64(part) for part in proof.proven.proof],
        "checkpoint": proof.proven.note.decode(),
        "proof_file": proof.proof_file.decode(),
        "out": None if out is None else str(out),
    }


def _print_lines(output: Output, entries: Iterable[ShownEntry]) -> int:
    """Print entries, one a line; return how many there were."""
    count = 0
    for count, entry in enumerate(entries, start=1):  # noqa: B007 - counted
        output.line(
            msgspec.json.encode(_entry_object(entry)).decode()
            if output.as_json
            else _one_line(entry)
        )
    sys.stdout.flush()
    return count


def _entry_object(entry: ShownEntry) -> dict[str, object]:
    return {
        "index": entry.index,
        "leaf_hash": print_base64(entry.leaf_hash),
        "entry": msgspec.Raw(entry.leaf),
        **({} if entry.document is None else {"document": entry.document.decode()}),
    }


def _one_line(entry: ShownEntry) -> str:
    fields = _fields(entry)
    schema = str(fields["schema"]).split("/")[1]
    kind = fields.get("event_type") or schema
    when = fields.get("timestamp_utc") or fields.get("created_at")
    rest = [
        f"{name}={fields[name]}"
        for name in ("user_id", "use_case", "model_id", "outcome", "access_id")
        if name in fields
    ]
    if "records" in fields:
        rest.append(f"records={len(fields['records'])}")
    return "  ".join((f"{entry.index:>8}", str(when), f"{kind:<22}", *rest)).rstrip()


def _fields(entry: ShownEntry) -> dict[str, Any]:
    return msgspec.json.decode(entry.leaf, type=dict[str, Any])


def _texts(value: object) -> Sequence[str]:
    """Write a value; of a list, each item on a line of its own."""
    if isinstance(value, list):
        return [
            " / ".join(item) if isinstance(item, list) else str(item) for item in value
        ]
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _write(path: Path, data: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(data)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
