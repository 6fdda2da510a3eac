"""`phitrail anchor`: places off this host that hold checkpoints: add, list, run."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from phitrail.anchor.settings import AnchorSettings, WitnessSettings
from phitrail.app import clock
from phitrail.app.anchor_keeping import run_anchors
from phitrail.app.anchor_setup import add_anchor
from phitrail.app.anchoring import Attempt, Came
from phitrail.app.config import anchor_of
from phitrail.app.pins import read_lines
from phitrail.app.reading import system_user
from phitrail.app.running import PUBLISH_WITHIN_S, run_trail
from phitrail.app.status import AnchorStatus, read_status
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.log import require_verb
from phitrail.cli.options import (
    DEFAULT_TRAIL,
    AsJson,
    TrailDirectory,
    examples,
)
from phitrail.cli.output import Output
from phitrail.errors import InputError
from phitrail.events.codes import Log

_KINDS = "one of --witness, --directory, --mail, --rfc3161"
_WHERE = {
    "witness": "url",
    "directory": "path",
    "mail": "host",
    "rfc3161": "url",
}

app = typer.Typer(
    rich_markup_mode=None,
    epilog=examples("phitrail anchor list", "phitrail anchor run"),
)


@app.callback(invoke_without_command=True)
def anchor(context: typer.Context) -> None:
    """Have checkpoints held off this host, so that nobody here can rewrite history.

    A process that keeps a trail open hands each new checkpoint over by itself; where none
    does, run `phitrail anchor run` on a timer.
    """
    require_verb(context)


@app.command(
    epilog=examples(
        "phitrail anchor add county --witness https://witness.county.example "
        "--vkey county.example/witness+1d2c3b4a+BAbc...",
        "phitrail anchor add share --directory /mnt/officer/checkpoints",
        "phitrail anchor add officer --mail mail.hospital.example "
        "--from log@hospital.example --to officer@hospital.example",
        "phitrail anchor add time --rfc3161 https://tsa.example --certificate tsa.pem",
    )
)
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    witness: Annotated[
        str | None,
        typer.Option("--witness", metavar="URL", help="A C2SP witness; needs --vkey."),
    ] = None,
    vkey: Annotated[
        str | None,
        typer.Option("--vkey", metavar="VKEY", help="The key of the witness."),
    ] = None,
    directory: Annotated[
        str | None,
        typer.Option("--directory", metavar="PATH", help="On other storage."),
    ] = None,
    may_share_device: Annotated[
        bool,
        typer.Option("--may-share-device", help="Admit the disk of the trail."),
    ] = False,
    mail: Annotated[
        str | None,
        typer.Option(
            "--mail", metavar="HOST[:PORT]", help="A mail server; needs --from, --to."
        ),
    ] = None,
    sender: Annotated[
        str | None, typer.Option("--from", metavar="ADDRESS", help="Who sends.")
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="ADDRESS", help="Who gets it; may be repeated."),
    ] = None,
    no_starttls: Annotated[
        bool,
        typer.Option("--no-starttls", help="A mail server on this host, in the clear."),
    ] = False,
    ca_file: Annotated[
        str | None,
        typer.Option("--ca-file", metavar="FILE", help="Who vouches for the server."),
    ] = None,
    username: Annotated[
        str | None,
        typer.Option("--username", metavar="NAME", help="Who logs in to send."),
    ] = None,
    password_file: Annotated[
        str | None,
        typer.Option("--password-file", metavar="FILE", help="Mode 0600."),
    ] = None,
    rfc3161: Annotated[
        str | None,
        typer.Option(
            "--rfc3161", metavar="URL", help="A time stamp authority; --certificate."
        ),
    ] = None,
    certificate: Annotated[
        str | None,
        typer.Option("--certificate", metavar="FILE", help="Its root, PEM."),
    ] = None,
    policy_oid: Annotated[
        str | None,
        typer.Option("--policy-oid", metavar="OID", help="What its tokens must name."),
    ] = None,
    plain_http: Annotated[
        bool,
        typer.Option("--plain-http", help="Admit http:// beyond this host."),
    ] = False,
    log: Annotated[
        list[Log] | None,
        typer.Option(
            "--log", metavar="LOG", help="Hand it this log only; may be repeated."
        ),
    ] = None,
    every_s: Annotated[
        float | None,
        typer.Option("--every", metavar="SECONDS", help="Pause between checkpoints."),
    ] = None,
    within_s: Annotated[
        float | None,
        typer.Option("--within", metavar="SECONDS", help="After that it is late."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="USER",
            help="Who adds it, as the audit log will name them.  "
            "[default: the system user]",
        ),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    as_json: AsJson = False,
) -> int:
    """Add a place that holds checkpoints; the audit log says who did.

    Give one of --witness, --directory, --mail, --rfc3161. docs/anchors.md says how each
    is set up and what it holds against whom.
    """
    host, _, port = (mail or "").partition(":")
    settings = _settings(
        {
            "witness": {"url": witness, "vkey": vkey, "plain_http": plain_http or None},
            "directory": {
                "path": directory,
                "may_share_device": may_share_device or None,
            },
            "mail": {
                "host": host or None,
                "port": _port(port),
                "sender": sender,
                "to": to or None,
                "starttls": False if no_starttls else None,
                "ca_file": ca_file,
                "username": username,
                "password_file": password_file,
            },
            "rfc3161": {
                "url": rfc3161,
                "certificate": certificate,
                "policy_oid": policy_oid,
                "plain_http": plain_http or None,
            },
        },
        {
            "name": name,
            "logs": list(dict.fromkeys(log)) if log else None,
            "every_s": every_s,
            "within_s": within_s,
        },
    )
    output = Output(as_json)
    with run_trail(trail) as running:
        add_anchor(running.parts, settings, by=by or system_user(), now=clock.now())
    vkeys = [str(line.current.log_key) for line in read_lines(trail).values()]
    if as_json:
        output.data({"anchor": msgspec.to_builtins(settings), "log_vkeys": vkeys})
        return ExitCode.OK
    output.line(f"added {name}; now: phitrail anchor run {name}")
    if isinstance(settings, WitnessSettings):
        output.say("Its operator lets it watch these logs with `witness add-log`:")
        for each in vkeys:
            output.line(each)
    return ExitCode.OK


def _settings(
    by_kind: dict[str, dict[str, object]], of_all: dict[str, object]
) -> AnchorSettings:
    """Take what was said of the one kind that was asked for.

    Raises:
        InputError: none or several kinds were asked for, or something does not fit.
    """
    kinds = [kind for kind, said in by_kind.items() if said[_WHERE[kind]]]
    if len(kinds) != 1:
        raise InputError.for_field("NAME", f"needs exactly {_KINDS}")
    (kind,) = kinds
    said = by_kind[kind] | of_all
    given = {key: value for key, value in said.items() if value is not None}
    return anchor_of({"kind": kind} | given)


def _port(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        raise InputError.for_field("--mail", "must be HOST or HOST:PORT")
    return int(text)


@app.command(
    "list", epilog=examples("phitrail anchor list", "phitrail anchor list --json")
)
def list_(trail: TrailDirectory = DEFAULT_TRAIL, as_json: AsJson = False) -> int:
    """List the anchors: what each holds of each log, and since when it is behind."""
    output = Output(as_json)
    now = clock.now()
    found = [one for log in read_status(trail).logs for one in log.anchors]
    if as_json:
        output.data({"anchors": [anchor_object(one, now) for one in found]})
        return ExitCode.OK
    if not found:
        output.say("no anchors; docs/anchors.md says how to set one up")
    output.table(
        ("anchor", "kind", "log", "holds#", "lag#", "taken", "state"),
        [
            (
                one.settings.name,
                one.kind,
                one.log,
                one.standing.held_size,
                one.lag,
                one.standing.held_at or "never",
                state_of(one, now),
            )
            for one in found
        ],
    )
    for one in found:
        if one.standing.trouble:
            output.say(f"{one.settings.name}, {one.log}: {one.standing.trouble}")
    return ExitCode.OK


def state_of(one: AnchorStatus, now: datetime) -> str:
    """Say in a word or two how an anchor stands."""
    if one.standing.is_other_history:
        return "HOLDS ANOTHER HISTORY"
    if one.is_late(now):
        return f"LATE since {one.standing.behind_since}"
    if not one.standing.held_size:
        return "holds nothing yet"
    return "behind" if one.lag else "holds all"


def anchor_object(one: AnchorStatus, now: datetime) -> dict[str, Any]:
    """Write how an anchor stands as a JSON object."""
    return {
        "name": one.settings.name,
        "kind": one.kind,
        "log": one.log,
        "held_size": one.standing.held_size,
        "held_at": one.standing.held_at or None,
        "lag": one.lag,
        "behind_since": one.standing.behind_since or None,
        "is_late": one.is_late(now),
        "is_other_history": one.standing.is_other_history,
        "trouble": one.standing.trouble or None,
    }


@app.command(
    epilog=examples("phitrail anchor run", "phitrail anchor run county --json")
)
def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Which anchors.", show_default="all"),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    as_json: AsJson = False,
) -> int:
    """Publish, and hand every anchor the newest checkpoint that it does not hold.

    All anchors are asked at the same time. The exit code is 1 if one refused or holds
    another history, else 75 if one could not be reached.
    """
    output = Output(as_json)
    with run_trail(trail) as running:
        running.pipeline.publish_now(PUBLISH_WITHIN_S)
        attempts = run_anchors(
            running.parts, names or (), _nothing if as_json else _reporter(output)
        )
    if as_json:
        output.data({"attempts": attempts})
    elif not attempts:
        output.say("no anchors; docs/anchors.md says how to set one up")
    return code_of_attempts(attempts)


def code_of_attempts(attempts: Sequence[Attempt]) -> ExitCode:
    """Say with which code `anchor run` ends."""
    came = {one.came for one in attempts}
    if came & {Came.REFUSED, Came.OTHER_HISTORY}:
        return ExitCode.CHECK_FAILED
    return ExitCode.TRY_AGAIN if Came.UNREACHABLE in came else ExitCode.OK


def _reporter(output: Output) -> Callable[[Attempt], None]:
    """Print each attempt as it ends."""

    def report(one: Attempt) -> None:
        output.line(
            f"{one.name}, {one.log}: {one.came}, size {one.held_size}"
            + (f" ({one.trouble})" if one.trouble else "")
        )

    return report


def _nothing(_: Attempt) -> None:
    """Print nothing."""
