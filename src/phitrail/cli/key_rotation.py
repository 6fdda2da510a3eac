"""`phitrail key rotate`: new keys for old ones, in the ordinary course."""

from collections.abc import Sequence
from typing import Annotated

import typer

from phitrail.app import clock
from phitrail.app.reading import system_user
from phitrail.app.succession import Asked, succeed
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.key_options import (
    By,
    Recovery,
    next_steps,
    print_successions,
    read_recovery,
)
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.errors import InputError
from phitrail.events.codes import Log, SuccessionReason


def add_to(app: typer.Typer) -> None:
    """Add the verbs that replace keys."""
    app.command(
        epilog=examples(
            "phitrail key rotate --all --recovery recovery.key",
            "cat share.1 share.3 | phitrail key rotate --log audit --recovery -",
        )
    )(rotate)


def rotate(
    recovery: Recovery,
    log: Annotated[
        list[Log] | None,
        typer.Option("--log", metavar="LOG", help="Of this log; may be repeated."),
    ] = None,
    is_all: Annotated[bool, typer.Option("--all", help="Of every log.")] = False,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: By = None,
    as_json: AsJson = False,
) -> int:
    """Give logs new signing keys; the old key and the recovery key both sign.

    Stop the process that publishes first. Others that have the trail open are told to
    open it again.
    """
    logs = _logs(log or (), is_all=is_all)
    secret, who = read_recovery(recovery), by or system_user()
    done = [
        succeed(trail, Asked(one, SuccessionReason.ROTATION, who), secret, clock.now())
        for one in logs
    ]
    output = Output(as_json)
    print_successions(output, done)
    output.say(next_steps(trail, logs))
    return ExitCode.OK


def _logs(named: Sequence[Log], *, is_all: bool) -> tuple[Log, ...]:
    if bool(named) == is_all:
        raise InputError.for_field("--log", "name one or more, or give --all")
    return tuple(dict.fromkeys(named)) or tuple(Log)
