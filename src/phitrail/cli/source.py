"""`phitrail source`: systems that number what they record, and what is missing of it."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from phitrail.app import clock
from phitrail.app.config import read_sources
from phitrail.app.handing_out import make_credential_file, write_credential
from phitrail.app.reading import system_user
from phitrail.app.running import run_trail
from phitrail.app.sources import add_source
from phitrail.cli import reconcile, statement
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.log import require_verb
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, Reader, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.cli.times import parse_moment
from phitrail.events.ids import format_time
from phitrail.projection.completeness import HOUR, Epoch, HourCount, SourcesRead

BARS: Final = " ▁▂▃▄▅▆▇█"
MISSING: Final = "!"
SILENT: Final = "·"
HOURS_IN_A_ROW: Final = 72

app = typer.Typer(
    rich_markup_mode=None,
    epilog=examples(
        "phitrail source add assistant --out assistant.credential",
        "phitrail source completeness --from 2026-11-20",
    ),
)


@app.callback(invoke_without_command=True)
def source(context: typer.Context) -> None:
    """Systems that number what they record, and what is known to be missing of it."""
    require_verb(context)


statement.add_to(app)


@app.command(
    epilog=examples("phitrail source add assistant --out assistant.credential")
)
def add(
    name: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="What to call it, such as assistant."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FILE", help="Where its credential goes; a new file."
        ),
    ],
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Give a known source a new credential."),
    ] = False,
    by: Reader = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    as_json: AsJson = False,
) -> int:
    """Register a source and hand its credential out; nothing here keeps that.

    A program opens the trail with it: connect(source=FILE), or PHITRAIL_SOURCE=FILE. From
    then on each event has a number, and one that is missing shows.
    """
    output = Output(as_json)
    with make_credential_file(out) as file:
        try:
            with run_trail(trail) as running:
                line = add_source(
                    running.parts,
                    name,
                    by=by or system_user(),
                    now=clock.now(),
                    is_replacing=replace,
                )
            write_credential(file, line)
        except BaseException:
            out.unlink(missing_ok=True)
            raise
    if as_json:
        output.data({"source": name, "out": str(out)})
    else:
        output.line(f"added {name}; its credential is in {out}, and nowhere else")
    return ExitCode.OK


@app.command(
    "list", epilog=examples("phitrail source list", "phitrail source list --json")
)
def list_(trail: TrailDirectory = DEFAULT_TRAIL, as_json: AsJson = False) -> int:
    """List the registered sources and the public halves of their credentials."""
    output = Output(as_json)
    sources = read_sources(trail)
    if as_json:
        output.data(
            {"sources": [{"source": s.source, "vkey": s.vkey} for s in sources]}
        )
        return ExitCode.OK
    if not sources:
        output.say("no sources; `phitrail source add NAME --out FILE` registers one")
    output.table(("source", "vkey"), [(s.source, s.vkey) for s in sources])
    return ExitCode.OK


@app.command(
    epilog=examples(
        "phitrail source completeness",
        "phitrail source completeness --from 2026-11-20 --to 2026-11-21 --json",
    )
)
def completeness(
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="From this time or day (UTC) on.  [default: a day ago]",
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="TIME",
            help="Before this time or day (UTC).  [default: now]",
        ),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    as_json: AsJson = False,
) -> int:
    """Show by source and hour what was received, missing, late, doubled and silent.

    Exit code 1 if something is missing, doubled or silent, or an epoch was opened without
    the credential of its source.
    """
    from phitrail.app.source_checks import read_sources_state  # noqa: PLC0415 - loads DuckDB

    output = Output(as_json)
    now = clock.now()
    begin = parse_moment("--from", since) if since else now - timedelta(days=1)
    end = parse_moment("--to", until) if until else now
    with run_trail(trail) as running:
        read = read_sources_state(running.parts, begin, end, now)
    if as_json:
        output.data(_object(read))
    else:
        _tell(output, read)
    return ExitCode.OK if read.is_complete else ExitCode.CHECK_FAILED


reconcile.add_to(app)


def _object(read: SourcesRead) -> Mapping[str, object]:
    found = read.found
    return {
        "since": format_time(found.since),
        "until": format_time(found.until),
        "as_of": read.as_of,
        "is_complete": read.is_complete,
        "epochs": [_epoch_object(read, epoch) for epoch in found.epochs],
        "hours": [
            {
                "source": name,
                "hour": format_time(hour),
                "received": count.received,
                "missing": count.missing,
                "late": count.late,
                "duplicate": count.duplicate,
                "silent_s": count.silent_s,
            }
            for (name, hour), count in found.hours.items()
        ],
    }


def _epoch_object(read: SourcesRead, epoch: Epoch) -> Mapping[str, object]:
    return {
        "source": epoch.source_id,
        "epoch": epoch.epoch,
        "state": _state(read, epoch),
        "given": epoch.given,
        "received": epoch.received,
        "duplicates": epoch.duplicates,
        "first_at": format_time(epoch.first_at),
        "last_at": format_time(epoch.last_at),
        "missing": [
            {"first": g.first, "last": g.last, "noticed_at": format_time(g.noticed_at)}
            for g in epoch.gaps
        ],
        "silent": [
            {"since": format_time(s.since), "until": format_time(s.until)}
            for s in epoch.silences
        ],
        "unproven": read.unproven.get((epoch.source_id, epoch.epoch)),
    }


def _state(read: SourcesRead, epoch: Epoch) -> str:
    if (epoch.source_id, epoch.epoch) in read.unproven:
        return "unproven"
    if epoch.is_crashed:
        return "crashed"
    return "closed" if epoch.is_closed else "open"


def _tell(output: Output, read: SourcesRead) -> None:
    found = read.found
    output.line(f"from {format_time(found.since)} to {format_time(found.until)}")
    if not found.epochs:
        output.line("no source was heard; events without a number cannot be missed")
        return
    for line in _picture(read):
        output.line(line)
    output.table(
        (
            "source",
            "began",
            "state",
            "numbers#",
            "received#",
            "missing#",
            "doubled#",
            "silent s#",
        ),
        [
            (
                e.source_id,
                format_time(e.first_at),
                _state(read, e),
                e.given,
                e.received,
                e.missing,
                e.duplicates,
                sum(int((s.until - s.since).total_seconds()) for s in e.silences),
            )
            for e in found.epochs
        ],
    )
    for epoch in found.epochs:
        where = f"{epoch.source_id} {epoch.epoch}"
        for gap in epoch.gaps:
            output.line(f"{where}: numbers {gap.first} to {gap.last} are in no log")
        why = read.unproven.get((epoch.source_id, epoch.epoch))
        if why is not None:
            output.line(f"{where}: {why}")
    output.line("nothing is missing" if read.is_complete else "something is missing")


def _picture(read: SourcesRead) -> Iterator[str]:
    """Draw an hour a character: how much was received, or what went wrong."""
    found = read.found
    first = found.since.replace(minute=0, second=0, microsecond=0)
    hours = max(1, -(-(found.until - first) // HOUR))
    shown = [first + HOUR * n for n in range(max(0, hours - HOURS_IN_A_ROW), hours)]
    names = sorted({epoch.source_id for epoch in found.epochs})
    most = max((c.received for c in found.hours.values()), default=0)
    width = max(map(len, names))
    for name in names:
        cells = "".join(_cell(found.hours.get((name, hour)), most) for hour in shown)
        yield f"{name:<{width}}  {cells}"
    legend = f"{MISSING} missing, {SILENT} silent"
    yield f"{'':<{width}}  an hour each from {format_time(shown[0])}; {legend}"


def _cell(count: HourCount | None, most: int) -> str:
    if count is None:
        return BARS[0]
    if count.missing:
        return MISSING
    if not count.received and count.silent_s:
        return SILENT
    return BARS[-(-count.received * (len(BARS) - 1) // max(most, 1))]
