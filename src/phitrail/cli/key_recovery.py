"""`phitrail key recover`: the keys come back when their vault is gone, or as if it were."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from phitrail.app import clock
from phitrail.app.key_recovery import Recovered, recover_keys
from phitrail.app.key_rehearsal import Rehearsed, rehearse_recovery
from phitrail.app.reading import system_user
from phitrail.app.recovery_proof import Proof
from phitrail.app.vault_choice import read_vault_file
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.key_options import By, Recovery, next_steps, read_recovery
from phitrail.cli.options import DEFAULT_TRAIL, AsJson, TrailDirectory, examples
from phitrail.cli.output import Output
from phitrail.errors import InputError

NO_REASON = "the vault of the keys is lost"


def add_to(app: typer.Typer) -> None:
    """Add this verb to `phitrail key`."""
    app.command(
        epilog=examples(
            "phitrail key recover --rehearse --recovery share.1 --recovery share.3",
            "phitrail key recover --recovery share.1 --recovery share.3 "
            "--vault new-vault.yaml",
        )
    )(recover)


def recover(
    recovery: Recovery,
    rehearse: Annotated[
        bool,
        typer.Option("--rehearse", help="Try it out in memory; change nothing."),
    ] = False,
    vault: Annotated[
        Path | None,
        typer.Option(
            "--vault",
            metavar="FILE",
            help="What is to stand under keys.vault in policy.yaml: another vault.",
        ),
    ] = None,
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="TEXT", help="What happened; kept sealed."),
    ] = NO_REASON,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: By = None,
    as_json: AsJson = False,
) -> int:
    """Bring every key back with the recovery key, without the vault.

    Secrets come out of escrow and go under the vault of policy.yaml, or another one; logs
    that no vault signs for get new signing keys. A crash may cut it anywhere: run it again.
    Both ways are recorded. The exit code is 1 where something does not open.
    """
    output, who = Output(as_json), by or system_user()
    secret = read_recovery(recovery)
    if rehearse:
        if vault is not None:
            raise InputError.for_field("--vault", "a rehearsal needs no vault")
        rehearsed = rehearse_recovery(
            trail, secret, by=who, now=clock.now(), elapsed_us=clock.monotonic_us
        )
        return _say_what_was_rehearsed(output, rehearsed)
    settings = None if vault is None else read_vault_file(vault)
    done = recover_keys(
        trail, secret, by=who, reason=reason, now=clock.now(), vault=settings
    )
    return _say_what_was_recovered(output, trail, done)


def _say_what_was_rehearsed(output: Output, done: Rehearsed) -> int:
    code = ExitCode.CHECK_FAILED if done.failures else ExitCode.OK
    if output.as_json:
        output.data(
            {
                "wanted": done.wanted,
                "brought_back": done.brought_back,
                "opened": done.proof.facts(),
                "failures": list(done.failures),
                "took_ms": done.took_ms,
                "document": done.digest,
            }
        )
        return code
    output.facts(
        [
            ("secrets", f"{done.brought_back} of {done.wanted} came back from escrow"),
            *_opened(done.proof),
            ("took", f"{done.took_ms} ms"),
            ("on record as", done.digest),
        ]
    )
    _say_failures(output, done.failures)
    if not done.failures:
        output.say(
            "Nothing was changed. Take the recovery key away from this host again."
        )
    return code


def _say_what_was_recovered(output: Output, trail: Path, done: Recovered) -> int:
    failures = done.proof.failures
    code = ExitCode.CHECK_FAILED if failures else ExitCode.OK
    logs = [one.log for one in done.successions]
    if output.as_json:
        output.data(
            {
                "vault": done.vault,
                "brought_back": done.brought_back,
                "wrapped_anew": done.wrapped_anew,
                "successions": [msgspec.to_builtins(one) for one in done.successions],
                "opened": done.proof.facts(),
                "failures": list(failures),
                "document": done.done.digest,
            }
        )
        return code
    successions = ", ".join(f"{one.log} ({one.reason})" for one in done.successions)
    output.facts(
        [
            ("vault", done.vault),
            (
                "secrets",
                f"{done.brought_back} are here, {done.wrapped_anew} wrapped anew",
            ),
            ("new signing keys", successions or "none were needed"),
            *_opened(done.proof),
            ("on record as", done.done.digest),
        ]
    )
    _say_failures(output, failures)
    if logs:
        output.say(next_steps(trail, logs))
    return code


def _opened(proof: Proof) -> list[tuple[str, str]]:
    """Say what was opened, of how much."""
    return [
        ("identities", f"{proof.identities_opened} of {proof.identities} opened"),
        *(
            (f"{log} entries", f"{proof.entries_opened[log]} of {size} opened")
            for log, size in proof.entries.items()
        ),
        ("documents", f"{proof.documents_opened} of {proof.documents} opened"),
    ]


def _say_failures(output: Output, failures: tuple[str, ...]) -> None:
    for one in failures:
        output.line(f"does not come back: {one}")
