"""What the verbs of `phitrail key` share: options, the recovery key, what comes next."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from phitrail.app.handover import KEYRING
from phitrail.app.wiring import Trail, open_trail
from phitrail.cli.options import STANDARD_INPUT
from phitrail.cli.output import Output
from phitrail.errors import InputError
from phitrail.events.codes import Log
from phitrail.events.protected import Protected
from phitrail.events.succession import Succession

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
NamedVersion = Annotated[
    str, typer.Argument(metavar="KEY:vN", help="Which version.", show_default=False)
]
NeededReason = Annotated[
    str,
    typer.Option("--reason", metavar="TEXT", help="Why; kept sealed."),
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; kept sealed.")
]


@contextmanager
def changing_trail(directory: Path) -> Iterator[Trail]:
    """Open a trail to change its keys, and for nothing else.

    It opens under a suspended key too. What is recorded is durable and promised; whoever
    publishes the trail publishes it.
    """
    trail = open_trail(directory, is_for_key_changes=True)
    try:
        yield trail
    finally:
        trail.close()


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


def next_steps(trail: Path, logs: Sequence[Log]) -> str:
    """Say what is to be done with new signing keys."""
    places = " ".join(f"{trail}/public/{log}/checkpoint" for log in logs)
    return (
        "Take the recovery key away from this host again. Then carry out, to where\n"
        f"checkpoints are kept: {places}\n"
        f"and {trail}/{KEYRING}; witnesses need the new keys (`witness add-log`)."
    )
