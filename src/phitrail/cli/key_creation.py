"""`phitrail key create`: a key that no trail is founded with, or a version that waits."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from phitrail.app import clock
from phitrail.app.key_states import create_key
from phitrail.app.key_wiring import current_register
from phitrail.app.reading import system_user
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.key_options import By, Reason, changing_trail
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.errors import InputError
from phitrail.keys.names import parse_key_id


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog=examples(
            "phitrail key create fpe-metadata",
            "phitrail key create rbac-user.dr-0012 --reason 'joins cardiology'",
            "phitrail key create text-hash --later",
        )
    )(create)


def create(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Which key.", show_default=False)
    ],
    is_later: Annotated[
        bool,
        typer.Option(
            "--later", help="Make the next version; it waits to be rotated in."
        ),
    ] = False,
    reason: Reason = "made in the ordinary course",
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: By = None,
    as_json: AsJson = False,
) -> int:
    """Make a key that no trail is founded with, or the next version of one.

    Keys that may be made: fpe-metadata, rbac-user.WHO, rbac-department.WHICH.
    """
    _check_creation(trail, name, is_later=is_later)
    with changing_trail(trail) as opened:
        made = create_key(
            opened,
            name,
            by=by or system_user(),
            reason=reason,
            now=clock.now(),
        ).after
    output = Output(as_json)
    if as_json:
        output.data({"key": str(made.key_id), **msgspec.to_builtins(made)})
    else:
        output.facts(
            [
                ("key", made.key_id),
                ("kind", made.kind),
                ("state", made.state),
                ("vault", made.vault),
                ("fingerprint", made.fingerprint),
            ]
        )
    return ExitCode.OK


def _check_creation(trail: Path, name: str, *, is_later: bool) -> None:
    register = current_register(trail)
    is_in_use = register.active(parse_key_id(name)[0]) is not None
    if is_in_use and not is_later:
        raise InputError.for_field(
            "KEY",
            f"is in use; `phitrail key rotate {name}` replaces it, and --later makes the "
            "version that comes next",
        )
    if is_later and not is_in_use:
        raise InputError.for_field(
            "--later", "needs a version that is in use; leave it out for the first one"
        )
