"""Secrets brought back without the vault: each is sealed to the recovery key as well.

The recovery key (`keys.recovery`) is a seed of 32 bytes that stands on paper, whole or in
shares. From it comes a second key pair, X25519, by HKDF (RFC 5869) under a label of its own.
Its public half is kept in the register, signed by the recovery key; every new secret is
sealed to it by HPKE (RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
AES-256-GCM), bound to the name and version of its key. So a vault may burn down: two people
with their shares bring back what opens the log and says who is who. No one needs the shares
to add a key. Signing keys are never sealed to it: a lost one is succeeded, not brought back
(ADR 0007).
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from phitrail.errors import ConfigError, IntegrityError
from phitrail.keys.spelling import base64url, parse_base64url

_LABEL = b"phitrail/escrow/v1"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def escrow_public_key(recovery: Ed25519PrivateKey) -> str:
    """Return the public half that secrets are sealed to, base64url."""
    return base64url(_private(recovery).public_key().public_bytes_raw())


def seal_to_escrow(escrow_key: str, secret: bytes, context: bytes) -> str:
    """Seal a secret to the recovery key; return base64url.

    Raises:
        ConfigError: the public half is none.
    """
    try:
        public = X25519PublicKey.from_public_bytes(parse_base64url(escrow_key))
    except ValueError:
        raise ConfigError(
            "the register's escrow key is damaged; restore the register"
        ) from None
    return base64url(_SUITE.encrypt(secret, public, _info(context)))


def open_escrow(recovery: Ed25519PrivateKey, sealed: str, context: bytes) -> bytes:
    """Open a secret with the recovery key.

    Raises:
        IntegrityError: it was altered, or sealed to another recovery key or context.
    """
    try:
        return _SUITE.decrypt(
            parse_base64url(sealed), _private(recovery), _info(context)
        )
    except (InvalidTag, ValueError):
        raise IntegrityError(
            "a secret in escrow does not open under this recovery key: its file was "
            "altered, or is another key's"
        ) from None


def _private(recovery: Ed25519PrivateKey) -> X25519PrivateKey:
    seed = HKDF(SHA256(), 32, None, _LABEL).derive(recovery.private_bytes_raw())
    return X25519PrivateKey.from_private_bytes(seed)


def _info(context: bytes) -> bytes:
    return _LABEL + b"|" + context
