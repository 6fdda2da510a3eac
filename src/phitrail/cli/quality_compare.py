"""`phitrail quality compare`, `report`, `watch`, `accept`: versions of models side by side.

DuckDB is loaded when they run, not by every other command.
"""

from pathlib import Path
from typing import Annotated

import typer

from phitrail.app import clock
from phitrail.app.break_glass import run_for_reading
from phitrail.app.reading import system_user
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import (
    DEFAULT_TRAIL,
    AsJson,
    BreakGlass,
    Reader,
    TrailDirectory,
    examples,
    option,
)
from phitrail.cli.output import Output
from phitrail.cli.quality_options import AsOfOption, OnlyUseCase
from phitrail.errors import InputError
from phitrail.events.codes import QualityMetric

Versions = Annotated[
    list[str] | None,
    option(
        "--version",
        "VERSION",
        "The version in question, then, given again, the one to compare it with; without, "
        "the newest of each use case and the one before it.",
    ),
]
Model = Annotated[
    str | None, option("--model", "MODEL", "Only versions of this model.")
]
Ripen = Annotated[
    str | None,
    option(
        "--ripen",
        "LENGTH",
        "For how long after a request its ratings count.  [default: as policy.yaml says]",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command(
        epilog=examples(
            "phitrail quality compare",
            "phitrail quality compare --version 4.2.0 --version 4.1.0 --use-case chart_qa",
        )
    )(compare)
    app.command(
        epilog=examples(
            "phitrail quality report --out rollout.html",
            "phitrail quality report --version 4.2.0 --version 4.1.0 --out rollout.pdf",
        )
    )(report)
    app.command(
        epilog=examples(
            "phitrail quality watch",
            "phitrail quality watch --listen 127.0.0.1:9464",
        )
    )(watch)
    app.command(
        epilog=examples(
            "phitrail quality accept --use-case chart_qa --by dr-0012 "
            '--reason "not worse in what matters on our ward"'
        )
    )(accept)


def compare(
    versions: Versions = None,
    model: Model = None,
    use_case: OnlyUseCase = None,
    as_of: AsOfOption = None,
    ripen: Ripen = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    reader: Reader = None,
    break_glass: BreakGlass = None,
    as_json: AsJson = False,
) -> int:
    """Compare versions: effects, what is sure of them, and the verdict.

    Verdicts may be looked at every day without more false alarms. All metrics of all use
    cases that are compared are decided together. The exit code is 1 if something is worse.
    """
    from phitrail.cli import quality_verdicts as shown  # noqa: PLC0415 - loads DuckDB

    output, now = Output(as_json), clock.now()
    wanted = shown.wanted(versions, model, use_case)
    asked = shown.asked(trail, as_of, ripen, now)
    with (
        run_for_reading(
            trail, by=reader or system_user(), break_glass=break_glass
        ) as run,
        output.progress("comparing") as progress,
    ):
        compared = shown.compare_all(
            run.parts, wanted, asked, now=now, progress=progress
        )
    if as_json:
        output.data(shown.compared_object(compared))
    else:
        shown.print_compared(output, compared)
    return ExitCode.CHECK_FAILED if shown.is_any_worse(compared.found) else ExitCode.OK


def report(
    out: Annotated[
        Path,
        option("--out", "FILE", "Where to write it: FILE.html, FILE.pdf or FILE.json."),
    ],
    versions: Versions = None,
    model: Model = None,
    use_case: OnlyUseCase = None,
    as_of: AsOfOption = None,
    ripen: Ripen = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    reader: Reader = None,
    break_glass: BreakGlass = None,
    as_json: AsJson = False,
) -> int:
    """Write a report on a version: one file that needs nothing else.

    Effects with confidence sequences, latency by quantile, how ratings came in, what changed
    when, the decision, and the digest of the data: the same log and time give the same
    report. HTML and PDF need the extra `quality`.
    """
    from phitrail.cli import quality_verdicts as shown  # noqa: PLC0415 - loads DuckDB

    write = shown.writer_of(out)
    output, now = Output(as_json), clock.now()
    wanted = shown.wanted(versions, model, use_case)
    asked = shown.asked(trail, as_of, ripen, now)
    with (
        run_for_reading(
            trail, by=reader or system_user(), break_glass=break_glass
        ) as run,
        output.progress("comparing") as progress,
    ):
        made = shown.report_of(run.parts, wanted, asked, now=now, progress=progress)
    write(made, out)
    if as_json:
        output.data(shown.written_object(made, out))
    else:
        shown.print_written(output, made, out)
    return ExitCode.OK


def watch(
    listen: Annotated[
        str | None,
        option(
            "--listen",
            "HOST:PORT",
            "Go on looking every hour, and let Prometheus scrape /metrics there.",
        ),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    as_json: AsJson = False,
) -> int:
    """Look at every stream now, and record alerts of what is worse.

    Whoever has the trail open looks every hour by itself; this looks at once. A stream is
    one metric of the newest version in one use case. The exit code is 1 if one is worse.
    """
    from phitrail.cli import quality_watching  # noqa: PLC0415 - loads DuckDB

    return quality_watching.watch(trail, listen, Output(as_json))


def accept(
    by: Annotated[str, option("--by", "USER", "Who accepts it: a user id.")],
    reason: Annotated[str, option("--reason", "TEXT", "Why, in words; kept sealed.")],
    versions: Versions = None,
    model: Model = None,
    use_case: OnlyUseCase = None,
    metrics: Annotated[
        list[QualityMetric] | None,
        typer.Option(
            "--metric",
            metavar="METRIC",
            help="A metric that matters; may be given more than once.  [default: all]",
            show_default=False,
        ),
    ] = None,
    despite: Annotated[
        bool,
        typer.Option(
            "--despite", help="Accept what is not shown; the log will say so."
        ),
    ] = False,
    as_of: AsOfOption = None,
    ripen: Ripen = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    as_json: AsJson = False,
) -> int:
    """Accept a version in one use case, as a named person, on record.

    Refused unless every metric that matters is shown to be *not* worse by the smallest
    effect that matters; that no regression was found is not enough.
    """
    from phitrail.cli import quality_verdicts as shown  # noqa: PLC0415 - loads DuckDB

    if not by:
        raise InputError.for_field("--by", "a user id")
    output, now = Output(as_json), clock.now()
    wanted = shown.wanted(versions, model, use_case)
    asked = shown.asked(trail, as_of, ripen, now)
    told = shown.accept(
        trail,
        wanted,
        asked,
        tuple(metrics or ()),
        shown.Signing(by, reason, despite=despite),
        now=now,
    )
    if as_json:
        output.data(told)
    else:
        output.facts(
            [
                (name, ", ".join(value) or "none" if isinstance(value, list) else value)
                for name, value in told.items()
            ]
        )
    return ExitCode.OK
