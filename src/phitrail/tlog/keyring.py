"""The keyring: every signing key of a trail, signed by the recovery key (ADR 0007).

`public/keyring.json` stands outside the logs, beside what it explains, so that a copy
without keys can be verified after a succession, and a log's own keys are known before it
is opened. There is none until the first succession.

1. It holds each succession whole, byte for byte the entry of its log, and a table of keys:
   role, from which size to which size each may sign, why it ended. The table says the same
   as the successions; a keyring whose table says another thing is refused.
2. The recovery key signs it as it signs a succession: first line, then canonical JSON. So
   nobody without that key can add a succession or leave one out. An older keyring is as
   well signed as the newest: the entries of the log tell them apart.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import msgspec

from phitrail.errors import IntegrityError
from phitrail.events.canonical import encode_canonical, encode_leaf
from phitrail.events.codes import Log, SigningRole, SuccessionReason
from phitrail.events.shapes import Count, NoteSignature, TenantName, Timestamp, Uuid7
from phitrail.events.succession import Succession
from phitrail.tlog.genesis import Pinned
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.note import Signer
from phitrail.tlog.succession import UNSIGNED, sign_record, verify_record, walk


class ListedKey(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """One key: whose it is and when it may sign, counted in sizes of its log."""

    log: Log
    role: SigningRole
    key_version: int
    vkey: str
    from_size: int
    to_size: int | None = None
    trusted_size: int | None = None
    ended: SuccessionReason | None = None


class Keyring(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="schema",
    tag="phitrail/keyring/v1",
):
    """The keys of the three logs of a trail and the successions that made them."""

    tenant: TenantName
    trail_id: Uuid7
    created_at: Timestamp
    number: Count
    keys: tuple[ListedKey, ...]
    successions: tuple[Succession, ...]
    recovery_signature: NoteSignature


def list_keys(pinned: Pinned, line: KeyLine) -> tuple[ListedKey, ...]:
    """List every key of one log, the oldest first, and the recovery key."""
    log = pinned.genesis.log
    listed = [
        ListedKey(
            log=log,
            role=role,
            key_version=version,
            vkey=str(key),
            from_size=tenure.first,
            to_size=tenure.last,
            trusted_size=tenure.trusted,
            ended=tenure.ended,
        )
        for version, tenure in enumerate(line.tenures, start=1)
        for role, key in (
            (SigningRole.CHECKPOINT, tenure.log_key),
            (SigningRole.PROMISE, tenure.promise_key),
        )
    ]
    recovery = ListedKey(
        log=log,
        role=SigningRole.SUCCESSION,
        key_version=1,
        vkey=str(pinned.recovery_key),
        from_size=0,
    )
    return (*listed, recovery)


def sign_keyring(
    pins: Mapping[Log, Pinned],
    successions: Sequence[Succession],
    recovery: Signer,
    created_at: str,
) -> bytes:
    """Write the keyring of a trail after these successions, in any order of logs.

    Raises:
        IntegrityError: they do not continue what genesis pins.
    """
    keys = tuple(
        key
        for log, pinned in pins.items()
        for key in list_keys(pinned, walk(pinned, _leaves(successions, log)))
    )
    genesis = next(iter(pins.values())).genesis
    draft = Keyring(
        tenant=genesis.tenant,
        trail_id=genesis.trail_id,
        created_at=created_at,
        number=len(successions),
        keys=keys,
        successions=tuple(successions),
        recovery_signature=UNSIGNED,
    )
    signed = msgspec.structs.replace(
        draft, recovery_signature=sign_record(draft, recovery)
    )
    return encode_canonical(signed) + b"\n"


def open_keyring(data: bytes, pinned: Pinned) -> Keyring:
    """Read a keyring and check that this trail's recovery key signed it.

    Raises:
        IntegrityError: it is none, another trail's, altered, or not signed by that key.
    """
    keyring = None
    with suppress(msgspec.MsgspecError, ValueError):
        keyring = msgspec.json.decode(data, type=Keyring)
    if keyring is None or encode_canonical(keyring) + b"\n" != data:
        raise IntegrityError("keyring: is not in its one form; put a whole copy back")
    genesis = pinned.genesis
    if (keyring.tenant, keyring.trail_id) != (genesis.tenant, genesis.trail_id):
        raise IntegrityError("keyring: is another trail's")
    try:
        verify_record(keyring, {pinned.recovery_key: keyring.recovery_signature})
    except IntegrityError as error:
        raise IntegrityError(
            f"keyring: the recovery key has not signed it ({error})"
        ) from error
    return keyring


def read_line(data: bytes | None, pinned: Pinned) -> KeyLine:
    """Read the line of one log's keys out of a keyring; without one, out of genesis.

    Raises:
        IntegrityError: the keyring or one of its successions does not verify.
    """
    if data is None:
        return walk(pinned, ())
    keyring = open_keyring(data, pinned)
    log = pinned.genesis.log
    if keyring.number != len(keyring.successions):
        raise IntegrityError("keyring: does not hold as many successions as it says")
    line = walk(pinned, _leaves(keyring.successions, log))
    if tuple(key for key in keyring.keys if key.log is log) != list_keys(pinned, line):
        raise IntegrityError(
            f"keyring: its table of keys is not what the successions of {log} say"
        )
    return line


def _leaves(successions: Iterable[Succession], log: Log) -> list[bytes]:
    return [encode_leaf(one) for one in successions if one.log is log]
