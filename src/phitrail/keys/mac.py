"""Keyed hashes: HMAC-SHA256 under a versioned key (RFC 2104).

A plain hash of a short text can be guessed; a keyed one needs the key. Every hash carries
the version of its key, so that it can be matched after a rotation.
"""

import hmac
from dataclasses import dataclass, field

from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect
from phitrail.keys.ring import KeyRing
from phitrail.keys.spelling import base64url


@dataclass(frozen=True, slots=True)
class Mac:
    """Hashes under the newest version of one key, or under a named one."""

    keys: KeyRing
    name: str
    _prepared: dict[int, tuple[Protected[bytes], hmac.HMAC]] = field(
        default_factory=dict, repr=False
    )

    def digest(self, data: bytes) -> tuple[int, bytes]:
        """Return the key version in use and the 32-byte HMAC."""
        version, secret = self.keys.newest(self.name)
        return version, self._digest(version, secret, data)

    def version_in_use(self) -> int:
        """Return the key version that hashes what is new.

        Raises:
            StorageError: none is in use.
        """
        return self.keys.newest_version(self.name)

    def digest_under(self, version: int, data: bytes) -> bytes:
        """Return the 32-byte HMAC under one key version.

        Raises:
            ConfigError: the version is not here.
        """
        secret = self.keys.secret(self.name, version)  # asked each time: it may end
        return self._digest(version, secret, data)

    def _digest(self, version: int, secret: Protected[bytes], data: bytes) -> bytes:
        prepared = self._prepared.get(version)
        if prepared is None or prepared[0] is not secret:
            # The key's own blocks are hashed once, not for each text.
            begun = hmac.new(unprotect(secret), digestmod="sha256")
            prepared = self._prepared[version] = (secret, begun)
        mac = prepared[1].copy()
        mac.update(data)
        return mac.digest()

    def written(self, data: bytes) -> str:
        """Return `hmac-sha256:<version>:<43 characters base64url>` (ADR 0001)."""
        version, digest = self.digest(data)
        return _write(version, digest)

    def written_under(self, version: int, data: bytes) -> str:
        """Return the written hash under one key version.

        Raises:
            ConfigError: the version is not here.
        """
        return _write(version, self.digest_under(version, data))

    def versions(self) -> tuple[int, ...]:
        """List the versions of the key that stand here, in order."""
        return tuple(v for name, v in self.keys.versions() if name == self.name)


def _write(version: int, digest: bytes) -> str:
    return f"hmac-sha256:{version}:{base64url(digest)}"
