"""`phitrail witness`: watch other people's logs from a host of your own (C2SP tlog-witness).

It needs no trail. The server loads when it is started.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.log import require_verb
from phitrail.cli.options import AsJson, examples
from phitrail.cli.output import Output
from phitrail.errors import InputError

HIGHEST_PORT = 65_535

Directory = Annotated[
    Path,
    typer.Option("--dir", metavar="DIR", help="Where the witness keeps its state."),
]
DEFAULT_DIRECTORY = Path("phitrail-witness")

app = typer.Typer(
    rich_markup_mode=None,
    epilog=examples(
        "phitrail witness init --name county.example/witness",
        "phitrail witness add-log --vkey hospital.example/audit+1d2c3b4a+AbCd...",
        "phitrail witness serve --listen 0.0.0.0:8181",
    ),
)


@app.callback(invoke_without_command=True)
def witness(context: typer.Context) -> None:
    """Watch logs from a second host: cosign what only grew, refuse what was rewritten.

    Run it where the administrators of the log's host have no rights. It sees sizes and
    hashes, never an entry.
    """
    require_verb(context)


@app.command(epilog=examples("phitrail witness init --name county.example/witness"))
def init(
    name: Annotated[
        str,
        typer.Option(
            "--name",
            metavar="NAME",
            help="Its name in every cosignature: a domain of yours and a path.",
        ),
    ],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> int:
    """Make a witness; print the key that its cosignatures verify under.

    Hand that key to whoever runs the logs, and to whoever verifies them.
    """
    from phitrail.app.witnessing import make_witness

    output = Output(as_json)
    vkey = str(make_witness(directory, name))
    if as_json:
        output.data({"dir": str(directory), "vkey": vkey})
        return ExitCode.OK
    output.line(vkey)
    output.say(
        "On the log's host:  phitrail anchor add NAME --witness URL --vkey VKEY\n"
        f"Here:               phitrail witness add-log --dir {directory} --vkey VKEY"
    )
    return ExitCode.OK


@app.command(
    "add-log",
    epilog=examples(
        "phitrail witness add-log --vkey hospital.example/audit+1d2c3b4a+AbCd..."
    ),
)
def add_log(
    vkey: Annotated[
        str,
        typer.Option("--vkey", metavar="VKEY", help="The key that signs checkpoints."),
    ],
    origin: Annotated[
        str | None,
        typer.Option(
            "--origin",
            metavar="TEXT",
            help="First line of its checkpoints, where it is not the key's name.",
        ),
    ] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> int:
    """Watch a log, or admit one more key of a log that is watched.

    `phitrail anchor add` prints the keys of a trail's logs. Compare them by another way
    than the one they came by: what is added here is what will be believed.
    """
    from phitrail.app.witnessing import watch_log

    output = Output(as_json)
    named = watch_log(directory, vkey, origin)
    if as_json:
        output.data({"origin": named})
    else:
        output.line(f"watching {named}")
    return ExitCode.OK


@app.command(
    "list", epilog=examples("phitrail witness list", "phitrail witness list --json")
)
def list_(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> int:
    """List the logs that are watched, and what was refused.

    A refused checkpoint was signed by its log and does not continue the history that was
    cosigned: the log was cut, rewritten, or restored from a backup. Then the exit code is
    1.
    """
    from phitrail.app.witnessing import list_witnessed

    output = Output(as_json)
    found = list_witnessed(directory)
    if as_json:
        output.data(
            {
                "logs": [
                    {"origin": origin, "size": size, "refused": refused}
                    for origin, size, refused in found
                ]
            }
        )
    else:
        output.table(("log", "cosigned up to#", "refused#"), found)
    is_refused = any(refused for _, _, refused in found)
    return ExitCode.CHECK_FAILED if is_refused else ExitCode.OK


@app.command(
    epilog=examples(
        "phitrail witness serve --listen 127.0.0.1:8181",
        "phitrail witness serve --listen 0.0.0.0:443 --certificate w.pem --key w.key",
    )
)
def serve(
    listen: Annotated[
        str,
        typer.Option("--listen", metavar="HOST:PORT", help="Where to answer."),
    ] = "127.0.0.1:8181",
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", metavar="FILE", help="PEM, for https."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="PEM, the certificate's key."),
    ] = None,
    directory: Directory = DEFAULT_DIRECTORY,
) -> int:
    """Answer add-checkpoint until it is told to stop.

    What it cosigned is on disk before anyone sees an answer. Without a certificate it
    speaks http: put a server that speaks https before it, or let the log's host say
    --plain-http.
    """
    from phitrail.app.witnessing import serve_witness

    host, port = parse_address(listen)
    if (certificate is None) != (key is None):
        raise InputError.for_field("--certificate", "goes with --key, and it with that")
    serve_witness(
        directory,
        host,
        port,
        ready=lambda at: _say(f"answering at {at.url}"),
        complain=_say,
        tls=None if certificate is None or key is None else (certificate, key),
    )
    return ExitCode.OK


def parse_address(text: str) -> tuple[str, int]:
    """Read HOST:PORT.

    Raises:
        InputError: it is none.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > HIGHEST_PORT:
        raise InputError.for_field("--listen", "must be HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
