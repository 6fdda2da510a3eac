"""`phitrail key compromise`: declare that somebody else may have a key.

Two forms: one version of a key that seals or hashes, by its name; or the signing keys of a
log, with the recovery key.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from phitrail.app import clock
from phitrail.app.key_certificate import Succeeded, issue_certificate
from phitrail.app.key_compromise import (
    Compromised,
    compromise_key,
    uses_of,
    written_uses,
)
from phitrail.app.key_rekey import Rekeyed, rekey_identity
from phitrail.app.key_uses import Uses
from phitrail.app.reading import system_user
from phitrail.app.succession import Asked, succeed
from phitrail.app.wiring import Trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.key_options import (
    By,
    changing_trail,
    next_steps,
    print_successions,
    read_recovery,
)
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.cli.times import parse_moment
from phitrail.cli.verify import read_checkpoint
from phitrail.errors import InputError
from phitrail.events.codes import Log, SuccessionReason
from phitrail.keys.names import IDENTITY_INDEX, IDENTITY_SEAL, KeyId, KeyKind

_OF_THE_MAP = frozenset({IDENTITY_INDEX, IDENTITY_SEAL})
_SIGNERS = (SuccessionReason.COMPROMISE, SuccessionReason.LOST)


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog=examples(
            "phitrail key compromise text-hash:v2 --since 2026-11-20T18:00:00Z "
            "--reason 'backup disk stolen'",
            "phitrail key compromise --log audit --recovery recovery.key "
            "--last-good-checkpoint /media/officer/audit.checkpoint",
            "phitrail key compromise --log quality --reason lost "
            "--recovery recovery.key",
        )
    )(compromise)


def compromise(
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="KEY:vN",
            help="Which version of a key that seals or hashes.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="From when on somebody may have had it.  [default: its first use]",
        ),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason",
            metavar="TEXT",
            help="Why; kept sealed. With --log: compromise, or lost (the key files are "
            "gone, and nobody else has them).",
        ),
    ] = None,
    log: Annotated[
        Log | None,
        typer.Option("--log", metavar="LOG", help="The signing keys of this log."),
    ] = None,
    recovery: Annotated[
        list[str] | None,
        typer.Option(
            "--recovery",
            metavar="FILE|-",
            help="With --log: the recovery key, or a share of it; may be repeated.",
        ),
    ] = None,
    last_good_checkpoint: Annotated[
        str | None,
        typer.Option(
            "--last-good-checkpoint",
            metavar="FILE|-",
            help="With --log: a checkpoint from outside, from before the theft.",
        ),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: By = None,
    as_json: AsJson = False,
) -> int:
    """Declare that somebody else may have a key; it is replaced at once.

    A version of a key that seals is quarantined: what it sealed opens for people only
    with --break-glass REASON. What was exposed, and what a new key does not undo, is
    printed and kept.

    Of signing keys, what they signed beyond the last good checkpoint is not believed any
    more. First verify the trail against that checkpoint: the new key signs the log as it
    stands here.
    """
    if (version is None) == (log is None):
        raise InputError.for_field("KEY", "name one version, as text-hash:v2, or --log")
    output, who = Output(as_json), by or system_user()
    if log is None:
        if recovery or last_good_checkpoint is not None:
            raise InputError.for_field(
                "--recovery, --last-good-checkpoint", "go with --log"
            )
        return _of_secret(output, trail, version or "", since, reason or "", who)
    if since is not None:
        raise InputError.for_field(
            "--since", "goes with a version; with --log, --last-good-checkpoint says it"
        )
    asked = Asked(log, _reason(reason), who, _read(last_good_checkpoint))
    return _of_signers(output, trail, asked, recovery or ())


# --- keys that seal or hash ---


def _of_secret(
    output: Output, trail: Path, version: str, since: str | None, reason: str, by: str
) -> int:
    moment = None if since is None else parse_moment("--since", since)
    with changing_trail(trail) as opened:
        done = compromise_key(
            opened, version, since=moment, by=by, reason=reason, now=clock.now()
        )
        rekeyed = _rekey(output, opened, done, by)
        left = None
        if rekeyed is not None:
            left = uses_of(opened, done.entry.key_id, by=by, now=clock.now())
        note = _certificate(opened, done, rekeyed, by)
    _print(output, done, rekeyed, left or done.exposure.uses, note)
    return ExitCode.CHECK_FAILED if rekeyed and rekeyed.failed else ExitCode.OK


def _rekey(output: Output, trail: Trail, done: Compromised, by: str) -> Rekeyed | None:
    if done.entry.name not in _OF_THE_MAP:
        return None
    with output.progress("rows of the identity map") as progress:
        return rekey_identity(trail, by=by, now=clock.now(), progress=progress)


def _certificate(
    trail: Trail, done: Compromised, rekeyed: Rekeyed | None, by: str
) -> bytes | None:
    if done.successor is None:
        return None
    counts = {}
    if done.exposure.uses is not None:
        counts["stood_under_the_old_version"] = done.exposure.uses.total
    if rekeyed is not None:
        counts["identity_rows_rekeyed"] = rekeyed.rows
        counts["identity_rows_failed"] = rekeyed.failed
    facts = Succeeded([(done.entry.key_id, done.successor)], [done.done], counts=counts)
    return issue_certificate(trail, facts, by=by, now=clock.now())


def _print(
    output: Output,
    done: Compromised,
    rekeyed: Rekeyed | None,
    left: Uses | None,
    note: bytes | None,
) -> None:
    exposure, key_id = done.exposure, done.entry.key_id
    if output.as_json:
        output.data(
            {
                "key": str(key_id),
                "state": done.entry.state,
                "successor": None if done.successor is None else str(done.successor),
                "exposed_since": exposure.since,
                "exposed_until": exposure.until,
                "stood_under_it": _listed(exposure.uses),
                "stands_under_it": _listed(left),
                "rows_rekeyed": None if rekeyed is None else rekeyed.rows,
                "rows_failed": None if rekeyed is None else rekeyed.failed,
                "not_undone": exposure.not_undone,
                "certificate": None if note is None else note.decode(),
            }
        )
        return
    output.facts(
        [
            ("key", key_id),
            ("state", done.entry.state),
            ("in use instead", done.successor or "none"),
            ("exposed", f"{exposure.since} to {exposure.until}"),
        ]
    )
    _print_uses(output, key_id, left)
    output.line()
    output.line("A new key does not undo this:")
    for sentence in exposure.not_undone:
        output.line(f"- {sentence}")
    if note is not None:
        output.line()
        output.line(note.decode().removesuffix("\n"))
    for text in _what_next(done, rekeyed):
        output.say(text)


def _listed(uses: Uses | None) -> list[dict[str, object]] | None:
    return None if uses is None else written_uses(uses)


def _print_uses(output: Output, key_id: KeyId, uses: Uses | None) -> None:
    if uses is None:
        output.line(f"stands under it: not counted; run phitrail key uses {key_id}")
        return
    output.line(f"stands under it: {uses.total:,}")
    for one in uses.places:
        if one.count:
            output.line(f"- {one.count:,} {one.what} ({one.place})")


def _what_next(done: Compromised, rekeyed: Rekeyed | None) -> Sequence[str]:
    told = []
    if done.entry.kind is KeyKind.SEAL:
        told.append(
            "What it sealed opens for people with --break-glass REASON only; the log "
            "itself goes on."
        )
    if done.successor is None:
        told.append(
            "Nothing was put in its place; see phitrail key list, and phitrail key create."
        )
    if rekeyed is not None and rekeyed.failed:
        told.append(
            f"{rekeyed.failed:,} rows of the identity map stay under it: they do not "
            "open; run phitrail verify --deep."
        )
    return told


# --- signing keys ---


def _of_signers(
    output: Output, trail: Path, asked: Asked, recovery: Sequence[str]
) -> int:
    if not recovery:
        raise InputError.for_field("--recovery", "is needed with --log")
    done = succeed(trail, asked, read_recovery(recovery), clock.now())
    print_successions(output, [done])
    if asked.reason is SuccessionReason.COMPROMISE and asked.last_good is None:
        output.say(
            f"Without --last-good-checkpoint, what the old key signed up to size "
            f"{done.trusted_size} is still believed."
        )
    output.say(next_steps(trail, (asked.log,)))
    return ExitCode.OK


def _reason(given: str | None) -> SuccessionReason:
    for one in _SIGNERS:
        if given in {None, one.value}:
            return one
    raise InputError.for_field(
        "--reason",
        "must be compromise or lost with --log; else see `phitrail key rotate`",
    )


def _read(last_good: str | None) -> bytes | None:
    return None if last_good is None else read_checkpoint(last_good)
