"""`phitrail key list`: every version of every key, and whether the log tells the same."""

from typing import Annotated, Any

import msgspec
import typer

from phitrail.app import clock
from phitrail.app.key_details import check_keys
from phitrail.app.key_history import RegisterCheck
from phitrail.app.key_listing import KeyTable, KeyVersion, list_versions
from phitrail.app.reading import system_user
from phitrail.app.running import run_trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import (
    DEFAULT_TRAIL,
    AsJson,
    Reader,
    TrailDirectory,
    examples,
)
from phitrail.cli.output import Output
from phitrail.keys.due import Due

_DAY = len("2026-11-21")


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "list",
        epilog=examples(
            "phitrail key list", "phitrail key list --check", "phitrail key list --json"
        ),
    )(list_)


def list_(
    is_checked: Annotated[
        bool,
        typer.Option("--check", help="Hold the register of keys against the log."),
    ] = False,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Reader = None,
    as_json: AsJson = False,
) -> int:
    """List every version of every key: its state, its age, what is due.

    Opens no key and leaves no audit entry. --check opens the audit log, so that is
    recorded; the exit code is 1 when the register is not what the events tell.
    """
    output, now = Output(as_json), clock.now()
    table = list_versions(trail, now)
    checked = None
    if is_checked:
        with run_trail(trail) as running:
            checked = check_keys(running.parts, by=by or system_user(), now=now)
    if as_json:
        output.data(_table_object(table, checked))
    else:
        _print_table(output, table)
        if checked is not None:
            _print_check(output, checked)
    is_wrong = checked is not None and checked.differences
    return ExitCode.CHECK_FAILED if is_wrong else ExitCode.OK


def _print_table(output: Output, table: KeyTable) -> None:
    output.table(
        ("key", "kind", "state", "since", "private half", "vault", "due", "kept until"),
        [
            (
                one.entry.key_id,
                one.entry.kind,
                one.entry.state,
                day_of(_since(one)),
                one.private_half or "",
                one.entry.vault,
                due_words(one.due),
                "on hold" if one.is_held else day_of(one.kept_until) or "for good",
            )
            for one in table.versions
        ],
    )
    for exception in table.register.exceptions:
        output.line(
            f"exception: {exception.rule} until {day_of(exception.until)}, "
            f"by {exception.by}"
        )
    for due in table.due:
        output.line(f"exception: {due.subject} {due_words(due)}")


def _print_check(output: Output, checked: RegisterCheck) -> None:
    for difference in checked.differences:
        output.line(f"found: {difference}")
    if checked.differences:
        output.line(
            "The register of keys is not what the log tells: keep this copy as evidence, "
            "restore state/key-register.json, and find out who had access."
        )
    else:
        output.line(
            f"The register of keys is what the log tells: {checked.keys} versions, "
            f"{checked.events} events."
        )


def _table_object(table: KeyTable, checked: RegisterCheck | None) -> dict[str, Any]:
    register = table.register
    found: dict[str, Any] = {
        "register": register.number,
        "written_at": register.written_at,
        "keys": [version_object(one) for one in table.versions],
        "exceptions": msgspec.to_builtins(register.exceptions),
        "due": [_due_object(one) for one in table.due],
    }
    if checked is not None:
        found["check"] = {
            "is_ok": not checked.differences,
            "events": checked.events,
            "differences": checked.differences,
        }
    return found


def version_object(one: KeyVersion) -> dict[str, Any]:
    """Write one version as a JSON object."""
    return {
        "key": str(one.entry.key_id),
        **msgspec.to_builtins(one.entry),
        "private_half": one.private_half,
        "due": None if one.due is None else _due_object(one.due),
        "kept_until": one.kept_until,
        "is_held": one.is_held,
    }


def _due_object(due: Due) -> dict[str, Any]:
    return {
        "kind": due.kind,
        "subject": due.subject,
        "due_at": due.due_at,
        "is_overdue": due.is_overdue,
    }


def _since(one: KeyVersion) -> str:
    """Say since when a version is in its state: the last of its dates."""
    entry = one.entry
    dates = (
        entry.created_at,
        entry.activated_at,
        entry.suspended_at,
        entry.deactivated_at,
        entry.compromised_at,
        entry.destroyed_at,
    )
    return max(filter(None, dates))


def day_of(at: str | None) -> str:
    """Write the day of a time; nothing for none."""
    return "" if at is None else at[:_DAY]


def due_words(due: Due | None) -> str:
    """Say what is due, and since or until when."""
    if due is None:
        return ""
    return f"{'OVERDUE since' if due.is_overdue else 'due'} {day_of(due.due_at)}"
