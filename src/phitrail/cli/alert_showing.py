"""`phitrail alert show`: why it is an alert, what it rests on, and what to do."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from phitrail.app import clock
from phitrail.app.alert_board import StandingAlert
from phitrail.app.alert_containment import StandingContainment, proposed
from phitrail.app.alert_showing import (
    Evidence,
    Notifications,
    ShownAlert,
    show_alert,
    told_of,
)
from phitrail.app.reading import system_user
from phitrail.app.running import run_trail
from phitrail.cli.alert_quality import (
    quality_containment,
    quality_facts,
    told_measure,
)
from phitrail.cli.alert_words import AlertId, rules_here
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, Reader, TrailDirectory
from phitrail.cli.output import Output
from phitrail.detect.typed import Correlation, Rule
from phitrail.events.ids import format_time

_TOLD = ("timestamp_utc", "event_type", "user_id", "use_case", "reason_code")
_SECOND_US = 1_000_000
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_GONE = "see the rule"
MOST_TOLD = 5


def show(
    alert_id: AlertId,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Reader = None,
    as_json: AsJson = False,
) -> int:
    """Explain an alert: why it is one, what it rests on, and what to do.

    The reading is itself recorded in the audit log.
    """
    output, now = Output(as_json), clock.now()
    with run_trail(trail) as running:
        shown = show_alert(running.parts, alert_id, by=by or system_user(), now=now)
    rule = rules_here(trail).get(shown.alert.newest.rule_id)
    notifications = told_of(shown.alert, rule.head.suppress_us if rule else 0)
    facts = _facts(shown, rule, notifications, now)
    evidence = [_evidence(one) for one in shown.evidence]
    moves = _moves(shown, notifications)
    contained = [_containment(one, now) for one in shown.containments]
    if as_json:
        output.data(
            {
                **facts,
                "falsepositives": () if rule is None else rule.head.falsepositives,
                "proposed_containment": _proposed(shown.alert, rule),
                "containments": contained,
                "evidence": evidence,
                "moves": moves,
                "notes": tuple(shown.notes.values()),
                "notifications_held_until": _time(notifications.held_until),
            }
        )
        return ExitCode.OK
    output.facts(list(facts.items()))
    if contained:
        output.line()
        _table(output, ("containment", "entry", "of", "began_at", "stands"), contained)
    output.line()
    _table(output, ("entry", "proof", *_TOLD), evidence)
    output.line("`phitrail log prove --log LOG INDEX` proves an entry to anybody")
    output.line()
    _table(output, ("entry", "at", "state", "count", "told", "by", "note"), moves)
    return ExitCode.OK


# --- facts ---


def _facts(
    shown: ShownAlert, rule: Rule | None, notifications: Notifications, now: datetime
) -> dict[str, object]:
    one, newest = shown.alert, shown.alert.newest
    proposal = _proposed(one, rule)
    facts: dict[str, object] = {
        "alert": newest.alert_id,
        "what": "a rule that is not here any more" if rule is None else rule.head.title,
        "severity": newest.severity,
        "window": f"{newest.window_start} to {newest.window_end}",
        "count": newest.match_count,
        "threshold": "none" if newest.threshold is None else newest.threshold,
        "why": _why(one, rule),
        "description": _GONE if rule is None else rule.head.description or _GONE,
        **one.subjects(),
        "controls": ", ".join(newest.controls) or "none",
        "rule": f"{newest.rule_id} ({newest.rule_digest})",
        "stands at": one.disposition or one.assigned_to or "open",
        "overdue": ("no", "yes", "yes, for twice its time")[one.overdue],
        "episode": "over" if one.is_over else "goes on, as far as is known",
        "proof": _proof(shown.proven_in, "of the security log"),
        "completeness": _completeness(shown),
        "notifications": _held(notifications, now),
        "to do": _GONE if rule is None else rule.head.response or _GONE,
        "to contain": " ".join(f"{k}={v}" for k, v in proposal.items()) or "nothing",
    }
    return facts if newest.metric is None else {**facts, **quality_facts(newest)}


def _why(one: StandingAlert, rule: Rule | None) -> str:
    reasons = ", ".join(one.newest.reason_codes)
    if not isinstance(rule, Correlation):
        return reasons
    bounds = " and ".join(f"{bound.compare} {bound.number}" for bound in rule.bounds)
    measured = rule.kind.value if rule.field is None else f"{rule.kind} of {rule.field}"
    asked = f"{measured} {bounds}".strip()
    return f"{reasons}: {asked} within {_length(rule.span_us)}"


def _length(span_us: int) -> str:
    seconds = span_us // _SECOND_US
    unit, length = next(one for one in _UNITS if seconds % one[1] == 0)
    return f"{seconds // length}{unit}"


def _proof(size: int | None, whose: str) -> str:
    if size is None:
        return "not published yet; ask again in a second"
    return f"in the checkpoint of {size} entries {whose}"


def _completeness(shown: ShownAlert) -> str:
    digest = shown.alert.newest.completeness_digest
    if digest is None:
        return "nothing was stated of its window"
    stated = shown.completeness
    if stated is None:
        return f"statement {digest}, not kept here"
    hours = f"of {stated.from_} to {stated.until}"
    if not stated.missing:
        return f"{hours} nothing was known to be missing (statement {digest})"
    told = ", ".join(
        " ".join(
            (
                each.event_type,
                *(part for part in (each.object_id, each.reason_code) if part),
                *((f"({each.count})",) if each.count else ()),
                f"in {each.entry}",
            )
        )
        for each in stated.missing[:MOST_TOLD]
    )
    more = len(stated.missing) - MOST_TOLD
    rest = f", and {more} more" if more > 0 else ""
    return f"{hours} was known: {told}{rest} (statement {digest})"


def _held(notifications: Notifications, now: datetime) -> str:
    until = notifications.held_until
    if until is None:
        return "none is held back"
    if until <= now:
        return f"were held back until {_time(until)}"
    return f"held back until {_time(until)}"


def _proposed(one: StandingAlert, rule: Rule | None) -> Mapping[str, str]:
    if one.newest.metric is not None:
        return quality_containment(one.newest)
    return {} if rule is None else proposed(rule.head.containment, one.subjects())


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


# --- lists ---


def _evidence(one: Evidence) -> dict[str, object]:
    fields = one.fields()
    told = {name: str(fields[name]) for name in _TOLD if name in fields}
    if "timestamp_utc" in fields:
        told["timestamp_utc"] = f"{fields['timestamp_utc']}Z"
    return {
        "entry": f"{one.log}:{one.index}",
        "is_proven": one.is_proven,
        "proven_in": one.proven_in,
        "proof": "not yet" if one.proven_in is None else f"in {one.proven_in} entries",
        **told,
    }


def _moves(shown: ShownAlert, notifications: Notifications) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for index, move in shown.alert.moves:
        note = shown.notes.get(index, {})
        said = note.get("reason", note.get("note", ""))
        if "containment" in note:
            said += f" (containment {note['containment']})"
        state = str(move.disposition or move.assigned_to or move.state) if note else ""
        found.append(
            {
                "entry": f"security:{index}",
                "at": move.timestamp_utc,
                "state": state or str(move.state),
                "count": "" if note else told_measure(move),
                "told": "yes" if index in notifications.told else "",
                "by": note.get("by", "detection" if not note else ""),
                "note": said or ", ".join(move.reason_codes),
            }
        )
    return found


def _containment(one: StandingContainment, now: datetime) -> dict[str, object]:
    end = format_time(one.ends_at)
    stands = f"until {end}" if one.stands(now) else f"ended at {end}"
    return {
        "containment": one.event_id,
        "entry": one.entry,
        "alert_id": one.alert_id,
        "of": " ".join(f"{k}={v}" for k, v in one.named.items()),
        "began_at": format_time(one.began_at),
        "ends_at": end,
        "is_standing": one.stands(now),
        "is_confirmed": one.is_confirmed,
        "stands": f"{stands}, confirmed" if one.is_confirmed else stands,
    }


def _table(
    output: Output, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    names = [
        name.replace("_", " ") if name != "timestamp_utc" else name for name in columns
    ]
    output.table(names, [[row.get(name) or "" for name in columns] for row in rows])
