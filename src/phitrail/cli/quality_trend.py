"""`phitrail quality trend`: one metric over time, as bars or as one line a group.

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
from phitrail.errors import InputError
from phitrail.events.codes import QualityMetric
from phitrail.quality.windows import Window


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog=examples(
            "phitrail quality trend latency_p95 --by day --window 14d",
            "phitrail quality trend positive_rate --by day,model-version --maturity 24h",
            "phitrail quality trend error_rate --by release,use-case --window 90d --json",
        )
    )(trend)


def trend(
    metric: Annotated[
        QualityMetric,
        typer.Argument(metavar="METRIC", help="Which metric.", show_default=False),
    ],
    by: By = "day",
    window: WindowOption = "14d",
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
    """Show one metric by hour, day or release.

    One group is shown window by window, with bars from zero; several as one line each, from
    the least value to the greatest of all. A window in which nothing was measured stays
    empty. Shows no entry and no person, and so is not recorded as a reading.
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
    if read.grouping.window is None:
        raise InputError.for_field(
            "--by", f"one of: {', '.join(Window)}; and what else"
        )
    measured = quality_shown.measure(
        trail,
        read,
        (metric,),
        by=reader or system_user(),
        break_glass=break_glass,
    )
    if as_json:
        output.data(quality_shown.trend_object(measured, metric))
    else:
        quality_shown.print_trend(output, measured, metric)
    return ExitCode.OK
