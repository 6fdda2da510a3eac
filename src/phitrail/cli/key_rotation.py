"""`phitrail key rotate`: new keys for old ones, in the ordinary course."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from phitrail.app import clock
from phitrail.app.handover import event_of_succession
from phitrail.app.key_certificate import Succeeded, issue_certificate
from phitrail.app.key_change import Done
from phitrail.app.key_reason import check_reason
from phitrail.app.key_rekey import rekey_identity
from phitrail.app.key_rewrap import retire_wrapping_key, rotate_wrapping_key
from phitrail.app.key_rotation import rotate_keys
from phitrail.app.key_wiring import current_register
from phitrail.app.reading import system_user
from phitrail.app.succession import Asked, succeed
from phitrail.app.wiring import Trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.key_options import (
    By,
    Reason,
    changing_trail,
    next_steps,
    print_successions,
    read_recovery,
)
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.errors import InputError, StorageError
from phitrail.events.codes import Log, SuccessionReason
from phitrail.events.succession import Succession
from phitrail.keys.names import (
    IDENTITY_INDEX,
    IDENTITY_SEAL,
    WRAPPING,
    KeyId,
    KeyKind,
    checkpoint_key,
    kind_of_key,
    parse_key_id,
    promise_key,
)

_ORDINARY = "rotated in the ordinary course"
_OF_THE_MAP = frozenset({IDENTITY_INDEX, IDENTITY_SEAL})


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog=examples(
            "phitrail key rotate text-hash idempotency --certificate rotation.note",
            "phitrail key rotate --all-secrets --reason 'yearly'",
            "phitrail key rotate identity-index identity-seal",
            "phitrail key rotate wrapping --retire",
            "phitrail key rotate --all --recovery recovery.key",
            "cat share.1 share.3 | phitrail key rotate --log audit --recovery -",
        )
    )(rotate)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be rotated: secrets, the vault's own key, signing keys of logs."""

    secrets: tuple[str, ...]
    is_wrapping: bool
    logs: tuple[Log, ...]
    by: str
    reason: str
    is_retiring: bool
    is_rekeying: bool


def rotate(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Which keys.", show_default=False),
    ] = None,
    is_all_secrets: Annotated[
        bool,
        typer.Option("--all-secrets", help="Every key that seals or hashes."),
    ] = False,
    log: Annotated[
        list[Log] | None,
        typer.Option(
            "--log",
            metavar="LOG",
            help="The signing keys of this log; may be repeated.",
        ),
    ] = None,
    is_all: Annotated[
        bool, typer.Option("--all", help="The signing keys of every log.")
    ] = False,
    recovery: Annotated[
        list[str] | None,
        typer.Option(
            "--recovery",
            metavar="FILE|-",
            help="The recovery key, or a share of it, for signing keys; may be repeated.",
        ),
    ] = None,
    is_retiring: Annotated[
        bool,
        typer.Option(
            "--retire",
            help="Of wrapping: destroy the versions before; see docs/keys.md.",
        ),
    ] = False,
    is_rekeying: Annotated[
        bool,
        typer.Option(
            "--rekey",
            help="Rotate nothing; go on with a re-key of the identity map.",
        ),
    ] = False,
    reason: Reason = _ORDINARY,
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--certificate", metavar="FILE", help="Write the certificate here."
        ),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: By = None,
    as_json: AsJson = False,
) -> int:
    """Give keys their next versions; what the old ones protected still opens.

    A key that seals or hashes is rotated by its name, while others go on recording; the
    identity map is then re-keyed, which takes its time; --rekey goes on with it where it
    was interrupted. `wrapping` is the vault's own
    key: every key file is wrapped anew.

    Signing keys are rotated with --log or --all: the old key and the recovery key both
    sign. Stop the process that publishes first. Bring the recovery key for the one
    command and take it away again.

    Each rotation ends in a signed certificate; `key show --certificate` checks one.
    """
    asked = _Asked(
        *_sorted_out(trail, names or (), is_all_secrets=is_all_secrets),
        logs=_logs(log or (), is_all=is_all),
        by=by or system_user(),
        reason=reason,
        is_retiring=is_retiring,
        is_rekeying=is_rekeying,
    )
    _check_asked(asked, recovery or (), certificate)
    output = Output(as_json)
    succeeded = _succeed(trail, asked, recovery or ())
    with changing_trail(trail) as opened:
        done = _rotated(opened, asked, succeeded, output)
        note = issue_certificate(opened, done, by=asked.by, now=clock.now())
    _print_rotation(output, done, succeeded, note, certificate)
    if succeeded:
        output.say(next_steps(trail, asked.logs))
    has_failed = done.counts.get("identity_rows_failed", 0)
    return ExitCode.CHECK_FAILED if has_failed else ExitCode.OK


def _sorted_out(
    trail: Path, names: Sequence[str], *, is_all_secrets: bool
) -> tuple[tuple[str, ...], bool]:
    """Say which secrets are meant, and whether the vault's own key is."""
    secrets: list[str] = []
    for written in names:
        name, version = parse_key_id(written)
        if version is not None:
            raise InputError.for_field(
                "KEY", f"is one version; name the key: phitrail key rotate {name}"
            )
        if kind_of_key(name) is KeyKind.SIGN:
            raise InputError.for_field(
                "KEY", "signs: rotate it with --log or --all and the recovery key"
            )
        if name != WRAPPING:
            secrets.append(name)
    if is_all_secrets:
        secrets += [
            one.name
            for one in current_register(trail).keys
            if one.kind in {KeyKind.SEAL, KeyKind.MAC}
        ]
    return tuple(dict.fromkeys(secrets)), WRAPPING in names


def _logs(named: Sequence[Log], *, is_all: bool) -> tuple[Log, ...]:
    if named and is_all:
        raise InputError.for_field("--log", "name one or more, or give --all")
    return tuple(Log) if is_all else tuple(dict.fromkeys(named))


def _check_asked(
    asked: _Asked, recovery: Sequence[str], certificate: Path | None
) -> None:
    is_rotating = bool(asked.secrets or asked.is_wrapping or asked.logs)
    if is_rotating == asked.is_rekeying:
        raise InputError.for_field(
            "NAME",
            "name one or more keys, or give --all-secrets, --log or --all; or --rekey "
            "alone",
        )
    if bool(asked.logs) != bool(recovery):
        raise InputError.for_field(
            "--recovery", "goes with --log or --all, and these with it"
        )
    if asked.is_retiring and not asked.is_wrapping:
        raise InputError.for_field("--retire", "is for wrapping alone; name it")
    if asked.reason != _ORDINARY and not (asked.secrets or asked.is_wrapping):
        raise InputError.for_field(
            "--reason", "is for keys that are named: a succession keeps no words"
        )
    check_reason(asked.reason)
    if certificate is not None and (
        certificate.exists() or not certificate.parent.is_dir()
    ):
        raise InputError.for_field(
            "--certificate", "must name a new file in a directory that is there"
        )


def _succeed(
    trail: Path, asked: _Asked, recovery: Sequence[str]
) -> tuple[Succession, ...]:
    if not asked.logs:
        return ()
    secret = read_recovery(recovery)
    return tuple(
        succeed(
            trail, Asked(one, SuccessionReason.ROTATION, asked.by), secret, clock.now()
        )
        for one in asked.logs
    )


def _rotated(
    trail: Trail, asked: _Asked, succeeded: Sequence[Succession], output: Output
) -> Succeeded:
    """Rotate what is no signing key, and gather everything for the certificate."""
    keys: list[tuple[KeyId | None, KeyId]] = [
        (KeyId(name, one.key_version - 1), KeyId(name, one.key_version))
        for one in succeeded
        for name in (checkpoint_key(one.log), promise_key(one.log))
    ]
    events = [
        id_
        for one in succeeded
        for id_ in (one.event_id, event_of_succession(one, asked.by))
    ]
    changes: list[Done] = []
    counts: dict[str, int] = {}
    by, reason = asked.by, asked.reason
    if asked.secrets:
        rotated = rotate_keys(
            trail, asked.secrets, by=by, reason=reason, now=clock.now()
        )
        keys += [(one.before, one.after) for one in rotated]
        changes.append(rotated[0].done)
    if asked.is_wrapping:
        with output.progress("key files") as progress:
            wrapped = rotate_wrapping_key(
                trail, by=by, reason=reason, now=clock.now(), progress=progress
            )
        keys.append((wrapped.before, wrapped.after))
        changes.append(wrapped.done)
        counts["key_files_rewrapped"] = wrapped.files
        if asked.is_retiring:
            retired = retire_wrapping_key(trail, by=by, reason=reason, now=clock.now())
            counts["wrapping_versions_retired"] = len(retired)
    done = Succeeded(keys, changes, events, counts=counts)
    if asked.is_rekeying or _OF_THE_MAP & set(asked.secrets):
        return _rekeyed(trail, by, done, output)
    return done


def _rekeyed(trail: Trail, by: str, done: Succeeded, output: Output) -> Succeeded:
    """Move the rows of the identity map to the versions in use."""
    with output.progress("rows of the identity map") as progress:
        rekeyed = rekey_identity(trail, by=by, now=clock.now(), progress=progress)
    return replace(
        done,
        counts={
            **done.counts,
            "identity_rows_rekeyed": rekeyed.rows,
            "identity_rows_already_there": rekeyed.already,
            "identity_rows_failed": rekeyed.failed,
        },
        documents=() if rekeyed.digest is None else (rekeyed.digest,),
        failures=tuple(
            f"the identity of {one} stays under an old version"
            for one in rekeyed.failed_surrogates
        ),
    )


def _print_rotation(
    output: Output,
    done: Succeeded,
    succeeded: Sequence[Succession],
    note: bytes,
    certificate: Path | None,
) -> None:
    if certificate is not None:
        try:
            certificate.write_bytes(note)
        except OSError as error:
            raise StorageError(
                f"the keys are rotated; their certificate could not be written to "
                f"{certificate} ({error.strerror})"
            ) from error
    if output.as_json:
        found: dict[str, object] = {
            "rotated": [
                {"from": None if before is None else str(before), "to": str(after)}
                for before, after in done.keys
            ],
            "successions": [msgspec.to_builtins(one) for one in succeeded],
            "counts": dict(done.counts),
            "failures": list(done.failures),
            "certificate": note.decode(),
        }
        output.data(found)
        return
    if succeeded:
        print_successions(output, succeeded)
    elif done.keys:
        output.table(
            ("key", "from", "to"),
            [
                (
                    after.name,
                    "" if before is None else f"v{before.version}",
                    f"v{after.version}",
                )
                for before, after in done.keys
            ],
        )
    for name, count in done.counts.items():
        output.line(f"{name.replace('_', ' ')}: {count}")
    for failure in done.failures:
        output.line(f"failed: {failure}")
    if certificate is None:
        output.line()
        output.line(note.decode().removesuffix("\n"))
