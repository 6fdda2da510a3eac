"""`phitrail key compromise`: declare that somebody else may have a key."""

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
from phitrail.cli.verify import read_checkpoint
from phitrail.errors import InputError
from phitrail.events.codes import Log, SuccessionReason


def add_to(app: typer.Typer) -> None:
    """Add the verbs that change the state of keys."""
    app.command(
        epilog=examples(
            "phitrail key compromise --log audit --recovery recovery.key "
            "--last-good-checkpoint /media/officer/audit.checkpoint",
            "phitrail key compromise --log quality --reason lost "
            "--recovery recovery.key",
        )
    )(compromise)


def compromise(
    log: Annotated[
        Log, typer.Option("--log", metavar="LOG", help="Whose keys somebody may have.")
    ],
    recovery: Recovery,
    last_good_checkpoint: Annotated[
        str | None,
        typer.Option(
            "--last-good-checkpoint",
            metavar="FILE|-",
            help="A checkpoint from outside, from before the theft.",
        ),
    ] = None,
    reason: Annotated[
        SuccessionReason,
        typer.Option(
            metavar="<compromise|lost>",
            help="lost: the key files are gone, and nobody else has them.",
        ),
    ] = SuccessionReason.COMPROMISE,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: By = None,
    as_json: AsJson = False,
) -> int:
    """Declare a log's signing keys compromised or lost, and give it new ones.

    What the old keys signed beyond the last good checkpoint is not believed any more.
    First verify the trail against that checkpoint: the new key signs the log as it
    stands here.
    """
    _check_reason(reason)
    last_good = None
    if last_good_checkpoint is not None:
        last_good = read_checkpoint(last_good_checkpoint)
    asked = Asked(log, reason, by or system_user(), last_good)
    done = succeed(trail, asked, read_recovery(recovery), clock.now())
    output = Output(as_json)
    print_successions(output, [done])
    if reason is SuccessionReason.COMPROMISE and last_good is None:
        output.say(
            f"Without --last-good-checkpoint, what the old key signed up to size "
            f"{done.trusted_size} is still believed."
        )
    output.say(next_steps(trail, (log,)))
    return ExitCode.OK


def _check_reason(reason: SuccessionReason) -> None:
    if reason is SuccessionReason.ROTATION:
        raise InputError.for_field(
            "--reason", "must be compromise or lost; else see `phitrail key rotate`"
        )
