"""`phitrail key`: rotate and compromise signing keys, and show their public halves."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from phitrail.app import clock
from phitrail.app.handover import KEYRING
from phitrail.app.key_listing import list_trail_keys
from phitrail.app.reading import system_user
from phitrail.app.succession import Asked, succeed
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.log import require_verb
from phitrail.cli.options import (
    DEFAULT_TRAIL,
    STANDARD_INPUT,
    AsJson,
    TrailDirectory,
    examples,
)
from phitrail.cli.output import Output
from phitrail.cli.verify import read_checkpoint
from phitrail.errors import InputError
from phitrail.events.codes import Log, SuccessionReason
from phitrail.events.protected import Protected
from phitrail.events.succession import Succession
from phitrail.tlog.keyring import ListedKey

Recovery = Annotated[
    list[str],
    typer.Option(
        "--recovery",
        metavar="FILE|-",
        help="The recovery key, or a share of it; may be repeated.",
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="USER",
        help="Who does it, as the audit log will name them.  [default: the system user]",
    ),
]

app = typer.Typer(
    rich_markup_mode=None,
    epilog=examples(
        "phitrail key show", "phitrail key rotate --all --recovery recovery.key"
    ),
)


@app.callback(invoke_without_command=True)
def key(context: typer.Context) -> None:
    """Replace the keys that sign checkpoints and promises, with the recovery key.

    What the old keys signed stays good after a rotation. Bring the recovery key for the
    one command and take it away again: phitrail keeps no copy.
    """
    require_verb(context)


@app.command(
    epilog=examples(
        "phitrail key rotate --all --recovery recovery.key",
        "cat share.1 share.3 | phitrail key rotate --log audit --recovery -",
    )
)
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
    output.say(_next_steps(trail, logs))
    return ExitCode.OK


@app.command(
    epilog=examples(
        "phitrail key compromise --log audit --recovery recovery.key "
        "--last-good-checkpoint /media/officer/audit.checkpoint",
        "phitrail key compromise --log quality --reason lost --recovery recovery.key",
    )
)
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
    output.say(_next_steps(trail, (log,)))
    return ExitCode.OK


@app.command(epilog=examples("phitrail key show", "phitrail key show --json"))
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


def _logs(named: Sequence[Log], *, is_all: bool) -> tuple[Log, ...]:
    if bool(named) == is_all:
        raise InputError.for_field("--log", "name one or more, or give --all")
    return tuple(dict.fromkeys(named)) or tuple(Log)


def _check_reason(reason: SuccessionReason) -> None:
    if reason is SuccessionReason.ROTATION:
        raise InputError.for_field(
            "--reason", "must be compromise or lost; else see `phitrail key rotate`"
        )


def read_recovery(sources: Sequence[str]) -> Protected[str]:
    """Read the recovery key, or shares of it, from files or standard input.

    Raises:
        InputError: one cannot be read, or is no text.
    """
    texts: list[str] = []
    for source in sources:
        try:
            texts.append(
                sys.stdin.read()
                if source == STANDARD_INPUT
                else Path(source).read_text(encoding="utf-8")
            )
        except OSError as error:
            raise InputError.for_field(
                "--recovery", f"{source} cannot be read ({error.strerror})"
            ) from None
        except UnicodeDecodeError:
            raise InputError.for_field("--recovery", f"{source} is no text") from None
    return Protected("\n".join(texts))


def print_successions(output: Output, done: Sequence[Succession]) -> None:
    """Print which keys follow, and from where on."""
    if output.as_json:
        output.data({"successions": [msgspec.to_builtins(one) for one in done]})
        return
    output.table(
        ("log", "reason", "version#", "from size#", "old trusted to#", "new key"),
        [
            (
                one.log,
                one.reason,
                one.key_version,
                one.head_size + 1,
                one.trusted_size,
                one.log_vkey,
            )
            for one in done
        ],
    )


def _until(one: ListedKey) -> str:
    if one.to_size is None:
        return "in force"
    trusted = "" if one.trusted_size == one.to_size else f", trusted {one.trusted_size}"
    return f"{one.to_size} ({one.ended}{trusted})"


def _next_steps(trail: Path, logs: Sequence[Log]) -> str:
    places = " ".join(f"{trail}/public/{log}/checkpoint" for log in logs)
    return (
        "Take the recovery key away from this host again. Then carry out, to where\n"
        f"checkpoints are kept: {places}\n"
        f"and {trail}/{KEYRING}; witnesses need the new keys (`witness add-log`)."
    )
