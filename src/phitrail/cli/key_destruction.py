"""`phitrail key destroy`: for good, and only what nothing needs any more."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from phitrail.app import clock
from phitrail.app.key_destruction import Destruction, destroy_key, plan_destruction
from phitrail.app.key_reason import check_reason
from phitrail.app.reading import system_user
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.key_options import By, NamedVersion, NeededReason, changing_trail
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.keys.names import KeyKind


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog=examples(
            "phitrail key destroy identity-seal:v1 --reason 'six years are over'",
            "phitrail key destroy identity-seal:v1 --reason 'six years are over' "
            "--backup /mnt/backup/trail --yes",
        )
    )(destroy)


def destroy(
    version: NamedVersion,
    reason: NeededReason,
    backups: Annotated[
        list[Path] | None,
        typer.Option(
            "--backup",
            metavar="DIR",
            help="A copy of the trail to look at, too; may be repeated.",
        ),
    ] = None,
    is_meant: Annotated[
        bool, typer.Option("--yes", help="Do it; without this, say what would be done.")
    ] = False,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: By = None,
    as_json: AsJson = False,
) -> int:
    """Destroy a version of a key for good: its file, and the escrow with it.

    Refused while it is in use, held (keys.held), retained (keys.policies), or while
    anything stands under it, here or in a copy that is named. Without --yes nothing is
    destroyed. Backups that nobody names are not looked at.
    """
    check_reason(reason)
    who, looked = by or system_user(), tuple(backups or ())
    with changing_trail(trail) as opened:
        if is_meant:
            found = destroy_key(
                opened, version, by=who, reason=reason, now=clock.now(), backups=looked
            )
        else:
            found = plan_destruction(
                opened, version, by=who, now=clock.now(), backups=looked
            )
    _print(Output(as_json), found)
    return ExitCode.OK


def _print(output: Output, found: Destruction) -> None:
    entry, is_done = found.entry, found.done is not None
    if output.as_json:
        output.data(
            {
                "key": str(entry.key_id),
                "is_destroyed": is_done,
                "becomes": found.becomes,
                "counted": [] if found.uses is None else found.uses.places,
                "copies": [str(one) for one in found.copies],
                "entry": msgspec.to_builtins(entry),
            }
        )
        return
    output.facts(
        [
            ("key", entry.key_id),
            ("state" if is_done else "would become", found.becomes),
            ("copies looked at", len(found.copies)),
        ]
    )
    if entry.kind is KeyKind.SIGN:
        output.say("Its public half stays in the keyring, to verify.")
    if not is_done:
        output.say("Nothing was destroyed; the same command with --yes does it.")
    else:
        output.say(
            "What a disk keeps of a file that was removed, and backups that nobody named, "
            "are not reached."
        )
