"""`phitrail key show`: the public halves of the signing keys."""

from typing import Annotated

import typer

from phitrail.app.key_listing import list_trail_keys
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.events.codes import Log
from phitrail.tlog.keyring import ListedKey


def add_to(app: typer.Typer) -> None:
    """Add the verbs that show keys."""
    app.command(epilog=examples("phitrail key show", "phitrail key show --json"))(show)


def show(
    log: Annotated[
        Log | None, typer.Option("--log", metavar="LOG", help="Of this log only.")
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    as_json: AsJson = False,
) -> int:
    """Show the public halves of the signing keys, and when each may sign.

    Needs no key and leaves no audit entry.
    """
    output = Output(as_json)
    listing = list_trail_keys(trail)
    keys = [one for one in listing.keys if log in (None, one.log)]
    if as_json:
        output.data({"keys": keys, "unfinished": listing.unfinished})
    else:
        output.table(
            ("log", "signs", "version#", "from size#", "to size", "key"),
            [
                (
                    one.log,
                    f"{one.role}s",
                    one.key_version,
                    one.from_size,
                    _until(one),
                    one.vkey,
                )
                for one in keys
            ],
        )
    if listing.unfinished is not None:
        output.say(listing.unfinished)
    return ExitCode.OK


def _until(one: ListedKey) -> str:
    if one.to_size is None:
        return "in force"
    trusted = "" if one.trusted_size == one.to_size else f", trusted {one.trusted_size}"
    return f"{one.to_size} ({one.ended}{trusted})"
