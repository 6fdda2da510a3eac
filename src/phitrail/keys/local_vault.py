"""The local sealed keyring: the vault that needs no other host (the embedded default).

Its wrapping key stands in files of mode 0600, `wrapping.v<version>.json`, in the directory
of keys or in one that policy.yaml names (a disk that is mounted for this process alone, a
credential of the service manager). A copy of the trail without them opens nothing.

Whoever owns the host owns this vault: the threat model says what follows from it. So the
production profile refuses it unless a dated exception is recorded.

Wrapped form: `local:v<version>:<base64url of nonce (12), ciphertext, tag (16)>`, AES-256-GCM
with the context authenticated. A signing key is a wrapped seed; it is unwrapped to sign.
"""

import base64
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from phitrail.errors import ConfigError, IntegrityError, StorageError
from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect
from phitrail.keys.names import WRAPPING
from phitrail.keys.secret_file import make_secret_file, read_secret_file
from phitrail.keys.spelling import base64url, parse_base64url
from phitrail.keys.vault import MadeSigningKey, ToWrap, Wrapped

KIND = "local"
SECRET_BYTES = 32
_NONCE_BYTES = 12
_TEXT = re.compile(r"local:v([1-9][0-9]{0,4}):([A-Za-z0-9_-]+)", re.ASCII)


class _WrappingFile(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    name: str
    version: int
    created_at: str
    secret: str


class LocalVault:
    """A wrapping key in files of this host; the secrets stay inside `Protected`."""

    kind = KIND
    unwrap_cache_s: float | None = None

    def __init__(
        self, directory: Path, secrets: Mapping[int, Protected[bytes]]
    ) -> None:
        self._directory = directory
        self._secrets = dict(secrets)
        self._ciphers = {
            version: AESGCM(unprotect(secret)) for version, secret in secrets.items()
        }
        self._signers: dict[str, Ed25519PrivateKey] = {}

    @classmethod
    def create(
        cls, directory: Path, *, created_at: str, version: int = 1
    ) -> "LocalVault":
        """Make the first version of the wrapping key, or a later one in place of a lost.

        Raises:
            StorageError: it cannot be written, or one stands there.
        """
        secret = _make(directory, version, created_at)
        return cls(directory, {version: secret})

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read every version of the wrapping key.

        Raises:
            ConfigError: there is none, or one is damaged or readable by others.
        """
        places = sorted(directory.glob(f"{WRAPPING}.v*.json"))
        if not places:
            raise ConfigError(
                f"key {WRAPPING} is missing under {directory}; restore it from the key "
                "backup, or bring the keys back with `phitrail key recover`"
            )
        return cls(directory, dict(map(_read, places)))

    def wrap(self, secrets: Sequence[ToWrap]) -> list[str]:
        """Wrap secrets under the newest version."""
        version = self.newest_wrapping_version()
        return [self._encrypt(version, one.secret, one.context) for one in secrets]

    def unwrap(self, wrapped: Sequence[Wrapped]) -> list[bytes]:
        """Unwrap secrets.

        Raises:
            IntegrityError: one was altered, is another vault's, or of another context.
        """
        return [self._decrypt(one) for one in wrapped]

    def rewrap(self, wrapped: Sequence[Wrapped]) -> list[str]:
        """Wrap secrets anew under the newest version.

        Raises:
            IntegrityError: one was altered, is another vault's, or of another context.
        """
        secrets = self.unwrap(wrapped)
        return self.wrap(
            [
                ToWrap(secret, one.context)
                for secret, one in zip(secrets, wrapped, strict=True)
            ]
        )

    def wrapping_version(self, text: str) -> int:
        """Say under which version a secret is wrapped.

        Raises:
            IntegrityError: the text is not this vault's.
        """
        return _parse(text)[0]

    def newest_wrapping_version(self) -> int:
        """Say which version wraps; another process may have made it."""
        self._look_for_more()
        return max(self._secrets)

    def rotate_wrapping_key(self, created_at: str) -> int:
        """Make a new version of the wrapping key; durable on return.

        Raises:
            StorageError: it cannot be written.
        """
        version = self.newest_wrapping_version() + 1
        secret = _make(self._directory, version, created_at)
        self._secrets[version] = secret
        self._ciphers[version] = AESGCM(unprotect(secret))
        return version

    def retire_wrapping_versions(self, before: int) -> None:
        """Remove the files of the versions before one.

        Raises:
            StorageError: one stands there still.
        """
        for version in [one for one in self._secrets if one < before]:
            place = self._directory / _name_of(version)
            try:
                place.unlink(missing_ok=True)
            except OSError as error:
                raise StorageError(
                    f"cannot remove {place}: {error.strerror}; remove it by hand"
                ) from error
            del self._secrets[version], self._ciphers[version]

    def make_signing_key(self, label: str, context: bytes) -> MadeSigningKey:
        """Make a seed, wrapped; the label is for vaults that keep keys by name."""
        del label
        private = Ed25519PrivateKey.generate()
        (reference,) = self.wrap([ToWrap(private.private_bytes_raw(), context)])
        return MadeSigningKey(reference, private.public_key().public_bytes_raw())

    def sign(self, key: Wrapped, data: bytes) -> bytes:
        """Sign with the seed of a reference.

        Raises:
            IntegrityError: it was altered, is another vault's, or of another context.
        """
        private = self._signers.get(key.text)
        if private is None:
            private = Ed25519PrivateKey.from_private_bytes(self._decrypt(key))
            self._signers[key.text] = private
        return private.sign(data)

    def destroy_signing_key(self, key: Wrapped) -> None:
        """Forget the seed: its only copy stands in the key file, which is removed."""
        self._signers.pop(key.text, None)

    def close(self) -> None:
        """Forget what was unwrapped."""
        self._signers.clear()

    def _look_for_more(self) -> None:
        """Read the versions that another process has made since."""
        for place in self._directory.glob(f"{WRAPPING}.v*.json"):
            if place.name not in {_name_of(version) for version in self._secrets}:
                version, secret = _read(place)
                self._ciphers[version] = AESGCM(unprotect(secret))
                self._secrets[version] = secret

    def _encrypt(self, version: int, secret: bytes, context: bytes) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._ciphers[version].encrypt(nonce, secret, context)
        return f"{KIND}:v{version}:{base64url(sealed)}"

    def _decrypt(self, wrapped: Wrapped) -> bytes:
        version, data = _parse(wrapped.text)
        if version not in self._ciphers:
            self._look_for_more()
        cipher = self._ciphers.get(version)
        if cipher is None:
            raise IntegrityError(
                f"a key is wrapped under {WRAPPING} version {version}, which is not "
                f"under {self._directory}; restore it from the key backup"
            )
        try:
            return cipher.decrypt(
                data[:_NONCE_BYTES], data[_NONCE_BYTES:], wrapped.context
            )
        except (InvalidTag, ValueError):
            raise IntegrityError(
                "a wrapped key does not unwrap: its file was altered or is another "
                "key's; restore it from the key backup"
            ) from None


def _name_of(version: int) -> str:
    return f"{WRAPPING}.v{version}.json"


def _parse(text: str) -> tuple[int, bytes]:
    match = _TEXT.fullmatch(text)
    if match is not None:
        with suppress(ValueError):
            return int(match[1]), parse_base64url(match[2])
    raise IntegrityError(
        "a wrapped key is not the local keyring's; see `keys` in policy.yaml"
    )


def _make(directory: Path, version: int, created_at: str) -> Protected[bytes]:
    secret = os.urandom(SECRET_BYTES)
    place = directory / _name_of(version)
    file = _WrappingFile(
        name=WRAPPING,
        version=version,
        created_at=created_at,
        secret=base64.b64encode(secret).decode(),
    )
    try:
        make_secret_file(place, msgspec.json.encode(file) + b"\n")
    except OSError as error:
        raise StorageError(f"cannot write {place}: {error.strerror}") from error
    return Protected(secret)


def _read(place: Path) -> tuple[int, Protected[bytes]]:
    data = read_secret_file(
        place,
        if_seen="treat every key as compromised if they may have read it",
        if_missing="restore it from the key backup",
    )
    # What a library says of the file could quote the secret, so it never goes along.
    with suppress(msgspec.MsgspecError, ValueError):
        file = msgspec.json.decode(data, type=_WrappingFile)
        secret = base64.b64decode(file.secret, validate=True)
        if len(secret) == SECRET_BYTES and place.name == _name_of(file.version):
            return file.version, Protected(secret)
    raise ConfigError(f"key file {place} is damaged; restore it from the key backup")
