"""Whether what comes under a known event id is the same content: exactly-once over rotations.

The journal keeps a keyed hash of the caller's own canonical bytes with each event, and the
version of the key before it (two bytes). So:

1. A retry is hashed under the version in use. Where the stored hash is under another one,
   the bytes are hashed anew under that: equal is a retry, anything else is a conflict.
2. A version that is gone compares nothing. Then nobody can say whether it is a retry: it is
   refused, and the refusal says so; it is never taken for either.
3. What the log itself wrote (genesis, successions) has no version and is nobody's retry.
"""

import hmac
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from phitrail.errors import ConfigError, ConflictError

VERSION_BYTES: Final = 2
REUSED: Final = "event_id_reused"
NOT_COMPARABLE: Final = "event_id_not_comparable"


class HashesContent(Protocol):
    """What the door needs of the key: `keys.mac`, or the stand-in of a rehearsal."""

    def digest(self, data: bytes) -> tuple[int, bytes]:
        """Return the key version in use and the HMAC."""

    def digest_under(self, version: int, data: bytes) -> bytes:
        """Return the HMAC under one key version."""


class NotComparableError(ConflictError):
    """The id stands in the log under a key version that is gone."""


def content_mac(keyed: HashesContent, content: bytes) -> bytes:
    """Return what the journal keeps of a record's canonical bytes."""
    version, digest = keyed.digest(content)
    return version.to_bytes(VERSION_BYTES, "big") + digest


def is_same_content(keyed: HashesContent, content: bytes, stored: bytes) -> bool:
    """Say whether a stored hash is that of these bytes.

    Raises:
        ConfigError: the version of its key is not here.
        VaultError: the vault does not answer, or refuses.
    """
    version = int.from_bytes(stored[:VERSION_BYTES])
    if version == 0:
        return False
    digest = keyed.digest_under(version, content)
    return hmac.compare_digest(digest, stored[VERSION_BYTES:])


def same_macs(
    keyed: HashesContent,
    contents: Mapping[str, Callable[[], bytes]],
    error: ConflictError,
) -> Mapping[str, bytes]:
    """Answer a conflict: return the stored hashes of what is a retry under another version.

    Args:
        keyed: what hashes.
        contents: by event id, what gives the canonical bytes.
        error: what the log said; `stored` is what stands there, by event id.

    Raises:
        ConflictError: one of them is no retry; it names that one.
        VaultError: the vault does not answer, or refuses.
    """
    for event_id, stored in error.stored.items():
        content = contents.get(event_id)
        try:
            if content is not None and is_same_content(keyed, content(), stored):
                continue
        except ConfigError:
            version = int.from_bytes(stored[:VERSION_BYTES])
            raise NotComparableError(
                f"event {event_id} stands in the log, and version {version} of the key "
                "idempotency, which tells the same content from other, is gone; look at "
                "the entry: leave this one out if it is the same, else use a new event_id",
                event_id=event_id,
            ) from None
        raise (
            error
            if event_id == error.event_id
            else ConflictError(
                f"event {event_id} stands in the log with other content; use a new event_id",
                event_id=event_id,
            )
        )
    if not error.stored:
        raise error
    return error.stored
