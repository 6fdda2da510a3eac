"""`phitrail rule backtest`: what rules would have told, over the history of the logs."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer

from phitrail.app import clock
from phitrail.app.backtest_answer import Backtest, RuleFound
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
from phitrail.cli.times import parse_moment
from phitrail.errors import InputError
from phitrail.events.ids import format_time

_RANGE = re.compile(r"([0-9]{1,9})(?:\.\.([0-9]{1,9}))?", re.ASCII)


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog=examples(
            "phitrail rule backtest --from 2026-11-01 --to 2026-11-08",
            "phitrail rule backtest cad83144-153b-40bd-bde7-f9fa982c8c94 --threshold 50..500",
        )
    )(backtest)


def backtest(
    rules: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RULE]...",
            help="Which rules, by name or id.  [default: all that make alerts]",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None, option("--from", "TIME", "Judge events from here on (UTC).")
    ] = None,
    until: Annotated[
        str | None, option("--to", "TIME", "Judge events before this (UTC).")
    ] = None,
    threshold: Annotated[
        str | None,
        option("--threshold", "N..M", "Say as well what other thresholds would tell."),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Reader = None,
    break_glass: BreakGlass = None,
    as_json: AsJson = False,
) -> int:
    """Say what rules would have told: alerts a day, groups, what was disposed of before.

    Windows reach back before --from. "found again" counts alerts that the security log holds
    and the rule tells once more; "missed" those that it does not tell. Groups are shown as the
    log holds them: patients are surrogates. The reading is itself recorded in the audit log.
    """
    from phitrail.app.backtest import (  # noqa: PLC0415 - loads DuckDB
        Asked,
        choose_rules,
    )
    from phitrail.app.backtest import (  # noqa: PLC0415
        backtest as judge_history,
    )

    output, who = Output(as_json), by or system_user()
    since_moment = None if since is None else parse_moment("--from", since)
    until_moment = None if until is None else parse_moment("--to", until)
    with run_for_reading(trail, by=who, break_glass=break_glass) as running:
        asked = Asked(
            choose_rules(trail, rules or ()),
            since=since_moment,
            until=until_moment,
            thresholds=_thresholds(threshold),
        )
        told = judge_history(running.parts, asked, by=who, now=clock.now())
    if as_json:
        output.data(backtest_object(told))
    else:
        _print(output, told)
    return ExitCode.OK


def _thresholds(given: str | None) -> tuple[int, ...]:
    from phitrail.detect.sweep import thresholds_between  # noqa: PLC0415 - with DuckDB

    if given is None:
        return ()
    match = _RANGE.fullmatch(given)
    if match is None:
        raise InputError.for_field("--threshold", "a number, or two as 50..500")
    low = int(match[1])
    high = low if match[2] is None else int(match[2])
    if high < low:
        raise InputError.for_field("--threshold", "must not end before it begins")
    return thresholds_between(low, high)


# --- what is printed ---


def backtest_object(told: Backtest) -> Mapping[str, object]:
    """Write a backtest as a JSON object."""
    return {
        "from": format_time(told.since),
        "to": format_time(told.until),
        "days": round(told.days, 3),
        "as_of": told.as_of,
        "selected_events": told.selected,
        "rules": [_rule_object(one, told.days) for one in told.rules],
    }


def _rule_object(found: RuleFound, days: float) -> Mapping[str, object]:
    head, sample = found.rule.head, found.sample
    return {
        "rule_id": head.rule_id,
        "name": head.name,
        "title": head.title,
        "severity": head.severity,
        "alerts": found.alerts,
        "alerts_a_day": round(found.alerts / days, 3),
        "groups": found.groups,
        "days": found.days,
        "found_again": found.overlap.again,
        "missed": found.overlap.missed,
        "top": [
            {"group": one.group, "alerts": one.alerts, "peak": one.peak}
            for one in found.top
        ],
        "sample": None
        if sample is None
        else {
            "group": sample.group,
            "first": _time(sample.first_us),
            "last": _time(sample.last_us),
            "peak": sample.peak,
            "instants": sample.instants,
            "entries": sample.entries,
        },
        "sweep": [
            {
                "threshold": one.threshold,
                "alerts": one.alerts,
                "alerts_a_day": round(one.alerts / days, 3),
                "groups": one.groups,
            }
            for one in found.sweep
        ],
    }


def _print(output: Output, told: Backtest) -> None:
    output.line(
        f"{format_time(told.since)} to {format_time(told.until)}, {told.days:.1f} days"
    )
    output.table(
        ("rule", "level", "alerts#", "a day#", "groups#", "found again", "missed"),
        [
            (
                found.rule.head.title,
                found.rule.head.severity,
                found.alerts,
                f"{found.alerts / told.days:.1f}",
                found.groups,
                _counted(found.overlap.again),
                _counted(found.overlap.missed),
            )
            for found in told.rules
        ],
    )
    for found in told.rules:
        if found.alerts or found.sweep:
            _print_rule(output, found, told.days)
    sizes = ", ".join(f"{log} {size}" for log, size in told.as_of.items())
    output.say(f"{len(told.rules)} rules as of {sizes}")


def _print_rule(output: Output, found: RuleFound, days: float) -> None:
    output.line()
    output.line(found.rule.head.title)
    if found.sample is not None:
        sample = found.sample
        output.line(
            f"  strongest: {_group(sample.group)}, {_time(sample.first_us)} to "
            f"{_time(sample.last_us)}, peak {sample.peak}"
            + (
                f", entries {', '.join(map(str, sample.entries))} ..."
                * bool(sample.entries)
            )
        )
    if found.top:
        output.table(
            ("most alerts", "alerts#", "peak#"),
            [(_group(one.group), one.alerts, one.peak) for one in found.top],
        )
    if found.sweep:
        output.table(
            ("threshold#", "alerts#", "a day#", "groups#"),
            [
                (one.threshold, one.alerts, f"{one.alerts / days:.1f}", one.groups)
                for one in found.sweep
            ],
        )


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _group(group: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in group.items()) or "all"


def _time(at_us: int) -> str:
    return format_time(datetime.fromtimestamp(at_us / 1_000_000, UTC))
