"""Signers of one log, and successions that they sign as the product does."""

import hashlib
from typing import Any

import msgspec
from tests.tlog.trees import make_signer

from phitrail.events.canonical import encode_leaf
from phitrail.events.codes import Log, SuccessionReason
from phitrail.events.genesis import Genesis
from phitrail.events.succession import Succession
from phitrail.tlog.genesis import Pinned, read_genesis
from phitrail.tlog.note import Signer
from phitrail.tlog.succession import UNSIGNED, sign_succession

TENANT = "clinic.example"
ORIGIN = f"{TENANT}/audit"
MOMENT = "2026-11-21T12:00:00.000Z"


def signer(name: str, version: int = 1) -> Signer:
    """Give the same key for the same name and version."""
    return make_signer(name, hashlib.sha256(f"{name} {version}".encode()).digest())


RECOVERY = signer(f"{TENANT}/recovery")


def checkpoint_key(version: int) -> Signer:
    """Give a checkpoint key of the log."""
    return signer(ORIGIN, version)


def promise_key(version: int) -> Signer:
    """Give a promise key of the log."""
    return signer(f"{ORIGIN}/promise", version)


PINNED: Pinned = read_genesis(
    encode_leaf(
        Genesis(
            event_id="019a7000-0000-7000-8000-000000000000",
            created_at=MOMENT,
            tenant=TENANT,
            log=Log.AUDIT,
            origin=ORIGIN,
            trail_id="019a7000-0000-7000-8000-000000000001",
            log_vkey=str(checkpoint_key(1).vkey),
            promise_vkey=str(promise_key(1).vkey),
            recovery_vkey=str(RECOVERY.vkey),
            nonce="A" * 22,
        )
    ),
    Log.AUDIT,
)


def draft(version: int, head_size: int, **changes: Any) -> Succession:
    """Draft the succession to a version, at a size; trusted up to there unless said."""
    root = hashlib.sha256(b"root %d" % head_size).hexdigest()
    record = Succession(
        event_id=f"019a7000-0000-7000-8000-00000000010{version}",
        created_at=MOMENT,
        log=Log.AUDIT,
        origin=ORIGIN,
        key_version=version,
        reason=SuccessionReason.ROTATION,
        old_log_vkey=str(checkpoint_key(version - 1).vkey),
        old_promise_vkey=str(promise_key(version - 1).vkey),
        log_vkey=str(checkpoint_key(version).vkey),
        promise_vkey=str(promise_key(version).vkey),
        head_size=head_size,
        head_root=root,
        trusted_size=head_size,
        trusted_root=root,
        nonce="B" * 22,
        recovery_signature=UNSIGNED,
    )
    return msgspec.structs.replace(record, **changes)


def sign(record: Succession, *, recovery: Signer = RECOVERY) -> Succession:
    """Sign a draft as its reason asks."""
    is_rotation = record.reason is SuccessionReason.ROTATION
    old = checkpoint_key(record.key_version - 1) if is_rotation else None
    return sign_succession(record, recovery=recovery, old=old)


def leaf(version: int, head_size: int, **changes: Any) -> bytes:
    """Give a signed succession as it stands in the log."""
    return encode_leaf(sign(draft(version, head_size, **changes)))


COMPROMISED = {
    "reason": SuccessionReason.COMPROMISE,
    "trusted_size": 5,
    "trusted_root": "0" * 64,
}
