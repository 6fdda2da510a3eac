"""`phitrail rule`: the rules of a trail, whether they hold together, and whether they ran."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from phitrail.app.rules import LISTS, RuleFiles, lists_of, own_files, rules_of
from phitrail.cli import rule_backtest, rule_listing
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.log import require_verb
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.detect.rule_tests import read_tests, run_tests
from phitrail.detect.schema import fields_of
from phitrail.errors import InputError
from phitrail.events.codes import Log

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


@app.callback(invoke_without_command=True)
def rule(context: typer.Context) -> None:
    """Rules that are judged over the logs, and whether they ran."""
    require_verb(context)


rule_listing.add_to(app)
rule_backtest.add_to(app)


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
    file_count = sum(name != LISTS for name, _ in given)
    try:
        rules = rules_of(given)
        read_tests(rules.set)
        count = sum(rules.is_own(rule) for rule in rules.set.rules)
    except InputError as error:
        wrong = str(error)
    if as_json:
        output.data({"files": file_count, "rules": count, "error": wrong or None})
    else:
        output.line(wrong or f"{count} rules in {file_count} files: nothing is wrong")
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
    read = list(lists_of(trail))
    for file in files:
        try:
            read.append((str(file), file.read_bytes()))
        except OSError as error:
            raise InputError(f"cannot read {file}: {error.strerror}") from None
    return tuple(read)
