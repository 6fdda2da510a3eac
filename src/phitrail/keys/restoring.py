"""A key without its vault: its secret out of escrow, checked, and wrapped anew.

1. Nothing is believed that does not hash to the register's fingerprint: neither what escrow
   gives nor what a vault gives.
2. A signing key is in no escrow. Whether a vault still signs with it is tried out: over bytes
   that are no note, so that the signature is good for nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from phitrail.errors import ConfigError, IntegrityError, VaultError
from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect
from phitrail.keys.escrow import open_escrow, seal_to_escrow
from phitrail.keys.key_file import SECRET_BYTES, KeyFile, fingerprint_of_secret
from phitrail.keys.names import KeyId
from phitrail.keys.register import KeyEntry
from phitrail.keys.vault import ToWrap, Vault

_PROBE = b"phitrail/does-it-sign/v1"


@dataclass(frozen=True, slots=True)
class Lost:
    """A version of a key that does not come back, and why; or others may read its file."""

    key_id: KeyId
    why: str
    is_seen: bool = False

    def __str__(self) -> str:
        return f"{self.key_id}: {self.why}"


def open_from_escrow(
    file: KeyFile, entry: KeyEntry, recovery: Ed25519PrivateKey
) -> Protected[bytes]:
    """Open the secret of a key file with the recovery key.

    Raises:
        IntegrityError: there is none in escrow, it was altered, or is another one.
    """
    if file.escrow is None:
        raise IntegrityError("its file holds nothing in escrow")
    plain = open_escrow(recovery, file.escrow, file.wrapped.context)
    secret = Protected(plain)
    if not _is_the_one(entry, secret, len(plain)):
        raise IntegrityError("what its file holds in escrow is another secret")
    return secret


def unwrap_held(
    vault: Vault, file: KeyFile, entry: KeyEntry
) -> Protected[bytes] | None:
    """Unwrap the secret of a key file; `None` where this vault does not give it.

    Raises:
        VaultError: the vault does not answer.
    """
    try:
        (plain,) = vault.unwrap([file.wrapped])
    except IntegrityError:
        return None
    except VaultError as error:
        if not error.is_refusal:
            raise
        return None
    secret = Protected(plain)
    return secret if _is_the_one(entry, secret, len(plain)) else None


def wrap_anew(
    vault: Vault,
    files: Mapping[KeyId, KeyFile],
    secrets: Mapping[KeyId, Protected[bytes]],
    escrow_key: str,
) -> tuple[KeyFile, ...]:
    """Wrap secrets under a vault, and seal them to the recovery key again.

    Raises:
        VaultError: the vault does not answer, or refuses.
    """
    key_ids = sorted(secrets)
    contexts = [files[key_id].wrapped.context for key_id in key_ids]
    plain = [unprotect(secrets[key_id]) for key_id in key_ids]
    if not key_ids:
        return ()
    wrapped = vault.wrap(list(map(ToWrap, plain, contexts)))
    return tuple(
        msgspec.structs.replace(
            files[key_id],
            vault=vault.kind,
            held=held,
            escrow=seal_to_escrow(escrow_key, secret, context),
        )
        for key_id, held, secret, context in zip(
            key_ids, wrapped, plain, contexts, strict=True
        )
    )


def still_signs(vault: Vault, file: KeyFile) -> bool:
    """Say whether a vault signs with the key of a file, and the signature is good.

    A vault that refuses does not sign: what has no such key, and what may not use it, are
    alike to whoever must record.

    Raises:
        VaultError: the vault does not answer.
    """
    try:
        signature = vault.sign(file.wrapped, _PROBE)
        Ed25519PublicKey.from_public_bytes(file.public()).verify(signature, _PROBE)
    except (IntegrityError, ConfigError, InvalidSignature):
        return False
    except VaultError as error:
        if not error.is_refusal:
            raise
        return False
    return True


def _is_the_one(entry: KeyEntry, secret: Protected[bytes], length: int) -> bool:
    return length == SECRET_BYTES and entry.fingerprint == fingerprint_of_secret(
        entry.key_id, secret
    )
