"""Seal and open bytes: AES-256-GCM under a data key of its own, wrapped (RFC 3394).

Envelope v1, in this order:
`PTSEAL1` (7 bytes) | length of the key name (1) | key name | key version (2, big-endian) |
wrapped data key (40) | nonce (12) | ciphertext and tag.

1. One data key for one envelope, so a nonce is never used twice under one key.
2. What the bytes are for (`context`) and the whole header are authenticated: an envelope
   that is put into another's place does not open.
3. GCM does not commit to its key; whoever relies on the content checks its hash (a leaf
   hash for entries), never the fact that it opened.
"""

import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)

from phitrail.errors import ConfigError, IntegrityError
from phitrail.events.unprotect import unprotect
from phitrail.keys.ring import KeyRing

MAGIC = b"PTSEAL1"
HEADER_BYTES = len(MAGIC) + 1 + 255 + 2
"""As much of an envelope says under which key it is, at most."""
_KEY_BYTES = 32
_VERSION_BYTES = 2
_WRAPPED_BYTES = 40
_NONCE_BYTES = 12
_TAG_BYTES = 16


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals under the newest version of one key, opens under any version of it."""

    keys: KeyRing
    name: str

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return an envelope that opens under the same context only."""
        version, secret = self.keys.newest(self.name)
        data_key, nonce = os.urandom(_KEY_BYTES), os.urandom(_NONCE_BYTES)
        wrapped = aes_key_wrap(unprotect(secret), data_key)
        header = self.beginning(version) + wrapped + nonce
        return header + AESGCM(data_key).encrypt(nonce, plain, header + context)

    def version_in_use(self) -> int:
        """Return the key version that seals what is new.

        Raises:
            StorageError: none is in use.
        """
        return self.keys.newest_version(self.name)

    def beginning(self, version: int) -> bytes:
        """Return how every envelope under a key version begins, and none under another."""
        name = self.name.encode()
        return MAGIC + bytes([len(name)]) + name + version.to_bytes(2, "big")

    def open(self, envelope: bytes, context: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            IntegrityError: altered, cut, under another key or another context's, or its
                key version is not here.
        """
        place = len(MAGIC)
        length = envelope[place] if len(envelope) > place else 0
        name = envelope[place + 1 : place + 1 + length]
        start = place + 1 + length + 2
        end = start + _WRAPPED_BYTES + _NONCE_BYTES
        if not envelope.startswith(MAGIC) or len(envelope) < end + _TAG_BYTES:
            raise IntegrityError("a sealed envelope is cut or is none")
        if name != self.name.encode():
            raise IntegrityError(f"a sealed envelope is not under the key {self.name}")
        version = int.from_bytes(envelope[start - 2 : start], "big")
        try:
            secret = self.keys.secret(self.name, version)
        except ConfigError as error:
            raise IntegrityError(
                f"a sealed envelope names key {self.name} version {version}, which is "
                "not here: restore that key, or treat the envelope as altered"
            ) from error
        wrapped = envelope[start : start + _WRAPPED_BYTES]
        nonce = envelope[start + _WRAPPED_BYTES : end]
        try:
            data_key = aes_key_unwrap(unprotect(secret), wrapped)
            return AESGCM(data_key).decrypt(
                nonce, memoryview(envelope)[end:], envelope[:end] + context
            )
        except (InvalidUnwrap, InvalidTag):
            raise IntegrityError(
                f"a sealed envelope does not open under key {self.name} version "
                f"{version}: altered, moved from elsewhere, or the wrong key file"
            ) from None


def read_header(envelope: bytes) -> tuple[str, int]:
    """Read under which key and version an envelope is, of its first bytes; opens nothing.

    `HEADER_BYTES` of them are enough for any envelope.

    Raises:
        IntegrityError: it is cut or is none.
    """
    place = len(MAGIC)
    length = envelope[place] if len(envelope) > place else 0
    end = place + 1 + length + _VERSION_BYTES
    name = envelope[place + 1 : place + 1 + length]
    if not envelope.startswith(MAGIC) or len(envelope) < end or not name.isascii():
        raise IntegrityError("a sealed envelope is cut or is none")
    return name.decode("ascii"), int.from_bytes(envelope[end - _VERSION_BYTES : end])
