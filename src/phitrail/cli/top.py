"""The verbs of the top level: init and status here, verify and demo beside."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from phitrail.app import clock
from phitrail.app.config import GuardSection
from phitrail.app.founding import Founded, found_trail
from phitrail.app.handing_out import (
    found_with_recovery_files,
    recovery_files,
    recovery_lines,
)
from phitrail.app.status import LogStatus, TrailStatus, read_status
from phitrail.app.vault_choice import read_vault_file
from phitrail.cli.demo import demo
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.cli.verify import verify
from phitrail.events.codes import Log
from phitrail.keys.recovery import parse_split
from phitrail.tlog.layout import public_checkpoint

_KIB = 1024


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the program."""
    app.command(
        epilog=examples(
            "phitrail init --tenant hospital.example --recovery-out recovery.key",
            "phitrail init --recovery-shares 2of3 --recovery-out recovery.share",
            "phitrail init --trail /srv/phitrail --json",
        )
    )(init)
    app.command(epilog=examples("phitrail status", "phitrail status --json"))(status)
    app.command(
        epilog=examples(
            "phitrail verify --log audit --checkpoint /media/officer/audit.checkpoint",
            "ssh witness cat audit.checkpoint | phitrail verify --log audit "
            "--checkpoint -",
            "phitrail verify --witness county.example/witness+1d2c3b4a+BAbc...",
            "phitrail verify --receipt receipt.json",
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
            help="Write the recovery key here instead of to stdout (shares: FILE.1 "
            "and so on).",
        ),
    ] = None,
    recovery_shares: Annotated[
        str | None,
        typer.Option(
            "--recovery-shares",
            metavar="KofN",
            help="Hand the recovery key out in N shares; any K of them give it "
            "(2of3, 3of5; at most 16).",
        ),
    ] = None,
    vault: Annotated[
        Path | None,
        typer.Option(
            "--vault",
            metavar="FILE",
            help="The vault that holds its keys: what stands under keys.vault in "
            "policy.yaml.  [default: a local keyring]",
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

    split = None if recovery_shares is None else parse_split(recovery_shares)
    settings = None if vault is None else read_vault_file(vault)

    def found() -> Founded:
        return found_trail(
            trail,
            tenant,
            clock.now(),
            split=split,
            guard=GuardSection(),
            vault=settings,
        )

    files: tuple[Path, ...] = ()
    shown: tuple[str, ...] = ()
    if recovery_out is None:
        founded = found()
        shown = recovery_lines(founded)
    else:
        files = recovery_files(recovery_out, split)
        founded = found_with_recovery_files(files, found)
    if as_json:
        output.data(_init_object(founded, shown, files))
    elif shown:
        output.line("\n\n".join(shown))
    _say_what_is_next(output, founded, files)
    return ExitCode.OK


def _init_object(
    founded: Founded, shown: Sequence[str], files: Sequence[Path]
) -> dict[str, object]:
    names = [str(file) for file in files]
    in_shares = founded.split is not None
    return {
        "trail": str(founded.directory),
        "origins": list(founded.origins),
        "recovery_key": shown[0] if shown and not in_shares else None,
        "recovery_shares": list(shown) if in_shares else [],
        "recovery_out": (names if in_shares else names[0]) if names else None,
    }


def _say_what_is_next(output: Output, founded: Founded, files: Sequence[Path]) -> None:
    trail = founded.directory
    tenant = founded.origins[0].rpartition("/")[0]
    place = "is in " + ", ".join(map(str, files)) if files else "is printed once, above"
    keep = "Move it off this host and into a safe"
    if founded.split is not None:
        needed, shares = founded.split.needed, founded.split.shares
        place += f", in {shares} shares"
        keep = f"Give each share to another person; any {needed} of them give it"
    output.say(
        f"made a trail for {tenant} in {trail}\n"
        f"The recovery key {place}. {keep}: it replaces\n"
        "the signing keys after a compromise, brings the other keys back when a vault is\n"
        "lost, and phitrail has kept no copy.\n"
        "Next: terms of your house go into tenant.yaml; then keep a checkpoint outside\n"
        "this host, so that a rewritten history can be told from the true one:\n"
        f"  cp {trail}/{public_checkpoint(Log.AUDIT)} /somewhere/else/audit.checkpoint"
    )


def status(trail: TrailDirectory = DEFAULT_TRAIL, as_json: AsJson = False) -> int:
    """Say how the logs stand: sizes, newest checkpoints, anchors, disk.

    Needs no key and leaves no audit entry. UNANCHORED means that fewer places outside
    hold a checkpoint than policy needs: the log shows consistency with itself only. The
    exit code is 1 when an anchor holds another history.
    """
    output = Output(as_json)
    found = read_status(trail)
    now = clock.now()
    contradicted = [log for log in found.logs if log.contradicted_by]
    code = ExitCode.CHECK_FAILED if contradicted else ExitCode.OK
    if as_json:
        output.data(_status_object(found, now))
        return code
    output.facts(
        [
            ("trail", found.directory),
            ("tenant", found.tenant),
            ("publisher", _publisher(found)),
            ("detection", _detection(found)),
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
                _anchored(log),
            )
            for log in found.logs
        ],
    )
    for log in contradicted:
        output.say(
            f"ANOTHER HISTORY of {log.log} is held by {', '.join(log.contradicted_by)}: "
            "keep this copy as evidence, run `phitrail anchor list`, and find out who "
            "had access"
        )
    for one in (one for log in found.logs for one in log.anchors if one.is_late(now)):
        output.say(f"LATE: {one.settings.name} for {one.log}; `phitrail anchor list`")
    if not all(log.is_anchored or log.contradicted_by for log in found.logs):
        output.say(
            "UNANCHORED: add a place outside this host with `phitrail anchor add`, or "
            "keep a checkpoint there by hand, bring a copy back into state/outside/, and "
            "give the original to `phitrail verify --checkpoint`"
        )
    return code


def _anchored(log: LogStatus) -> str:
    if log.contradicted_by:
        return "ANOTHER HISTORY"
    if not log.is_anchored:
        return "UNANCHORED"
    sizes = [one.standing.held_size for one in log.anchors]
    return f"size {max([*sizes, log.outside_size or 0])} ({', '.join(log.holders)})"


def _status_object(found: TrailStatus, now: datetime) -> dict[str, object]:
    return {
        "trail": str(found.directory),
        "tenant": found.tenant,
        "is_published_now": found.is_published_now,
        "sizes_bytes": found.sizes_bytes,
        "detection": None
        if found.detection is None
        else {
            "looked_at": found.detection.looked_at,
            "unjudged": found.unjudged,
            "failure": found.detection.failure or None,
            "rules_error": found.detection.rules_error or None,
        },
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
                "held_by": list(log.holders),
                "contradicted_by": list(log.contradicted_by),
                "late": [one.settings.name for one in log.anchors if one.is_late(now)],
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


def _detection(found: TrailStatus) -> str:
    """Say how far rules were judged, and what stands in their way."""
    standing = found.detection
    if standing is None:
        return "no rule was judged yet"
    if standing.failure:
        return f"STOPPED: {standing.failure}"
    words = f"{found.unjudged} entries not judged yet, looked at {standing.looked_at}"
    if standing.rules_error:
        words += f"; rule files REFUSED, the old ones stand: {standing.rules_error}"
    return words


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
