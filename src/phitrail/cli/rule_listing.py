"""`phitrail rule list`: the rules that make alerts, and which windows each was judged over."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from phitrail.app import clock
from phitrail.app.detect_state import Gap, Standing
from phitrail.app.rule_coverage import RuleCoverage, TrailCoverage, read_coverage
from phitrail.app.rules import TrailRules, own_files, rules_of
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.errors import InputError
from phitrail.events.codes import Log
from phitrail.events.ids import format_time

SHOWN_GAPS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WHY: Mapping[str, str] = {
    "beyond_horizon": "came too late to be judged",
    "state_cap": "groups were forgotten: there were too many",
    "warm_up": "not seen: too many rows before the rule was put in force",
    "unattended": "nobody judged; judged later",
}


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "list", epilog=examples("phitrail rule list", "phitrail rule list --json")
    )(list_rules)


def list_rules(trail: TrailDirectory = DEFAULT_TRAIL, as_json: AsJson = False) -> int:
    """List the rules that make alerts, and which windows each of them judged.

    From when until when, how far behind, and which times were not judged as they came. The
    exit code is 1 when detection stopped, rule files were refused, or a rule never ran where
    others did. Needs no key and leaves no audit entry.
    """
    output = Output(as_json)
    rules, refused = rules_or_error(trail)
    covered = read_coverage(trail, rules, clock.now())
    if as_json:
        output.data(
            {
                "rules": [_rule_object(one, rules) for one in covered.rules],
                "detection": _detection_object(covered),
                "refused": refused,
            }
        )
    else:
        _print(output, covered, refused)
    is_wrong = bool(refused) or covered.has_failed
    return ExitCode.CHECK_FAILED if is_wrong else ExitCode.OK


def rules_or_error(trail: Path) -> tuple[TrailRules, str]:
    """Read the rules of a trail; where its own are refused, ours and what is wrong."""
    try:
        return rules_of(own_files(trail)), ""
    except InputError as error:
        return rules_of(()), str(error)


def _rule_object(one: RuleCoverage, rules: TrailRules) -> Mapping[str, object]:
    head, judged = one.rule.head, one.judged
    return {
        "rule_id": head.rule_id,
        "title": head.title,
        "level": head.severity,
        "file": head.place.file,
        "is_own": rules.is_own(one.rule),
        "judged_since": None if judged is None else _time(judged.since_us),
        "judged_until": None if judged is None else _time(judged.until_us),
        "lag_s": one.lag_s,
        "windows": 0 if judged is None else judged.windows,
        "alerts": 0 if judged is None else judged.alerts,
        "gaps": [_gap_object(gap) for gap in one.gaps if gap.rule_id],
        "controls": head.controls,
    }


def _detection_object(covered: TrailCoverage) -> Mapping[str, object] | None:
    standing = covered.standing
    if standing is None:
        return None
    return {
        "looked_at": standing.looked_at,
        "judged": {log.value: standing.batch.end(log) for log in Log},
        "unjudged": covered.unjudged,
        "watermark": _time(standing.watermark_us),
        "failure": standing.failure or None,
        "rules_error": standing.rules_error or None,
        "gaps": [_gap_object(gap) for gap in covered.gaps if not gap.rule_id],
    }


def _gap_object(gap: Gap) -> Mapping[str, object]:
    return {
        "reason": gap.reason,
        "from": _time(gap.from_us),
        "until": _time(gap.until_us),
        "rows": gap.rows,
    }


def _print(output: Output, covered: TrailCoverage, refused: str) -> None:
    output.table(
        ("rule", "title", "level", "file", "judged from", "until", "lag#", "windows#",
         "alerts#", "gaps#"),
        [_rule_row(one) for one in covered.rules],
    )  # fmt: skip
    _print_gaps(output, covered.gaps)
    _print_standing(output, covered.standing, covered.unjudged)
    if refused:
        output.line(f"rule files are refused, the old ones stand: {refused}")


def _rule_row(one: RuleCoverage) -> Sequence[object]:
    head, judged = one.rule.head, one.judged
    return (
        head.rule_id,
        head.title,
        head.severity,
        head.place.file,
        "never" if judged is None else _time(judged.since_us),
        "" if judged is None else _time(judged.until_us),
        "" if one.lag_s is None else f"{one.lag_s:.1f} s",
        0 if judged is None else judged.windows,
        0 if judged is None else judged.alerts,
        len(one.gaps),
    )


def _print_gaps(output: Output, gaps: Sequence[Gap]) -> None:
    if not gaps:
        return
    output.line()
    output.table(
        ("gap", "from", "until", "rows#", "rule"),
        [
            (
                _WHY.get(gap.reason, gap.reason),
                _time(gap.from_us),
                _time(gap.until_us),
                gap.rows,
                gap.rule_id or "all",
            )
            for gap in gaps[-SHOWN_GAPS:]
        ],
    )
    if len(gaps) > SHOWN_GAPS:
        output.line(f"and {len(gaps) - SHOWN_GAPS} before; --json lists all")
    output.line("`phitrail rule backtest --from --to` judges such a time over history")


def _print_standing(output: Output, standing: Standing | None, unjudged: int) -> None:
    if standing is None:
        output.line("no rule was judged yet: nobody who records has this trail open")
        return
    output.line(
        f"looked at {standing.looked_at}; {unjudged} entries are not judged yet"
    )
    if standing.failure:
        output.line(f"detection stopped: {standing.failure}")
    if standing.rules_error:
        output.line(f"the rules were not changed: {standing.rules_error}")


def _time(at_us: int) -> str:
    return format_time(_EPOCH + timedelta(microseconds=max(0, at_us)))
