"""`phitrail rule`: the rules of a trail, whether they hold together, and whether they ran."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from phitrail.app.detect_state import Report, read_report
from phitrail.app.rules import RuleFiles, TrailRules, own_files, rules_of
from phitrail.cli import rule_backtest
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.log import require_verb
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.detect.rule_tests import read_tests, run_tests
from phitrail.detect.schema import fields_of
from phitrail.detect.typed import Rule
from phitrail.errors import InputError
from phitrail.events.codes import Log
from phitrail.events.ids import format_time

app = typer.Typer(
    rich_markup_mode=None,
    epilog=examples("phitrail rule list", "phitrail rule lint rules/vip.yml"),
)

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[FILE]...",
        help="Rule files.  [default: those of the trail]",
        show_default=False,
    ),
]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@app.callback(invoke_without_command=True)
def rule(context: typer.Context) -> None:
    """Rules that are judged over the logs, and whether they ran."""
    require_verb(context)


rule_backtest.add_to(app)


@app.command("list", epilog=examples("phitrail rule list", "phitrail rule list --json"))
def list_rules(trail: TrailDirectory = DEFAULT_TRAIL, as_json: AsJson = False) -> int:
    """List the rules that make alerts, and what each of them judged.

    The exit code is 1 when detection stopped, rule files were refused, or a rule that
    should run never did. Needs no key and leaves no audit entry.
    """
    output = Output(as_json)
    report = read_report(trail)
    rules, refused = _rules_or_error(trail)
    judged = rules.set.judged()
    listed = [_rule_object(rule, rules, report) for rule in judged]
    if as_json:
        output.data(
            {"rules": listed, "detection": _standing(report), "refused": refused}
        )
    else:
        output.table(
            ("rule", "title", "level", "from", "judged until", "windows#", "alerts#"),
            [
                (
                    one["rule_id"],
                    one["title"],
                    one["level"],
                    one["file"],
                    one["judged_until"] or "never",
                    one["windows"],
                    one["alerts"],
                )
                for one in listed
            ],
        )
        _say_standing(output, report, refused)
    return ExitCode.CHECK_FAILED if _is_wrong(report, refused) else ExitCode.OK


@app.command(
    epilog=examples("phitrail rule lint", "phitrail rule lint rules/vip.yml --json")
)
def lint(
    files: Files = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    as_json: AsJson = False,
) -> int:
    """Read rule files together with the packaged ones, and say what is wrong with them.

    The exit code is 1 when a file is refused; file, line and column are named.
    """
    output = Output(as_json)
    given = _given(files, trail)
    wrong, count = "", 0
    try:
        rules = rules_of(given)
        read_tests(rules.set)
        count = sum(rules.is_own(rule) for rule in rules.set.rules)
    except InputError as error:
        wrong = str(error)
    if as_json:
        output.data({"files": len(given), "rules": count, "error": wrong or None})
    else:
        output.line(wrong or f"{count} rules in {len(given)} files: nothing is wrong")
    return ExitCode.CHECK_FAILED if wrong else ExitCode.OK


@app.command(
    "test", epilog=examples("phitrail rule test", "phitrail rule test rules/vip.yml")
)
def run(
    files: Files = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    as_json: AsJson = False,
) -> int:
    """Run the tests that stand in rule files (x_tests), the packaged ones too.

    Each is judged forwards, backwards, with every event twice, and with the watermark close
    behind. The exit code is 1 when one fails.
    """
    output = Output(as_json)
    results = run_tests(read_tests(rules_of(_given(files, trail)).set))
    failed = [one for one in results if one.failures]
    if as_json:
        output.data(
            {
                "tests": len(results),
                "failed": [
                    {
                        "place": str(one.test.place),
                        "rule_id": one.test.rule.head.rule_id,
                        "name": one.test.name,
                        "failures": one.failures,
                    }
                    for one in failed
                ],
            }
        )
    else:
        for one in failed:
            output.line(f"{one.test.place}: {one.test.name}: {'; '.join(one.failures)}")
        output.line(f"{len(results)} tests, {len(failed)} failed")
    return ExitCode.CHECK_FAILED if failed else ExitCode.OK


@app.command(
    epilog=examples("phitrail rule fields --log audit", "phitrail rule fields --json")
)
def fields(
    log: Annotated[Log | None, typer.Option("--log", help="Which log.")] = None,
    as_json: AsJson = False,
) -> int:
    """List the fields that a rule may name, by log, and what each holds."""
    output = Output(as_json)
    logs = Log if log is None else (log,)
    listed = [
        {"log": one.value, "field": name, "holds": kind.value}
        for one in logs
        for name, kind in sorted(fields_of(one).items())
    ]
    if as_json:
        output.data({"fields": listed})
    else:
        output.table(("log", "field", "holds"), [tuple(one.values()) for one in listed])
    return ExitCode.OK


def _given(files: Sequence[Path] | None, trail: Path) -> RuleFiles:
    if not files:
        return own_files(trail)
    read = []
    for file in files:
        try:
            read.append((str(file), file.read_bytes()))
        except OSError as error:
            raise InputError(f"cannot read {file}: {error.strerror}") from None
    return tuple(read)


def _rules_or_error(trail: Path) -> tuple[TrailRules, str]:
    """Read the rules of a trail; where its own are refused, ours and what is wrong."""
    try:
        return rules_of(own_files(trail)), ""
    except InputError as error:
        return rules_of(()), str(error)


def _rule_object(
    rule: Rule, rules: TrailRules, report: Report | None
) -> Mapping[str, object]:
    covered = None if report is None else report.coverage.get(rule.head.rule_id)
    return {
        "rule_id": rule.head.rule_id,
        "title": rule.head.title,
        "level": rule.head.severity,
        "file": rule.head.place.file,
        "is_own": rules.is_own(rule),
        "judged_since": None if covered is None else _time(covered.since_us),
        "judged_until": None if covered is None else _time(covered.until_us),
        "windows": 0 if covered is None else covered.windows,
        "alerts": 0 if covered is None else covered.alerts,
        "controls": rule.head.controls,
    }


def _standing(report: Report | None) -> Mapping[str, object] | None:
    if report is None:
        return None
    standing = report.standing
    return {
        "looked_at": standing.looked_at,
        "judged": {log.value: standing.batch.end(log) for log in Log},
        "watermark": _time(standing.watermark_us),
        "failure": standing.failure or None,
        "rules_error": standing.rules_error or None,
        "gaps": [
            {
                "reason": gap.reason,
                "from": _time(gap.from_us),
                "until": _time(gap.until_us),
                "rows": gap.rows,
            }
            for gap in report.gaps
        ],
    }


def _say_standing(output: Output, report: Report | None, refused: str) -> None:
    if report is None:
        output.line("no rule was judged yet: nobody who records has this trail open")
    else:
        standing = report.standing
        rows = sum(gap.rows for gap in report.gaps)
        output.line(
            f"looked at {standing.looked_at}; {rows} rows in {len(report.gaps)} gaps "
            "could not be judged as they came"
        )
        if standing.failure:
            output.line(f"detection stopped: {standing.failure}")
    if refused:
        output.line(f"rule files are refused, the old ones stand: {refused}")


def _is_wrong(report: Report | None, refused: str) -> bool:
    return bool(refused) or (report is not None and bool(report.standing.failure))


def _time(at_us: int) -> str:
    return format_time(_EPOCH + timedelta(microseconds=max(0, at_us)))
