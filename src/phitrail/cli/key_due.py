"""`phitrail key due`: what is to be done about the keys, and by when."""

from typing import Any

import typer

from phitrail.app import clock
from phitrail.app.config import read_policy
from phitrail.app.key_due import command_of, list_due
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.keys.due import Due


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=examples("phitrail key due", "phitrail key due --json"))(due)


def due(trail: TrailDirectory = DEFAULT_TRAIL, as_json: AsJson = False) -> int:
    """List what is due or overdue of the keys, and what to run about it.

    The exit code is 1 when something is overdue. What is due comes from keys.policies
    and keys.notice_days of policy.yaml. Needs no key and leaves no audit entry.
    """
    output = Output(as_json)
    found = list_due(trail, clock.now())
    overdue = sum(one.is_overdue for one in found)
    notice_days = read_policy(trail).keys.notice_days
    if as_json:
        output.data(
            {
                "notice_days": notice_days,
                "overdue": overdue,
                "due": [_object(one) for one in found],
            }
        )
    elif found:
        output.table(
            ("what", "of", "standing", "by", "to do"),
            [
                (
                    one.kind,
                    one.subject,
                    "OVERDUE" if one.is_overdue else "due",
                    one.due_at[: len("2026-01-01")],
                    command_of(one),
                )
                for one in found
            ],
        )
    if not as_json:
        output.line(
            f"{len(found)} due within {notice_days} days, {overdue} of them overdue"
        )
    return ExitCode.CHECK_FAILED if overdue else ExitCode.OK


def _object(one: Due) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "subject": one.subject,
        "notice_at": one.notice_at,
        "due_at": one.due_at,
        "is_overdue": one.is_overdue,
        "to_do": command_of(one),
    }
