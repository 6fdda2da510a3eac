"""The register on disk: signed by the audit log's checkpoint key, checked when read.

`state/key-register.json` is what `keys.register` says, in canonical JSON. What is signed is
a statement of its SHA-256, as a succession is (ADR 0007): its schema is the first line, so
that no checkpoint passes for a register. It is short however many keys there are, since a
vault signs little at once (AWS KMS: 4,096 bytes). Whoever holds the key of the audit log can
sign another one; the events of the log tell it from the right one (`key list --check`).

The escrow key in it is signed by the recovery key, once, at the founding: nobody else can
put a key of his own in its place.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from phitrail.durable.files import DurableFiles
from phitrail.errors import ConfigError, IntegrityError
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import Log
from phitrail.events.shapes import NoteSignature, Sha256Hex, TenantName, Uuid7
from phitrail.keys.register import UNSIGNED, KeyRegister
from phitrail.tlog.genesis import Pinned
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.note import Signer
from phitrail.tlog.succession import sign_record, verify_record

REGISTER = "state/key-register.json"


class _RegisterStatement(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="schema",
    tag="phitrail/signed-key-register/v1",
):
    tenant: TenantName
    trail_id: Uuid7
    number: int
    register_sha256: Sha256Hex
    signature: NoteSignature | str = UNSIGNED


class _EscrowStatement(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="schema",
    tag="phitrail/escrow-key/v1",
):
    tenant: TenantName
    trail_id: Uuid7
    escrow_key: str
    recovery_signature: NoteSignature | str


def sign_escrow_key(
    tenant: str, trail_id: str, escrow_key: str, recovery: Signer
) -> str:
    """Sign the escrow key of a trail with its recovery key."""
    return sign_record(_statement(tenant, trail_id, escrow_key), recovery)


def print_register(register: KeyRegister, signer: Signer) -> bytes:
    """Sign a register with the audit log's checkpoint key, and write it."""
    signature = sign_record(_register_statement(register), signer)
    signed = msgspec.structs.replace(register, signature=signature)
    return encode_canonical(signed) + b"\n"


def read_register(
    directory: Path, pins: Mapping[Log, Pinned], lines: Mapping[Log, KeyLine]
) -> KeyRegister:
    """Read the register of a trail and check who signed it.

    Raises:
        ConfigError: it is missing or damaged.
        IntegrityError: it is another trail's, or not signed by the audit log's key in
            force, or its escrow key not by the recovery key.
    """
    try:
        data = DurableFiles(directory).read(REGISTER)
    except FileNotFoundError:
        raise ConfigError(
            f"cannot read {directory / REGISTER}: No such file or directory; restore it "
            "from the archive"
        ) from None
    return open_register(data, pins[Log.AUDIT], lines[Log.AUDIT])


def open_register(data: bytes, pinned: Pinned, line: KeyLine) -> KeyRegister:
    """Check the bytes of a register.

    Raises:
        ConfigError: it is damaged.
        IntegrityError: it is another trail's, or not signed as it must be.
    """
    register = None
    with suppress(msgspec.MsgspecError, ValueError):
        register = msgspec.json.decode(data, type=KeyRegister)
    if register is None or encode_canonical(register) + b"\n" != data:
        raise ConfigError(
            f"{REGISTER}: the trail's register of keys is damaged; restore it"
        )
    genesis = pinned.genesis
    if (register.tenant, register.trail_id) != (genesis.tenant, genesis.trail_id):
        raise IntegrityError(f"{REGISTER}: is another trail's; restore the right one")
    statement = _statement(register.tenant, register.trail_id, register.escrow_key)
    try:
        verify_record(
            _register_statement(register), {line.current.log_key: register.signature}
        )
        verify_record(statement, {pinned.recovery_key: register.escrow_signature})
    except IntegrityError as error:
        raise IntegrityError(
            f"{REGISTER}: is not signed by the keys of this trail ({error}); restore it"
        ) from error
    return register


def _register_statement(register: KeyRegister) -> _RegisterStatement:
    bare = msgspec.structs.replace(register, signature=UNSIGNED)
    return _RegisterStatement(
        tenant=register.tenant,
        trail_id=register.trail_id,
        number=register.number,
        register_sha256=hashlib.sha256(encode_canonical(bare)).hexdigest(),
    )


def _statement(tenant: str, trail_id: str, escrow_key: str) -> _EscrowStatement:
    return _EscrowStatement(
        tenant=tenant,
        trail_id=trail_id,
        escrow_key=escrow_key,
        recovery_signature=UNSIGNED,
    )
