"""The certificate of a rotation: what was rotated, signed, for whoever files it.

A signed note (C2SP signed-note): the first line names the form, then one line of canonical
JSON, signed by the audit log's checkpoint key, as a checkpoint is. It holds no secret and no
reason in words: of that it has the digest that the log's events have too.

It is checked with what is public (`public/`), and says which key signed it by the size that
the audit log had then. Where a journal lies beside, the events that it names are looked up.
It shows what was done to the keys. What was copied before under an old one is not undone.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from phitrail.app.key_change import Done
from phitrail.app.key_register import REGISTER, open_register
from phitrail.app.pins import JOURNAL, read_lines, read_pins
from phitrail.app.wiring import Trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import IntegrityError
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import Log
from phitrail.events.ids import format_time, uuid_bytes
from phitrail.events.shapes import (
    Count,
    OpaqueId,
    Sha256Hex,
    TenantName,
    Timestamp,
    Uuid7,
)
from phitrail.keys.names import KeyId, KeyKind
from phitrail.keys.register import Fingerprint, KeyRegister
from phitrail.tlog.journal import Journal
from phitrail.tlog.note import parse_note, sign_note, verify_note
from phitrail.tlog.reader import find_event

FIRST_LINE: Final = "phitrail/key-certificate/v1"


class CertifiedKey(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """One key: from which version to which; a fingerprint says nothing of the secret."""

    key: str
    kind: KeyKind
    from_version: Count | None = None
    from_fingerprint: Fingerprint | None = None
    to_version: Count
    to_fingerprint: Fingerprint


class Certificate(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """What a rotation did.

    `events` stand in the logs, `documents` are the digests of what explains them.
    `register` is the number of the register after it, of these bytes (SHA-256). `counts`
    says how many files or rows were done, `failures` which were not.
    """

    tenant: TenantName
    trail_id: Uuid7
    at: Timestamp
    by: OpaqueId
    keys: tuple[CertifiedKey, ...]
    events: tuple[Uuid7, ...]
    documents: tuple[Sha256Hex, ...]
    counts: dict[str, Count]
    failures: tuple[str, ...]
    register: Count
    register_sha256: Sha256Hex
    audit_log_size: Count


@dataclass(frozen=True, slots=True)
class Succeeded:
    """What a rotation did, for its certificate.

    Attributes:
        keys: from which version (none: it was the first) to which.
        changes: the changes that were made.
        events: events beside those of the changes.
        documents: digests of documents, likewise.
        counts: what was done to files and rows.
        failures: what was not, in words without values.
    """

    keys: Sequence[tuple[KeyId | None, KeyId]]
    changes: Sequence[Done] = ()
    events: Sequence[str] = ()
    documents: Sequence[str] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    failures: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CheckedCertificate:
    """A certificate that verifies; whether its events were looked up in the log."""

    certificate: Certificate
    has_looked_up: bool


def issue_certificate(
    trail: Trail, done: Succeeded, *, by: str, now: datetime
) -> bytes:
    """Sign what a rotation did; its events are durable.

    Raises:
        StorageError: the register or the journal cannot be read.
        VaultError: the vault does not answer, or refuses.
    """
    data = DurableFiles(trail.directory).read(REGISTER)
    pins, lines = read_pins(trail.directory), read_lines(trail.directory)
    register = open_register(data, pins[Log.AUDIT], lines[Log.AUDIT])
    with closing(trail.journal()) as journal:
        size = journal.head(Log.AUDIT.value).size
    changes = {change.digest: change for change in done.changes}
    certificate = Certificate(
        tenant=register.tenant,
        trail_id=register.trail_id,
        at=format_time(now),
        by=by,
        keys=tuple(_certified(register, *pair) for pair in done.keys),
        events=(
            *done.events,
            *(one for change in changes.values() for one in change.event_ids),
        ),
        documents=(*changes, *done.documents),
        counts=dict(done.counts),
        failures=tuple(done.failures),
        register=register.number,
        register_sha256=hashlib.sha256(data).hexdigest(),
        audit_log_size=size,
    )
    text = f"{FIRST_LINE}\n{encode_canonical(certificate).decode()}\n"
    return sign_note(text, [trail.log_keys[Log.AUDIT.value].checkpoint])


def _certified(
    register: KeyRegister, before: KeyId | None, after: KeyId
) -> CertifiedKey:
    entry = register.entry(after)
    return CertifiedKey(
        key=after.name,
        kind=entry.kind,
        from_version=None if before is None else before.version,
        from_fingerprint=(
            None if before is None else register.entry(before).fingerprint
        ),
        to_version=after.version,
        to_fingerprint=entry.fingerprint,
    )


def check_certificate(directory: Path, note: bytes) -> CheckedCertificate:
    """Check a certificate against a trail, or what is public of one; no secret is opened.

    Raises:
        ConfigError: there is no trail here.
        IntegrityError: the message names the step that failed and why.
    """
    pins, lines = read_pins(directory), read_lines(directory)

    # 1. It is a certificate, in the one form in which we write one.
    certificate = read_certificate(note)

    # 2. It is this trail's.
    genesis = pins[Log.AUDIT].genesis
    if (certificate.tenant, certificate.trail_id) != (genesis.tenant, genesis.trail_id):
        raise IntegrityError("the certificate is another trail's")

    # 3. The key signed it that was in force.
    line, size = lines[Log.AUDIT], certificate.audit_log_size
    verify_note(parse_note(note), [line.at(size).log_key])
    if line.is_disowned(size):
        raise IntegrityError(
            "the certificate is signed by a key that was declared compromised, above the "
            "last size at which it is believed"
        )

    # 4. What it names stands in the log.
    place = directory / JOURNAL
    if not place.exists():
        return CheckedCertificate(certificate, has_looked_up=False)
    with closing(Journal.open(place, read_only=True)) as journal:
        missing = [
            one
            for one in certificate.events
            if not find_event(journal, uuid_bytes(one))
        ]
    if missing:
        raise IntegrityError(
            f"{len(missing)} of the {len(certificate.events)} events that the "
            "certificate names are in no log here: the log was cut or restored, or the "
            "certificate was never earned"
        )
    return CheckedCertificate(certificate, has_looked_up=True)


def read_certificate(note: bytes) -> Certificate:
    """Read a certificate without believing it.

    Raises:
        IntegrityError: this is no certificate, or not in the form in which we write one.
    """
    first, _, rest = parse_note(note).text.partition("\n")
    if first != FIRST_LINE:
        raise IntegrityError(
            f"this is no certificate: its first line is not {FIRST_LINE}"
        )
    data = rest.removesuffix("\n").encode()
    try:
        certificate = msgspec.json.decode(data, type=Certificate)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        certificate = None
    if certificate is None or encode_canonical(certificate) != data:
        raise IntegrityError(
            "the certificate is not written as this version writes one"
        )
    return certificate
