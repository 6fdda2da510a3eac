"""`phitrail log unclosed`: accesses that never closed.

A verb of `log`, since it reads the audit log and is recorded as its other reads are; an
access belongs to no source where none is registered.
"""

from collections.abc import Mapping

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
)
from phitrail.cli.output import Output
from phitrail.events.ids import format_time
from phitrail.projection.unclosed import Unclosed

RELEASED = "outcome unknown, treated as released"


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog=examples("phitrail log unclosed", "phitrail log unclosed --json")
    )(unclosed)


def unclosed(
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Reader = None,
    break_glass: BreakGlass = None,
    as_json: AsJson = False,
) -> int:
    """List the accesses that were opened and never closed, the oldest first.

    One that is older than access_unclosed_after_s of policy.yaml counts as "outcome
    unknown, treated as released"; then the exit code is 1. Imported history is left out.
    The reading is itself recorded in the audit log.
    """
    from phitrail.app.unclosed import (  # noqa: PLC0415 - loads DuckDB
        list_unclosed,
    )

    output = Output(as_json)
    who = by or system_user()
    with run_for_reading(trail, by=who, break_glass=break_glass) as running:
        read = list_unclosed(running.parts, by=who, now=clock.now())
    if as_json:
        output.data(
            {
                "as_of": read.as_of,
                "access_unclosed_after_s": read.after.total_seconds(),
                "treated_as_released": read.released_count,
                "accesses": [unclosed_object(one) for one in read.accesses],
            }
        )
    else:
        output.table(
            (
                "access",
                "opened",
                "age s#",
                "user",
                "use case",
                "patients#",
                "counts as",
            ),
            [
                (
                    one.access_id,
                    format_time(one.opened_at),
                    int(one.age.total_seconds()),
                    one.user_id or "unknown",
                    one.use_case or "unknown",
                    one.patient_count,
                    _counts_as(one),
                )
                for one in read.accesses
            ],
        )
        output.line(
            f"{len(read.accesses)} not closed, {read.released_count} of them for over "
            f"{read.after.total_seconds():g} s: {RELEASED}"
        )
    return ExitCode.CHECK_FAILED if read.released_count else ExitCode.OK


def unclosed_object(one: Unclosed) -> Mapping[str, object]:
    """Write one unclosed access as a JSON object."""
    return {
        "access_id": one.access_id,
        "opened_at": format_time(one.opened_at),
        "age_s": int(one.age.total_seconds()),
        "counts_as": _counts_as(one),
        "user_id": one.user_id,
        "use_case": one.use_case,
        "ai_model_id": one.ai_model_id,
        "source_id": one.source_id,
        "assurance": one.assurance,
        "openings": one.opening_count,
        "patients": one.patient_count,
        "records": one.record_count,
        "index": one.first_idx,
    }


def _counts_as(one: Unclosed) -> str:
    return RELEASED if one.is_treated_as_released else "open"
