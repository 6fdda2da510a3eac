"""`phitrail quality summary`: every metric over a window, with its rows and its interval.

DuckDB is loaded when it runs, not by every other command.
"""

from typing import Annotated

import typer

from phitrail.app.reading import system_user
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import (
    DEFAULT_TRAIL,
    AsJson,
    BreakGlass,
    Reader,
    TrailDirectory,
    examples,
)
from phitrail.cli.output import Output
from phitrail.cli.quality_options import (
    AsOfOption,
    By,
    Maturity,
    OnlyFacility,
    OnlyUseCase,
    OnlyVersion,
    WindowOption,
    read_options,
)
from phitrail.events.codes import QualityMetric
from phitrail.quality.metric import METRICS


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog=examples(
            "phitrail quality summary --window 24h",
            "phitrail quality summary --window 7d --by model-version,use-case",
            "phitrail quality summary --as-of 2026-11-01 --maturity 72h --json",
        )
    )(summary)


def summary(
    window: WindowOption = "24h",
    by: By = None,
    metrics: Annotated[
        list[QualityMetric] | None,
        typer.Option(
            "--metric",
            metavar="METRIC",
            help="Only this metric; may be given more than once.",
            show_default=False,
        ),
    ] = None,
    as_of: AsOfOption = None,
    maturity: Maturity = None,
    model_version: OnlyVersion = None,
    use_case: OnlyUseCase = None,
    facility: OnlyFacility = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    reader: Reader = None,
    break_glass: BreakGlass = None,
    as_json: AsJson = False,
) -> int:
    """Measure what models did: every metric with its rows and its interval (95 %).

    What was not measured says so; it is neither zero nor "no". Without --maturity ratings
    count that have come so far, so young requests seem rated less. Shows no entry and no
    person, and so is not recorded as a reading. The exit code is 0, whatever is measured.
    """
    from phitrail.cli import quality_shown  # noqa: PLC0415 - loads DuckDB

    output = Output(as_json)
    read = read_options(
        by,
        window,
        as_of,
        maturity,
        model_version=model_version,
        use_case=use_case,
        facility=facility,
    )
    measured = quality_shown.measure(
        trail,
        read,
        tuple(metrics or METRICS),
        by=reader or system_user(),
        break_glass=break_glass,
    )
    if as_json:
        output.data(quality_shown.summary_object(measured))
    else:
        quality_shown.print_summary(output, measured)
    return ExitCode.OK
