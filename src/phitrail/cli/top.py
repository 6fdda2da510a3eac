"""The verbs of the top level: init and status here, verify and demo beside."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from phitrail.app import clock
from phitrail.app.founding import Founded, found_trail
from phitrail.app.handing_out import found_with_recovery_file, recovery_line
from phitrail.app.status import LogStatus, TrailStatus, read_status
from phitrail.cli.demo import demo
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.cli.verify import verify
from phitrail.events.codes import Log
from phitrail.tlog.layout import public_checkpoint

_KIB = 1024


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the program."""
    app.command(
        epilog=examples(
            "phitrail init --tenant hospital.example --recovery-out recovery.key",
            "phitrail init --trail /srv/phitrail --json",
        )
    )(init)
    app.command(epilog=examples("phitrail status", "phitrail status --json"))(status)
    app.command(
        epilog=examples(
            "phitrail verify --log audit --checkpoint /media/officer/audit.checkpoint",
            "ssh witness cat audit.checkpoint | phitrail verify --log audit "
            "--checkpoint -",
        )
    )(verify)
    app.command(
        epilog=examples(
            "phitrail demo",
            "phitrail demo --dir clinic --questions 500",
            "phitrail demo --notes notes.jsonl --json",
        )
    )(demo)


def init(
    tenant: Annotated[
        str,
        typer.Option(
            "--tenant",
            metavar="NAME",
            help="Whose logs these are; stands in every checkpoint, for good.",
        ),
    ] = "local",
    recovery_out: Annotated[
        Path | None,
        typer.Option(
            "--recovery-out",
            metavar="FILE",
            help="Write the recovery key here instead of to stdout.",
        ),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    as_json: AsJson = False,
) -> int:
    """Make a new trail: keys, configuration, three empty logs.

    The recovery key is handed out once and kept nowhere. Without it no signing key can be
    replaced after a compromise.
    """
    output = Output(as_json)

    def found() -> Founded:
        return found_trail(trail, tenant, clock.now())

    if recovery_out is None:
        founded = found()
        key = recovery_line(founded)
    else:
        founded = found_with_recovery_file(recovery_out, found)
        key = ""
    if as_json:
        output.data(
            {
                "trail": str(trail),
                "origins": list(founded.origins),
                "recovery_key": key or None,
                "recovery_out": None if recovery_out is None else str(recovery_out),
            }
        )
    elif key:
        output.line(key)
    place = f"is in {recovery_out}" if recovery_out else "is printed once, above"
    output.say(
        f"made a trail for {tenant} in {trail}\n"
        f"The recovery key {place}. Move it off this host and into a safe: it replaces\n"
        "the signing keys after a compromise, and phitrail has kept no copy.\n"
        "Next: terms of your house go into tenant.yaml; then keep a checkpoint outside\n"
        "this host, so that a rewritten history can be told from the true one:\n"
        f"  cp {trail}/{public_checkpoint(Log.AUDIT)} /somewhere/else/audit.checkpoint"
    )
    return ExitCode.OK


def status(trail: TrailDirectory = DEFAULT_TRAIL, as_json: AsJson = False) -> int:
    """Say how the logs stand: sizes, newest checkpoints, anchors, disk.

    Needs no key and leaves no audit entry. UNANCHORED means that no checkpoint has come
    back from outside into state/outside/: the log shows consistency with itself only.
    """
    output = Output(as_json)
    found = read_status(trail)
    now = clock.now()
    if as_json:
        output.data(_status_object(found, now))
        return ExitCode.OK
    output.facts(
        [
            ("trail", found.directory),
            ("tenant", found.tenant),
            ("publisher", _publisher(found)),
            *((name, _size(size)) for name, size in found.sizes_bytes.items()),
        ]
    )
    output.line()
    output.table(
        ("log", "entries#", "published#", "lag#", "checkpoint", "anchor"),
        [
            (
                log.log,
                log.size,
                log.published_size,
                log.lag,
                f"{_age_s(log, now)} s ago" if log.published_at else "none",
                f"size {log.outside_size}" if log.is_anchored else "UNANCHORED",
            )
            for log in found.logs
        ],
    )
    if not all(log.is_anchored for log in found.logs):
        output.say(
            "UNANCHORED: keep a checkpoint outside this host, bring a copy back into "
            "state/outside/, and give the original to `phitrail verify --checkpoint`"
        )
    return ExitCode.OK


def _status_object(found: TrailStatus, now: datetime) -> dict[str, object]:
    return {
        "trail": str(found.directory),
        "tenant": found.tenant,
        "is_published_now": found.is_published_now,
        "sizes_bytes": found.sizes_bytes,
        "logs": [
            {
                "log": log.log,
                "origin": log.origin,
                "size": log.size,
                "published_size": log.published_size,
                "lag": log.lag,
                "published_at": log.published_at,
                "checkpoint_age_s": _age_s(log, now),
                "outside_size": log.outside_size,
                "is_anchored": log.is_anchored,
            }
            for log in found.logs
        ],
    }


def _publisher(found: TrailStatus) -> str:
    return {
        True: "a process holds the lease and publishes",
        False: "none is running; the next command that writes publishes",
        None: "unknown: the lease cannot be read",
    }[found.is_published_now]


def _age_s(log: LogStatus, now: datetime) -> int | None:
    if log.published_at is None:
        return None
    return max(0, int((now - log.published_at).total_seconds()))


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < _KIB:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= _KIB
    return f"{size:.1f} TiB"
