"""`phitrail alert`: what rules found, and what people made of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from phitrail.app import clock
from phitrail.app.alert_board import (
    assign_alert,
    close_alert,
    list_alerts,
    show_alert,
)
from phitrail.app.reading import system_user
from phitrail.app.rules import own_files, rules_of
from phitrail.app.running import run_trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.log import require_verb
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, Reader, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.detect.typed import Rule
from phitrail.errors import InputError
from phitrail.events.codes import Disposition

app = typer.Typer(
    rich_markup_mode=None,
    epilog=examples("phitrail alert list", "phitrail alert show 55d7c489"),
)
_SHOWN_ID = 16
_TOLD = ("timestamp_utc", "event_type", "user_id", "use_case", "reason_code")

AlertId = Annotated[
    str,
    typer.Argument(
        metavar="ALERT",
        help="Its id, or the first characters of it.",
        show_default=False,
    ),
]
Why = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, in words; kept sealed.")
]


@app.callback(invoke_without_command=True)
def alert(context: typer.Context) -> None:
    """What rules found, and what people made of it."""
    require_verb(context)


@app.command(
    "list", epilog=examples("phitrail alert list", "phitrail alert list --all --json")
)
def list_(
    trail: TrailDirectory = DEFAULT_TRAIL,
    with_disposed: Annotated[
        bool, typer.Option("--all", help="Those with a disposition, too.")
    ] = False,
    by: Reader = None,
    as_json: AsJson = False,
) -> int:
    """List alerts that nobody disposed of, the newest first.

    The reading is itself recorded in the audit log. The exit code is 1 when there is one.
    """
    output = Output(as_json)
    with run_trail(trail) as running:
        found = list_alerts(
            running.parts,
            by=by or system_user(),
            now=clock.now(),
            with_disposed=with_disposed,
        )
    rules = _rules(trail)
    listed = [
        {
            "alert_id": one.newest.alert_id,
            "opened_at": one.opened.timestamp_utc,
            "severity": one.newest.severity,
            "rule_id": one.newest.rule_id,
            "title": _title(rules, one.newest.rule_id),
            "subjects": one.subjects(),
            "match_count": one.newest.match_count,
            "threshold": one.newest.threshold,
            "is_over": one.is_over,
            "assigned_to": one.assigned_to,
            "disposition": one.disposition,
        }
        for one in found
    ]
    if as_json:
        output.data({"alerts": listed})
    else:
        output.table(
            ("alert", "opened", "severity", "what", "about", "count#", "stands at"),
            [
                (
                    one.newest.alert_id[:_SHOWN_ID],
                    one.opened.timestamp_utc,
                    one.newest.severity,
                    _title(rules, one.newest.rule_id),
                    " ".join(f"{k}={v}" for k, v in one.subjects().items()),
                    one.newest.match_count,
                    one.disposition or one.assigned_to or "open",
                )
                for one in found
            ],
        )
    is_open = any(not one.is_disposed for one in found)
    return ExitCode.CHECK_FAILED if is_open else ExitCode.OK


@app.command(
    epilog=examples(
        "phitrail alert show 55d7c489", "phitrail alert show 55d7c489 --json"
    )
)
def show(
    alert_id: AlertId,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Reader = None,
    as_json: AsJson = False,
) -> int:
    """Explain an alert: why it is one, what it rests on, and what to do.

    The reading is itself recorded in the audit log.
    """
    output = Output(as_json)
    with run_trail(trail) as running:
        shown = show_alert(
            running.parts, alert_id, by=by or system_user(), now=clock.now()
        )
    one, rule = shown.alert, _rules(trail).get(shown.alert.newest.rule_id)
    newest = one.newest
    facts = {
        "alert": newest.alert_id,
        "what": "a rule that is not here any more" if rule is None else rule.head.title,
        "severity": newest.severity,
        "window": f"{newest.window_start} to {newest.window_end}",
        "count": newest.match_count,
        "threshold": "none" if newest.threshold is None else newest.threshold,
        "why": ", ".join(newest.reason_codes),
        **one.subjects(),
        "controls": ", ".join(newest.controls) or "none",
        "rule": f"{newest.rule_id} ({newest.rule_digest})",
        "stands at": one.disposition or one.assigned_to or "open",
        "episode": "over" if one.is_over else "goes on, as far as is known",
        "proof": (
            "not published yet; ask again in a second"
            if shown.proven_in is None
            else f"in the checkpoint of {shown.proven_in} entries of the security log"
        ),
        "to do": "see the rule"
        if rule is None
        else rule.head.response or "see the rule",
    }
    evidence = [
        {"entry": f"{e.log}:{e.index}", "is_proven": e.is_proven, **_told(e.fields())}
        for e in shown.evidence
    ]
    moves = [
        {"entry": f"security:{at}", "state": m.state, "at": m.timestamp_utc}
        for at, m in one.moves
    ]
    if as_json:
        output.data(
            {
                **facts,
                "falsepositives": () if rule is None else rule.head.falsepositives,
                "evidence": evidence,
                "moves": moves,
                "notes": shown.notes,
            }
        )
        return ExitCode.OK
    output.facts(list(facts.items()))
    output.line()
    output.table(
        ("evidence", "proven", *_TOLD),
        [
            (
                e["entry"],
                "yes" if e["is_proven"] else "not yet",
                *(e.get(name, "") for name in _TOLD),
            )
            for e in evidence
        ],
    )
    output.line("`phitrail log prove --log LOG INDEX` proves an entry to anybody")
    for note in shown.notes:
        output.line(f"{note.get('at')} {note.get('by')}: {note.get('reason')}")
    return ExitCode.OK


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
            by=by or system_user(),
            now=clock.now(),
        )
    if as_json:
        output.data({"alert_id": one.newest.alert_id, "disposition": one.disposition})
    else:
        output.line(f"{one.newest.alert_id} is closed as {one.disposition}")
    return ExitCode.OK


def _rules(trail: Path) -> Mapping[str, Rule]:
    """Read the rules, to say what an alert is; where they are refused, ours."""
    try:
        rules = rules_of(own_files(trail))
    except InputError:
        rules = rules_of(())
    return {rule.head.rule_id: rule for rule in rules.set.rules}


def _title(rules: Mapping[str, Rule], rule_id: str) -> str:
    rule = rules.get(rule_id)
    return rule_id if rule is None else rule.head.title


def _told(fields: Mapping[str, object]) -> Mapping[str, object]:
    told = {name: str(fields[name]) for name in _TOLD if name in fields}
    if "timestamp_utc" in fields:
        told["timestamp_utc"] = f"{fields['timestamp_utc']}Z"
    return told
