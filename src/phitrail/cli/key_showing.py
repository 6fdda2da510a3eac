"""`phitrail key show`: one key and what befell it, the signing keys, or a certificate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from phitrail.app import clock
from phitrail.app.key_certificate import CheckedCertificate, check_certificate
from phitrail.app.key_details import KeyDetails, ToldAndWhy, explain_key
from phitrail.app.key_listing import KeyVersion, list_trail_keys
from phitrail.app.reading import system_user
from phitrail.app.running import run_trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.key_listing import due_words, version_object
from phitrail.cli.options import (
    DEFAULT_TRAIL,
    AsJson,
    Reader,
    TrailDirectory,
    examples,
)
from phitrail.cli.output import Output
from phitrail.cli.verify import read_checkpoint
from phitrail.errors import InputError
from phitrail.events.codes import Log
from phitrail.tlog.keyring import ListedKey


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog=examples(
            "phitrail key show",
            "phitrail key show text-hash",
            "phitrail key show audit-checkpoint:v2 --json",
            "phitrail key show --certificate rotation.note",
        )
    )(show)


def show(
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="KEY[:vN]",
            help="Which key, or which version of it.  [default: the signing keys]",
            show_default=False,
        ),
    ] = None,
    log: Annotated[
        Log | None, typer.Option("--log", metavar="LOG", help="Of this log only.")
    ] = None,
    certificate: Annotated[
        str | None,
        typer.Option(
            "--certificate",
            metavar="FILE|-",
            help="Check the certificate of a rotation instead.",
        ),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Reader = None,
    as_json: AsJson = False,
) -> int:
    """Show the public halves of the signing keys, and when each may sign.

    That needs no key and leaves no audit entry; neither does checking a certificate.
    With KEY: its dates, its policy, and who did what to it, and why; that is a read of
    the audit log and is recorded.
    """
    output = Output(as_json)
    if sum(one is not None for one in (key, log, certificate)) > 1:
        raise InputError.for_field("KEY", "goes without --log and --certificate")
    if certificate is not None:
        note = read_checkpoint(certificate, "--certificate")
        _print_certificate(output, check_certificate(trail, note))
    elif key is not None:
        with run_trail(trail) as running:
            details = explain_key(
                running.parts, key, by=by or system_user(), now=clock.now()
            )
        _print_details(output, details)
    else:
        _print_signing_keys(output, trail, log)
    return ExitCode.OK


def _print_details(output: Output, found: KeyDetails) -> None:
    if output.as_json:
        output.data(
            {
                "key": found.name,
                "versions": [version_object(one) for one in found.versions],
                "policy": msgspec.to_builtins(found.policy),
                "history": [_told_object(one) for one in found.history],
            }
        )
        return
    for one in found.versions:
        output.facts([("key", one.entry.key_id), *_facts(one)])
        output.line()
    policy = found.policy
    output.facts(
        [
            ("rotated after", _days(policy.rotate_after_days, "never by age")),
            ("rotated on", ", ".join(policy.rotate_on)),
            ("on compromise", policy.on_compromise),
            ("kept", f"{_days(policy.retain_days, 'for good')}: {policy.retain_what}"),
            ("source", policy.source),
        ]
    )
    output.line()
    output.table(
        ("at", "what", "about", "by", "why"),
        [
            (
                one.told.at,
                one.told.event_type,
                one.told.about,
                one.told.by,
                "" if one.why is None else one.why.reason,
            )
            for one in found.history
        ],
    )


def _facts(one: KeyVersion) -> Sequence[tuple[str, object]]:
    entry = msgspec.to_builtins(one.entry)
    names = [name for name in entry if name not in {"name", "version"}]
    facts: list[tuple[str, object]] = [
        (name.removesuffix("_at").replace("_", " "), entry[name])
        for name in names
        if entry[name] is not None
    ]
    if one.private_half is not None:
        facts.append(("private half", one.private_half))
    if one.due is not None:
        facts.append(("due", due_words(one.due)))
    facts.append(("kept until", one.kept_until or "for good"))
    if one.is_held:
        facts.append(("on hold", "it is not destroyed"))
    return facts


def _told_object(one: ToldAndWhy) -> dict[str, Any]:
    told = one.told
    return {
        "at": told.at,
        "event_type": told.event_type,
        "event_id": told.event_id,
        "about": told.about,
        "by": told.by,
        "entry": told.index,
        "reason": None if one.why is None else one.why.reason,
        "facts": {} if one.why is None else one.why.facts,
    }


def _days(days: int | None, otherwise: str) -> str:
    return otherwise if days is None else f"{days} days"


def _print_certificate(output: Output, checked: CheckedCertificate) -> None:
    found = checked.certificate
    if output.as_json:
        output.data(
            {
                "certificate": msgspec.to_builtins(found),
                "has_looked_up_events": checked.has_looked_up,
            }
        )
        return
    output.facts([("tenant", found.tenant), ("at", found.at), ("by", found.by)])
    output.line()
    output.table(
        ("key", "kind", "from#", "to#", "fingerprint"),
        [
            (
                one.key,
                one.kind,
                one.from_version or "",
                one.to_version,
                one.to_fingerprint,
            )
            for one in found.keys
        ],
    )
    for name, count in found.counts.items():
        output.line(f"{name.replace('_', ' ')}: {count}")
    for failure in found.failures:
        output.line(f"failed: {failure}")
    output.line(
        "The certificate verifies, and the log holds its events."
        if checked.has_looked_up
        else "The certificate verifies. There is no journal here to look its events up in."
    )


def _print_signing_keys(output: Output, trail: Path, log: Log | None) -> None:
    listing = list_trail_keys(trail)
    keys = [one for one in listing.keys if log in (None, one.log)]
    if output.as_json:
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


def _until(one: ListedKey) -> str:
    if one.to_size is None:
        return "in force"
    trusted = "" if one.trusted_size == one.to_size else f", trusted {one.trusted_size}"
    return f"{one.to_size} ({one.ended}{trusted})"
