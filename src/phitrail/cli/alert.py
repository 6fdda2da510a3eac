"""`phitrail alert`: what rules found, and what people made of it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated

import typer

from phitrail.app import clock
from phitrail.app.alert_board import (
    MOST_LISTED,
    AlertFilter,
    Board,
    Standing,
    StandingAlert,
    list_alerts,
)
from phitrail.app.alert_moves import assign_alert, close_alert
from phitrail.app.alert_stats import RuleStats, read_stats
from phitrail.app.reading import system_user
from phitrail.app.running import run_trail
from phitrail.cli.alert_quality import told_measure
from phitrail.cli.alert_showing import show
from phitrail.cli.alert_words import (
    AlertId,
    parse_since,
    rules_here,
    title_of,
    told_age,
)
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.log import require_verb
from phitrail.cli.options import (
    DEFAULT_TRAIL,
    AsJson,
    Reader,
    TrailDirectory,
    examples,
    option,
)
from phitrail.cli.output import Output
from phitrail.detect.typed import Rule
from phitrail.events.codes import Disposition, Severity

app = typer.Typer(
    rich_markup_mode=None,
    epilog=examples("phitrail alert list", "phitrail alert show 55d7c489"),
)
_SHOWN_ID = 16

Why = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, in words; kept sealed.")
]
Since = Annotated[
    str | None,
    option(
        "--since", "WHEN", "Opened from then on: a day, a time, or so long ago (7d)."
    ),
]


@app.callback(invoke_without_command=True)
def alert(context: typer.Context) -> None:
    """What rules found, and what people made of it."""
    require_verb(context)


@app.command(
    "list",
    epilog=examples(
        "phitrail alert list",
        "phitrail alert list --level high --since 7d",
        "phitrail alert list --overdue --json",
        "phitrail alert list --all --rule 7d1b8a52",
    ),
)
def list_(
    trail: TrailDirectory = DEFAULT_TRAIL,
    with_disposed: Annotated[
        bool, typer.Option("--all", help="Those with a disposition, too.")
    ] = False,
    standing: Annotated[
        Standing, typer.Option("--standing", help="Where they stand with people.")
    ] = Standing.OPEN,
    level: Annotated[
        Severity | None,
        typer.Option("--level", help="Of this level or a higher one."),
    ] = None,
    rule: Annotated[
        str | None,
        option("--rule", "RULE", "Of the rules whose id begins so, or title holds it."),
    ] = None,
    since: Since = None,
    assigned_to: Annotated[
        str | None, option("--assigned-to", "USER", "Those that this person looks at.")
    ] = None,
    is_overdue: Annotated[
        bool, typer.Option("--overdue", help="Those whose time has passed.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=100_000, help="Show so many at most.")
    ] = MOST_LISTED,
    by: Reader = None,
    as_json: AsJson = False,
) -> int:
    """List alerts that nobody disposed of, the newest first.

    The reading is itself recorded in the audit log. The exit code is 1 when there is one
    without a disposition.
    """
    output, now = Output(as_json), clock.now()
    rules = rules_here(trail)
    wanted = AlertFilter(
        standing=Standing.ALL if with_disposed else standing,
        level=level,
        rule_ids=None if rule is None else _named(rules, rule),
        since=None if since is None else parse_since("--since", since, now),
        assigned_to=assigned_to,
        is_overdue=is_overdue,
        limit=limit,
    )
    with run_trail(trail) as running:
        board = list_alerts(
            running.parts, by=by or system_user(), now=now, wanted=wanted
        )
    if as_json:
        alerts = [_object(one, rules, now) for one in board.alerts]
        output.data(
            {
                "alerts": alerts,
                "total": board.total,
                "dispositions": board.dispositions,
            }
        )
    else:
        _print(output, board, rules, now)
    is_open = any(not one.is_disposed for one in board.alerts)
    return ExitCode.CHECK_FAILED if is_open else ExitCode.OK


def _named(rules: Mapping[str, Rule], wanted: str) -> frozenset[str]:
    """Name the rules that are meant; one that is gone is meant by its id."""
    low = wanted.lower()
    return frozenset(
        rule_id
        for rule_id, rule in rules.items()
        if rule_id.startswith(low) or low in rule.head.title.lower()
    ) | {low}


def _object(
    one: StandingAlert, rules: Mapping[str, Rule], now: datetime
) -> dict[str, object]:
    return {
        "alert_id": one.newest.alert_id,
        "opened_at": one.opened.timestamp_utc,
        "age_s": int(one.age(now).total_seconds()),
        "severity": one.newest.severity,
        "rule_id": one.newest.rule_id,
        "title": title_of(rules, one.newest.rule_id),
        "subjects": one.subjects(),
        "match_count": one.newest.match_count,
        "threshold": one.newest.threshold,
        "is_over": one.is_over,
        "assigned_to": one.assigned_to,
        "disposition": one.disposition,
        "is_overdue": one.overdue > 0,
    }


def _print(
    output: Output, board: Board, rules: Mapping[str, Rule], now: datetime
) -> None:
    output.table(
        ("alert", "opened", "age#", "severity", "what", "about", "count#", "stands at"),
        [
            (
                one.newest.alert_id[:_SHOWN_ID],
                one.opened.timestamp_utc,
                told_age(one.age(now)),
                one.newest.severity,
                title_of(rules, one.newest.rule_id),
                " ".join(f"{k}={v}" for k, v in one.subjects().items()),
                told_measure(one.newest),
                _stands_at(one),
            )
            for one in board.alerts
        ],
    )
    if board.total > len(board.alerts):
        output.line(f"{board.total - len(board.alerts)} older ones are not shown")
    counts = sorted(board.dispositions.items())
    told = ", ".join(
        f"{count} {'undisposed' if name == 'none' else name}" for name, count in counts
    )
    output.line(f"in all: {told or 'none'}")


def _stands_at(one: StandingAlert) -> str:
    stands = one.disposition or one.assigned_to or "open"
    return f"{stands}, OVERDUE" if one.overdue else stands


app.command(
    epilog=examples(
        "phitrail alert show 55d7c489", "phitrail alert show 55d7c489 --json"
    )
)(show)


@app.command(epilog=examples("phitrail alert assign 55d7c489 --to officer"))
def assign(
    alert_id: AlertId,
    to: Annotated[
        str, typer.Option("--to", metavar="USER", help="Who looks at it from now on.")
    ],
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Reader = None,
    as_json: AsJson = False,
) -> int:
    """Say who looks at an alert."""
    output = Output(as_json)
    with run_trail(trail) as running:
        one = assign_alert(
            running.parts, alert_id, to=to, by=by or system_user(), now=clock.now()
        )
    if as_json:
        output.data({"alert_id": one.newest.alert_id, "assigned_to": one.assigned_to})
    else:
        output.line(f"{one.newest.alert_id} is assigned to {one.assigned_to}")
    return ExitCode.OK


@app.command(
    epilog=examples(
        "phitrail alert close 55d7c489 --as-what explained --reason 'a test of the guard'"
    )
)
def close(
    alert_id: AlertId,
    disposition: Annotated[
        Disposition, typer.Option("--as-what", help="What it was found to be.")
    ],
    reason: Why,
    reason_code: Annotated[
        str | None,
        typer.Option(
            "--reason-code", metavar="TERM", help="A reason code of the vocabulary."
        ),
    ] = None,
    containment: Annotated[
        str | None,
        option(
            "--containment",
            "EVENT_ID",
            "The containment that was begun for it, or the first characters.",
        ),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Reader = None,
    as_json: AsJson = False,
) -> int:
    """Say what an alert was found to be, and why; the words stay sealed."""
    output = Output(as_json)
    with run_trail(trail) as running:
        one = close_alert(
            running.parts,
            alert_id,
            disposition=disposition,
            reason=reason,
            reason_code=reason_code,
            containment=containment,
            by=by or system_user(),
            now=clock.now(),
        )
    if as_json:
        output.data({"alert_id": one.newest.alert_id, "disposition": one.disposition})
    else:
        output.line(f"{one.newest.alert_id} is closed as {one.disposition}")
    return ExitCode.OK


@app.command(
    epilog=examples("phitrail alert stats", "phitrail alert stats --since 90d --json")
)
def stats(
    trail: TrailDirectory = DEFAULT_TRAIL,
    since: Since = None,
    by: Reader = None,
    as_json: AsJson = False,
) -> int:
    """Say how good each rule is, by what its alerts were found to be.

    Precision is the share of true positives among those that were judged (true, false,
    explained), with its 95 % interval. The reading is itself recorded in the audit log.
    """
    output, now = Output(as_json), clock.now()
    begun = None if since is None else parse_since("--since", since, now)
    with run_trail(trail) as running:
        found = read_stats(running.parts, by=by or system_user(), now=now, since=begun)
    rules = rules_here(trail)
    if as_json:
        output.data({"rules": [_stats_object(one, rules) for one in found]})
        return ExitCode.OK
    names = (
        "true_positive",
        "false_positive",
        "explained",
        "test",
        "duplicate",
        "none",
    )
    output.table(
        ("rule", "alerts#", *(f"{n.replace('_', ' ')}#" for n in names), "precision",
         "median wait#"),
        [
            (
                title_of(rules, one.rule_id),
                one.alerts,
                *(one.dispositions.get(name, 0) for name in names),
                _precision(one),
                "" if one.median_wait is None else told_age(one.median_wait),
            )
            for one in found
        ],
    )  # fmt: skip
    return ExitCode.OK


def _stats_object(one: RuleStats, rules: Mapping[str, Rule]) -> dict[str, object]:
    wait = one.median_wait
    return {
        "rule_id": one.rule_id,
        "title": title_of(rules, one.rule_id),
        "alerts": one.alerts,
        "dispositions": one.dispositions,
        "judged": one.judged,
        "precision": one.precision,
        "precision_low": one.low,
        "precision_high": one.high,
        "median_wait_s": None if wait is None else wait / timedelta(seconds=1),
    }


def _precision(one: RuleStats) -> str:
    if one.precision is None or one.low is None or one.high is None:
        return "not judged"
    return f"{one.precision:.2f} ({one.low:.2f} to {one.high:.2f}) of {one.judged}"
