"""Keyed hashes: HMAC-SHA256 under a versioned key (RFC 2104).

A plain hash of a short text can be guessed; a keyed one needs the key. Every hash carries
the version of its key, so that it can be matched after a rotation.
"""

import base64
import hmac
from dataclasses import dataclass, field

from phitrail.events.unprotect import unprotect
from phitrail.keys.local import LocalKeys


@dataclass(frozen=True, slots=True)
class Mac:
    """Hashes under the newest version of one key, or under a named one."""

    keys: LocalKeys
    name: str
    _prepared: dict[int, hmac.HMAC] = field(default_factory=dict, repr=False)

    def digest(self, data: bytes) -> tuple[int, bytes]:
        """Return the key version in use and the 32-byte HMAC."""
        version = self.keys.newest_version(self.name)
        return version, self.digest_under(version, data)

    def digest_under(self, version: int, data: bytes) -> bytes:
        """Return the 32-byte HMAC under one key version.

        Raises:
            ConfigError: the version is not here.
        """
        prepared = self._prepared.get(version)
        if prepared is None:  # the key's own blocks are hashed once, not for each text
            secret = unprotect(self.keys.secret(self.name, version))
            prepared = self._prepared[version] = hmac.new(secret, digestmod="sha256")
        mac = prepared.copy()
        mac.update(data)
        return mac.digest()

    def written(self, data: bytes) -> str:
        """Return `hmac-sha256:<version>:<43 characters base64url>` (ADR 0001)."""
        return self.written_under(self.keys.newest_version(self.name), data)

    def written_under(self, version: int, data: bytes) -> str:
        """Return the written hash under one key version.

        Raises:
            ConfigError: the version is not here.
        """
        digest = self.digest_under(version, data)
        return f"hmac-sha256:{version}:{base64url(digest)}"

    def versions(self) -> tuple[int, ...]:
        """List the versions of the key that stand here, in order."""
        return tuple(v for name, v in self.keys.versions() if name == self.name)


def base64url(data: bytes) -> str:
    """Write bytes as base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
