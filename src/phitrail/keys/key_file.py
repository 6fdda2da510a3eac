"""One version of one key, as a file: wrapped by the vault, sealed to the recovery key.

`<name>.v<version>.json`, mode 0600, in a directory of mode 0700. A file that others may
read is refused, as is an altered one. It holds no secret in clear:

1. `held` is what the vault gives the secret back for, or what it signs by; bound to name,
   version and kind, so that no file stands in for another.
2. `escrow` is the secret sealed to the recovery key (`keys.escrow`); signing keys have none.
3. `public_key` is that of a signing key, so that nobody asks the vault for it.
"""

import hashlib
import hmac
import secrets
from contextlib import suppress
from pathlib import Path

import msgspec

from phitrail.errors import ConfigError
from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect
from phitrail.keys.escrow import seal_to_escrow
from phitrail.keys.names import KeyId, KeyKind, kind_of_key
from phitrail.keys.register import KeyEntry
from phitrail.keys.secret_file import read_secret_file
from phitrail.keys.spelling import base64url, parse_base64url
from phitrail.keys.states import KeyState
from phitrail.keys.vault import ToWrap, Vault, Wrapped

SECRET_BYTES = 32
_PUBLIC_BYTES = 32
_FINGERPRINT_BYTES = 16
_FINGERPRINT = "phitrail/key-fingerprint/v1"
_LABEL_BYTES = 4


class KeyFile(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """What a key file holds."""

    name: str
    kind: KeyKind
    version: int
    created_at: str
    vault: str
    held: str
    public_key: str | None = None
    escrow: str | None = None

    @property
    def key_id(self) -> KeyId:
        """Which version of which key."""
        return KeyId(self.name, self.version)

    @property
    def file_name(self) -> str:
        """Where it stands in the directory of keys."""
        return name_of_file(self.key_id)

    @property
    def wrapped(self) -> Wrapped:
        """What is handed to the vault."""
        return Wrapped(self.held, key_context(self.name, self.version, self.kind))

    def public(self) -> bytes:
        """Return the public half of a signing key, 32 bytes.

        Raises:
            ConfigError: it has none.
        """
        with suppress(ValueError):
            data = parse_base64url(self.public_key or "")
            if len(data) == _PUBLIC_BYTES:
                return data
        raise ConfigError(f"key file {self.file_name} has no public key; restore it")

    def encode(self) -> bytes:
        """Write the file."""
        return msgspec.json.encode(self) + b"\n"


def name_of_file(key_id: KeyId) -> str:
    """Name the file of one version."""
    return f"{key_id.name}.v{key_id.version}.json"


def key_context(name: str, version: int, kind: KeyKind) -> bytes:
    """Return what a wrapped secret is bound to."""
    return f"phitrail/key-file/v1|{name}|{version}|{kind}".encode()


def make_key(
    key_id: KeyId, kind: KeyKind, created_at: str, vault: Vault, escrow_key: str | None
) -> tuple[KeyFile, KeyEntry]:
    """Make one version of a key: its file, and its entry in pre-activation.

    Nothing is written; a signing key stands in the vault from here on.

    Args:
        key_id: which one.
        kind: what it can do.
        created_at: when, as written.
        vault: what wraps it.
        escrow_key: the public half of the escrow; None for keys of a test.

    Raises:
        VaultError: the vault does not answer, or refuses.
    """
    context = key_context(key_id.name, key_id.version, kind)
    public_key = escrow = None
    if kind is KeyKind.SIGN:
        label = f"{key_id.name}-v{key_id.version}-{secrets.token_hex(_LABEL_BYTES)}"
        made = vault.make_signing_key(label, context)
        held, public_key = made.reference, base64url(made.public_key)
        fingerprint = fingerprint_of_public(key_id, made.public_key)
    else:
        secret = secrets.token_bytes(SECRET_BYTES)
        (held,) = vault.wrap([ToWrap(secret, context)])
        fingerprint = fingerprint_of_secret(key_id, Protected(secret))
        if escrow_key is not None:
            escrow = seal_to_escrow(escrow_key, secret, context)
    name, version = key_id.name, key_id.version
    file = KeyFile(
        name=name,
        kind=kind,
        version=version,
        created_at=created_at,
        vault=vault.kind,
        held=held,
        public_key=public_key,
        escrow=escrow,
    )
    entry = KeyEntry(
        name=name,
        version=version,
        kind=kind,
        state=KeyState.PRE_ACTIVATION,
        fingerprint=fingerprint,
        vault=vault.kind,
        created_at=created_at,
    )
    return file, entry


def read_key_file(place: Path) -> KeyFile:
    """Read one key file.

    Raises:
        ConfigError: it is missing, damaged, or readable by others.
    """
    data = read_secret_file(
        place,
        if_seen="treat the key as compromised if they may have read it",
        if_missing="restore it from the key backup",
    )
    file = None
    # What a library says of the file could quote it, so it never goes along.
    with suppress(msgspec.MsgspecError, ValueError):
        file = msgspec.json.decode(data, type=KeyFile)
    if (
        file is None
        or place.name != file.file_name
        or file.kind is not kind_of_key(file.name)
        or (file.kind is KeyKind.SIGN) != (file.public_key is not None)
    ):
        raise ConfigError(
            f"key file {place} is damaged; restore it from the key backup"
        )
    return file


def fingerprint_of_secret(key_id: KeyId, secret: Protected[bytes]) -> str:
    """Return 32 hex digits that tell a secret from others and say nothing of it."""
    bound = f"{_FINGERPRINT}|{key_id.name}|{key_id.version}".encode()
    digest = hmac.digest(unprotect(secret), bound, "sha256")
    return digest[:_FINGERPRINT_BYTES].hex()


def fingerprint_of_public(key_id: KeyId, public_key: bytes) -> str:
    """Return 32 hex digits that tell a signing key from others."""
    bound = f"{_FINGERPRINT}|{key_id.name}|{key_id.version}|".encode()
    return hashlib.sha256(bound + public_key).digest()[:_FINGERPRINT_BYTES].hex()
