"""`phitrail key suspend` and `key except`: what holds for a while, on record."""

from typing import Annotated

import msgspec
import typer

from phitrail.app import clock
from phitrail.app.key_exceptions import RULES, record_exception
from phitrail.app.key_states import lift_suspension, suspend_key
from phitrail.app.reading import system_user
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.key_options import By, NamedVersion, NeededReason, changing_trail
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.cli.times import parse_moment
from phitrail.keys.names import KeyKind


def add_to(app: typer.Typer) -> None:
    """Add the verbs that hold for a while."""
    app.command(
        epilog=examples(
            "phitrail key suspend text-hash:v2 --reason 'laptop left on a train'",
            "phitrail key suspend text-hash:v2 --lift --reason 'found, untouched'",
        )
    )(suspend)
    app.command(
        "except",
        epilog=examples(
            "phitrail key except local-keyring --until 2027-03-31 "
            "--reason 'vault ordered'",
            "phitrail key except retain-private --until 2027-01-15 "
            "--reason 'court order'",
        ),
    )(set_aside)


def suspend(
    version: NamedVersion,
    reason: NeededReason,
    is_lifting: Annotated[
        bool, typer.Option("--lift", help="Take it into use again.")
    ] = False,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: By = None,
    as_json: AsJson = False,
) -> int:
    """Suspend the version of a key that is in use: it protects nothing until lifted.

    Suspending a key that records need stops recording: it is refused, with exit code 75,
    until the suspension is lifted or the key rotated. What the version protected opens
    as before. Programs that have the trail open learn of it within a second.
    """
    change = lift_suspension if is_lifting else suspend_key
    with changing_trail(trail) as opened:
        moved = change(
            opened,
            version,
            by=by or system_user(),
            reason=reason,
            now=clock.now(),
        )
    output, after = Output(as_json), moved.after
    if as_json:
        output.data(
            {
                "key": str(after.key_id),
                **msgspec.to_builtins(after),
                "stops": moved.stops,
            }
        )
        return ExitCode.OK
    output.facts([("key", after.key_id), ("state", after.state)])
    if moved.stops:
        name, log = after.name, after.name.partition("-")[0]
        rotate = f"--log {log} --recovery FILE" if after.kind is KeyKind.SIGN else name
        output.say(
            f"{moved.stops}.\nLift it: phitrail key suspend {after.key_id} --lift "
            f"--reason TEXT\nReplace it: phitrail key rotate {rotate}"
        )
    return ExitCode.OK


def set_aside(
    rule: Annotated[
        str,
        typer.Argument(metavar="|".join(RULES), help="Which rule.", show_default=False),
    ],
    until: Annotated[
        str,
        typer.Option(
            "--until", metavar="DATE", help="Until the beginning of that day, UTC."
        ),
    ],
    reason: NeededReason,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: By = None,
    as_json: AsJson = False,
) -> int:
    """Set a rule of the keys aside until a day, on record; `key list` shows it.

    local-keyring: the local keyring under the production profile. retain-private: at a
    rotation, the private half of a signing key is kept. It ends by itself.
    """
    with changing_trail(trail) as opened:
        exception, _ = record_exception(
            opened,
            rule,
            until=parse_moment("--until", until),
            by=by or system_user(),
            reason=reason,
            now=clock.now(),
        )
    output = Output(as_json)
    if as_json:
        output.data(msgspec.to_builtins(exception))
    else:
        output.facts([("rule", exception.rule), ("until", exception.until)])
    return ExitCode.OK
